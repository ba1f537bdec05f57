"""Which targets can be emulated, as what, and what the others are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.catalog import Catalog, load_catalog
from edgekit.devices.emulated.board import find_board
from edgekit.errors import CatalogError, DeviceError
from edgekit.vocabulary import IsaFeature


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize(
    ("name", "qemu", "cores", "caches"),
    [
        ("raspberry-pi-4", "cortex-a72", 4, ((32_768, 2), (1_048_576, 16))),
        ("raspberry-pi-5", "cortex-a76", 4, ((65_536, 4), (524_288, 8), (2_097_152, 16))),
        ("rk3588", "cortex-a76", 4, ((65_536, 4), (524_288, 8), (3_145_728, 16))),
        # profiles without a target
        ("raspberry-pi-3", "cortex-a53", 4, ((32_768, 4), (524_288, 16))),
        ("rk3399", "cortex-a72", 2, ((32_768, 2), (1_048_576, 16))),
    ],
)
def test_boards(
    catalog: Catalog, name: str, qemu: str, cores: int, caches: tuple[tuple[int, int], ...]
) -> None:
    board = find_board(name, catalog)
    assert board.core is not None
    assert (board.arch, board.core.qemu, board.cluster.cores) == ("aarch64", qemu, cores)
    assert board.caches == caches


def test_memory_is_the_targets(catalog: Catalog) -> None:
    """The profile is of the 8 GB board, the target of the one with 4."""
    assert find_board("raspberry-pi-4", catalog).ram_bytes == 4 * 2**30


@pytest.mark.parametrize("name", sorted({*load_catalog().targets, *load_catalog().profiles} - {"host"}))
def test_each_target_and_profile_is_emulated_or_says_why_not(catalog: Catalog, name: str) -> None:
    says = None
    try:
        assert find_board(name, catalog).ram_bytes > 0
    except DeviceError as error:
        says = str(error)
    if says is not None:
        assert says.startswith(f"emulated:{name}: ")
        assert "\n" not in says


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jetson-orin-cpu", "its core is Cortex-A78AE .* Cortex-A53, Cortex-A72, Cortex-A76"),
        ("kirin-990", "it runs android"),
        ("android-arm64", "it runs android"),
        ("intel-n100", "it has avx-vnni"),
    ],
)
def test_what_cannot_be_emulated(catalog: Catalog, name: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        find_board(name, catalog)


def test_a_near_miss(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="did you mean 'raspberry-pi-4'"):
        find_board("raspbery-pi-4", catalog)


def _changed(catalog: Catalog, name: str, features: tuple[IsaFeature, ...]) -> Catalog:
    target = catalog.target(name).model_copy(update={"isa_features": features})
    return replace(catalog, targets={**catalog.targets, name: target})


def test_a_feature_that_the_core_lacks_is_a_mistake_in_the_target(catalog: Catalog) -> None:
    with pytest.raises(
        DeviceError, match="i8mm stands in its isa_features, and a Cortex-A76 has no such thing"
    ):
        find_board("raspberry-pi-5", _changed(catalog, "raspberry-pi-5", ("neon", "dotprod", "i8mm")))


def test_x86_without_vnni(catalog: Catalog) -> None:
    board = find_board("intel-n100", _changed(catalog, "intel-n100", ("sse4.2", "avx2", "fma")))
    assert (board.arch, board.core) == ("x86_64", None)
