"""Processor texts as the kernels of several machines print them."""

from __future__ import annotations

import pytest

from edgekit.host.cpuinfo import common_features, parse_cpuinfo
from edgekit.vocabulary import Arch
from tests.host.trees import recorded

MACHINES: list[tuple[str, Arch, str, tuple[str, ...]]] = [
    ("intel-n100", "x86_64", "Intel(R) N100", ("sse4.2", "avx", "avx2", "fma", "f16c", "avx-vnni")),
    (
        "haswell-virtual",
        "x86_64",
        "Intel Core Processor (Haswell, no TSX)",
        ("sse4.2", "avx", "avx2", "fma", "f16c"),
    ),
    (
        "sapphire-rapids",
        "x86_64",
        "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
        (
            "sse4.2",
            "avx",
            "avx2",
            "fma",
            "f16c",
            "avx-vnni",
            "avx512f",
            "avx512-vnni",
            "avx512-bf16",
            "amx-int8",
        ),
    ),
    ("raspberry-pi-4", "aarch64", "Cortex-A72", ("neon",)),
    ("raspberry-pi-4-32bit", "armv7l", "Cortex-A72", ("neon",)),
    ("raspberry-pi-5", "aarch64", "Cortex-A76", ("neon", "fp16", "dotprod")),
    ("neoverse-v2-server", "aarch64", "Neoverse-V2", ("neon", "fp16", "dotprod", "i8mm", "bf16", "sve")),
    ("unnamed-arm", "aarch64", "Arm core (implementer 0x99, part 0x123)", ("neon",)),
]


@pytest.mark.parametrize(
    ("name", "arch", "core", "features"), MACHINES, ids=[machine[0] for machine in MACHINES]
)
def test_core_and_features(name: str, arch: Arch, core: str, features: tuple[str, ...]) -> None:
    processors = parse_cpuinfo(recorded(name), arch)
    assert processors[0].core == core
    assert common_features(processors) == features


def test_every_processor_of_a_mixed_machine() -> None:
    processors = parse_cpuinfo(recorded("rk3588"), "aarch64")
    assert [processor.core for processor in processors] == ["Cortex-A55"] * 4 + ["Cortex-A76"] * 4
    assert [processor.index for processor in processors] == list(range(8))


def test_a_feature_that_one_core_lacks_does_not_count() -> None:
    mixed = recorded("raspberry-pi-5") + "\n" + recorded("raspberry-pi-4")
    assert common_features(parse_cpuinfo(mixed, "aarch64")) == ("neon",)


def test_facts_said_once_for_all_processors_reach_each() -> None:
    """Older Arm kernels print the features once, after the processors."""
    last = "Features\t: neon\nCPU implementer\t: 0x41\nCPU part\t: 0xc07\n"
    processors = parse_cpuinfo(f"processor\t: 0\n\nprocessor\t: 1\n\n{last}", "armv7l")
    assert [processor.core for processor in processors] == ["Cortex-A7"] * 2
    assert common_features(processors) == ("neon",)


def test_only_x86_tells_the_clock() -> None:
    assert parse_cpuinfo(recorded("intel-n100"), "x86_64")[0].clock_hz == 3_400_000_000
    assert parse_cpuinfo(recorded("raspberry-pi-4"), "aarch64")[0].clock_hz is None


@pytest.mark.parametrize("text", ["", "nothing here\n", "processor\t: ARMv7 Processor rev 5 (v7l)\n"])
def test_a_text_without_processors_is_none(text: str) -> None:
    assert parse_cpuinfo(text, "aarch64") == ()
