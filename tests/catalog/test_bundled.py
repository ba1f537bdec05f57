"""Every bundled file is a test by being there."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.catalog import Catalog, check, load_catalog
from edgekit.catalog.files import bundled_folder

ROOT = bundled_folder()
TARGETS = sorted((ROOT / "targets").glob("*.toml"))
PROFILES = sorted((ROOT / "profiles").glob("*.toml"))
CONVERTERS = sorted((ROOT / "converters").glob("*/converter.toml"))
ASKED_FOR = {
    "host", "intel-n100", "raspberry-pi-4", "raspberry-pi-5", "rk3588", "jetson-orin-cpu", "android-arm64",
    "kirin-990", "atlas-200i-a2",
}  # fmt: skip


@pytest.fixture(scope="module")
def problems() -> tuple[str, ...]:
    return check()[1]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize(
    "path", [*TARGETS, *PROFILES, *CONVERTERS], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_file_has_no_problem(path: Path, problems: tuple[str, ...]) -> None:
    named = str(path.relative_to(ROOT))
    assert [line for line in problems if named in line] == []


def test_no_file_is_overlooked(problems: tuple[str, ...]) -> None:
    assert problems == ()
    assert set(check()[0]) == {*TARGETS, *PROFILES, *CONVERTERS}


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_target_says_what_runs_and_what_waits(path: Path, catalog: Catalog) -> None:
    target = catalog.target(path.stem)
    available = [runtime for runtime in target.runtimes if runtime.status == "available"]
    assert available, "a target that nothing can be built for is of no use"
    assert all("int8" in runtime.precisions or runtime.note for runtime in available), (
        "no int8, and no word why"
    )
    assert all(runtime.waits_for for runtime in target.runtimes if runtime.status == "waiting")
    assert any("runtimes" in source.facts for source in target.sources) or target.detected


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_profile_has_the_architecture_of_its_target(path: Path, catalog: Catalog) -> None:
    target = catalog.target(path.stem)
    assert catalog.profile(target.profile).arch == target.arch


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profile_is_ready_for_a_prediction(path: Path, catalog: Catalog) -> None:
    profile = catalog.profile(path.stem)
    assert profile.cpu.isa_features
    if profile.detected:
        return
    clocks = [cluster.clock_hz or 0 for cluster in profile.cpu.clusters]
    assert clocks == sorted(clocks, reverse=True), "the fastest cores first"
    memory = profile.memory
    # what was measured knows its memory's speed, and some vendors state a bandwidth alone; a board without measurements
    # is known by its facts alone
    if not profile.speeds or memory.transfers_per_s:
        assert memory.transfers_per_s
        assert memory.bus_bits
        assert memory.bandwidth_bytes_per_s == memory.transfers_per_s * memory.bus_bits // 8
    assert all("*" not in source.facts for source in profile.sources), (
        "one source cannot vouch for a whole file"
    )


def test_what_was_asked_for_is_there(catalog: Catalog) -> None:
    assert catalog.targets.keys() >= ASKED_FOR
    assert catalog.profiles.keys() >= ASKED_FOR
    assert catalog.converters.keys() >= {"onnxruntime", "openvino", "litert", "onnx2tf"}
    assert all((catalog.converter_dir(name) / "worker.py").is_file() for name in catalog.converters)


def test_every_source_says_where(catalog: Catalog) -> None:
    sources = [source for target in catalog.targets.values() for source in target.sources]
    sources += [source for profile in catalog.profiles.values() for source in profile.sources]
    assert all(source.title and source.where for source in sources)
