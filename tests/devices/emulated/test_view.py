"""What an emulated board shows of itself, read back by the code that reads real boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.catalog import load_catalog
from edgekit.devices.emulated.board import find_board
from edgekit.devices.emulated.view import make_view
from edgekit.host import detect
from edgekit.vocabulary import IsaFeature


@pytest.mark.parametrize(
    ("name", "core", "features"),
    [
        ("raspberry-pi-3", "Cortex-A53", ("neon",)),
        ("raspberry-pi-4", "Cortex-A72", ("neon",)),
        ("raspberry-pi-5", "Cortex-A76", ("neon", "fp16", "dotprod")),
    ],
)
def test_is_read_back_as_the_profile_says(
    tmp_path: Path, name: str, core: str, features: tuple[IsaFeature, ...]
) -> None:
    board = find_board(name, load_catalog())
    (tmp_path / "root").mkdir()
    machine = detect(
        make_view(tmp_path / "view", tmp_path / "root", board), machine="aarch64", allowed=range(4)
    )
    (cluster,) = machine.clusters
    assert (cluster.core, cluster.cores, cluster.clock_hz) == (core, 4, board.cluster.clock_hz)
    assert (cluster.l1d_bytes, cluster.l2_bytes) == (board.cluster.l1d_bytes, board.cluster.l2_bytes)
    assert cluster.l2_shared == board.cluster.l2_shared
    assert machine.l3_bytes == board.l3_bytes
    assert machine.ram_bytes == board.ram_bytes
    assert set(machine.isa_features) == set(features)


def test_the_sysroot_is_there_by_links(tmp_path: Path) -> None:
    (tmp_path / "root" / "usr").mkdir(parents=True)
    view = make_view(tmp_path / "view", tmp_path / "root", find_board("raspberry-pi-4", load_catalog()))
    assert (view / "usr").readlink() == tmp_path / "root" / "usr"
    assert (view / "proc/device-tree/model").read_text().startswith("Raspberry Pi 4")
