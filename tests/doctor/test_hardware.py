"""Processor, memory, disk: what they mean for conversion and measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.doctor.hardware import cpu_findings, disk_findings, fitness_findings, memory_findings
from edgekit.host import Fitness, detect
from tests.host.trees import machine_tree


@pytest.mark.parametrize(
    ("name", "arch", "status", "words"),
    [
        ("intel-n100", "x86_64", "ok", "VNNI: u8 x s8 is summed exactly"),
        ("haswell-virtual", "x86_64", "warning", "no VNNI: sums of two u8 x s8 products saturate"),
        ("raspberry-pi-4", "aarch64", "ok", "exact, without dot products"),
        ("raspberry-pi-5", "aarch64", "ok", "exact, with dot products"),
    ],
)
def test_what_int8_means_on_a_processor(
    tmp_path: Path, name: str, arch: str, status: str, words: str
) -> None:
    machine = detect(machine_tree(tmp_path, name), machine=arch)
    processor, int8 = cpu_findings(machine)
    assert machine.clusters[0].core in processor.detail
    assert machine.isa_features[-1] in processor.detail
    assert int8.status == status
    assert words in int8.detail
    assert bool(int8.next_step) == (status == "warning")


def fitness(governors: tuple[str, ...], load: float) -> Fitness:
    return Fitness(cores=4, governors=governors, load_average_1m=load, virtual=False)


def test_fit_to_measure() -> None:
    (finding,) = fitness_findings(fitness(("performance",), 0.1))
    assert (finding.status, finding.next_step) == ("ok", None)
    assert finding.detail == "load 0.1 on 4 cores, governor: performance"


def test_a_changing_clock_is_told_with_the_line_that_fixes_it() -> None:
    (finding,) = fitness_findings(fitness(("powersave",), 0.1))
    assert finding.status == "warning"
    assert "cpupower frequency-set -g performance" in (finding.next_step or "")


def test_load_is_told() -> None:
    (finding,) = fitness_findings(fitness((), 3.9))
    assert "load 3.9 on 4 cores" in finding.detail
    assert "cpupower" not in (finding.next_step or "")


def test_memory() -> None:
    assert [finding.status for finding in memory_findings(8 * 2**30, 16 * 2**30)] == ["ok"]
    (finding,) = memory_findings(2**30, 16 * 2**30)
    assert (finding.status, finding.detail) == ("warning", "1.0 of 16.0 GiB available")


def test_a_cache_folder_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    (finding,) = disk_findings(tmp_path / "not" / "yet")
    assert finding.status in ("ok", "warning")  # as much room as this disk has
    assert not finding.fatal
    assert not (tmp_path / "not").exists(), "the doctor only looks"


def test_a_cache_folder_that_cannot_be_made_is_fatal(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    (finding,) = disk_findings(in_the_way / "cache")
    assert finding.fatal
    assert "EDGEKIT_CACHE" in (finding.next_step or "")
