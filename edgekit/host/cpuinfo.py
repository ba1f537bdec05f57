"""Read /proc/cpuinfo: what the processors are called and which instructions they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from edgekit.host.arm_parts import PARTS
from edgekit.vocabulary import Arch, IsaFeature

# the kernel's word for a feature -> ours; on Arm, fp16 means arithmetic on vectors of halves
_X86: Mapping[str, IsaFeature] = {
    "sse4_2": "sse4.2",
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx_vnni": "avx-vnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512-vnni",
    "avx512_bf16": "avx512-bf16",
    "amx_int8": "amx-int8",
}
_ARM: Mapping[str, IsaFeature] = {
    "asimd": "neon",
    "neon": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
}
_ORDER: tuple[IsaFeature, ...] = get_args(IsaFeature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """One logical processor."""

    index: int
    core: str
    """Name of its core: the model name on x86, Arm's or the vendor's name of the part on Arm."""
    features: frozenset[IsaFeature]
    clock_hz: int | None
    """The clock at the moment of reading; Arm's kernels do not tell."""


def parse_cpuinfo(text: str, arch: Arch) -> tuple[Processor, ...]:
    """Every logical processor that ``text`` describes, in its order; empty where it describes none."""
    blocks = [_fields(block) for block in text.strip().split("\n\n")]
    common = {key: value for block in blocks if "processor" not in block for key, value in block.items()}
    numbered = [{**common, **block} for block in blocks if block.get("processor", "").isdigit()]
    return tuple(_processor(block, arch) for block in numbered)


def common_features(processors: Sequence[Processor]) -> tuple[IsaFeature, ...]:
    """What every processor has, in the vocabulary's order: a thread may land on any of them."""
    shared = frozenset.intersection(*(processor.features for processor in processors))
    return tuple(feature for feature in _ORDER if feature in shared)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, separator, value in pairs if separator}


def _processor(block: Mapping[str, str], arch: Arch) -> Processor:
    known, words = (_X86, "flags") if arch == "x86_64" else (_ARM, "Features")
    mhz = block.get("cpu MHz", "")
    return Processor(
        index=int(block["processor"]),
        core=_core(block, arch),
        features=frozenset(known[word] for word in block.get(words, "").split() if word in known),
        clock_hz=round(float(mhz) * 1e6) if mhz else None,
    )


def _core(block: Mapping[str, str], arch: Arch) -> str:
    if arch == "x86_64":
        return " ".join(block.get("model name", "unknown x86-64 processor").split())
    implementer, part = block.get("CPU implementer", "?"), block.get("CPU part", "?")
    unnamed = f"Arm core (implementer {implementer}, part {part})"
    return PARTS.get((implementer.lower(), part.lower()), unnamed)
