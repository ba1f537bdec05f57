"""Machines put together from what their kernels say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.errors import CatalogError
from edgekit.host import detect, measure_fitness
from tests.host.trees import caches, governors, machine_tree, max_clock, topology

UNIFIED = "Unified"
DATA_32K, CODE_32K = (1, "Data", "32K", ""), (1, "Instruction", "32K", "")


def test_a_mixed_arm_board(tmp_path: Path) -> None:
    small, big = range(4), range(4, 8)
    files = {
        **max_clock(small, 1_800_000), **max_clock(big, 2_400_000),
        **caches(small, [DATA_32K, CODE_32K, (2, UNIFIED, "128K", ""), (3, UNIFIED, "3M", "0-7")]),
        **caches(big, [(1, "Data", "64K", ""), CODE_32K, (2, UNIFIED, "512K", ""), (3, UNIFIED, "3M", "0-7")]),
    }  # fmt: skip
    machine = detect(machine_tree(tmp_path, "rk3588", files), machine="aarch64", allowed=range(8))
    big_cores, small_cores = machine.clusters
    assert (big_cores.core, big_cores.cores, big_cores.clock_hz) == ("Cortex-A76", 4, 2_400_000_000)
    assert (big_cores.l1d_bytes, big_cores.l2_bytes, big_cores.l2_shared) == (65_536, 524_288, False)
    assert (small_cores.core, small_cores.clock_hz, small_cores.l2_bytes) == (
        "Cortex-A55",
        1_800_000_000,
        131_072,
    )
    assert (machine.l3_bytes, machine.threads, machine.ram_bytes) == (3 * 2**20, 8, 8_192_000_000)
    assert machine.cpu == "4x Cortex-A76 + 4x Cortex-A55"
    assert machine.exact_int8


def test_hardware_threads_are_not_cores(tmp_path: Path) -> None:
    def of_core(threads: str) -> list[tuple[int, str, str, str]]:
        return [(1, "Data", "32K", threads), (2, UNIFIED, "256K", threads), (3, UNIFIED, "8192K", "0-3")]

    files = {
        **topology({0: 0, 1: 1, 2: 0, 3: 1}),
        **caches([0, 2], of_core("0,2")),
        **caches([1, 3], of_core("1,3")),
    }
    root = machine_tree(tmp_path, "haswell-virtual", files)
    machine = detect(root, machine="x86_64", allowed=range(4))
    assert machine.clusters[0].cores == machine.threads == 2
    assert not machine.clusters[0].l2_shared, "two threads of one core share it, not two cores"
    assert machine.l3_bytes == 8 * 2**20
    assert not machine.exact_int8, "AVX2 without VNNI saturates"
    assert detect(root, machine="x86_64", allowed=[0, 2]).threads == 1


def test_two_sockets_have_two_last_level_caches(tmp_path: Path) -> None:
    files = {**caches([0, 1], [(3, UNIFIED, "4M", "0-1")]), **caches([2, 3], [(3, UNIFIED, "4M", "2-3")])}
    assert detect(machine_tree(tmp_path, "haswell-virtual", files), machine="x86_64").l3_bytes == 8 * 2**20


def test_a_cluster_may_share_its_second_level(tmp_path: Path) -> None:
    files = caches(range(4), [DATA_32K, (2, UNIFIED, "1024K", "0-3")])
    cluster = detect(machine_tree(tmp_path, "raspberry-pi-4", files), machine="aarch64").clusters[0]
    assert cluster.l2_shared
    assert cluster.l2_bytes == 2**20


@pytest.mark.parametrize(
    "files",
    [
        {"sys/fs/cgroup/cpu.max": "150000 100000", "sys/fs/cgroup/memory.max": "1000000000"},
        {
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000",
        },
    ],
    ids=["cgroup v2", "cgroup v1"],
)
def test_a_containers_limits_count(tmp_path: Path, files: dict[str, str]) -> None:
    machine = detect(machine_tree(tmp_path, "raspberry-pi-4", files), machine="aarch64", allowed=range(4))
    assert machine.threads == 2
    assert machine.ram_bytes == 1_000_000_000


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/memory.max": "max"}
    machine = detect(machine_tree(tmp_path, "raspberry-pi-4", files), machine="aarch64", allowed=range(4))
    assert machine.threads == 4
    assert machine.ram_bytes == 8_192_000_000


def test_what_the_kernel_does_not_tell_is_none(tmp_path: Path) -> None:
    machine = detect(machine_tree(tmp_path, "raspberry-pi-4"), machine="aarch64", allowed=range(4))
    cluster = machine.clusters[0]
    assert (cluster.clock_hz, cluster.l1d_bytes, cluster.l2_bytes, machine.l3_bytes) == (
        None,
        None,
        None,
        None,
    )
    assert cluster.cores == 4


def test_unknown_machines_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="riscv64"):
        detect(machine_tree(tmp_path, "raspberry-pi-4"), machine="riscv64")
    with pytest.raises(CatalogError, match="names no processor"):
        detect(machine_tree(tmp_path, "raspberry-pi-4", {"proc/cpuinfo": ""}), machine="aarch64")


def test_this_machine() -> None:
    machine = detect()
    assert 1 <= machine.threads <= (os.cpu_count() or 1)
    assert sum(cluster.cores for cluster in machine.clusters) >= machine.threads
    assert machine.isa_features
    assert machine.ram_bytes > 2**28


def test_a_quiet_board_of_steady_clock_is_fit_to_measure(tmp_path: Path) -> None:
    files = {"sys/devices/system/cpu/online": "0-3", **governors(range(4), "performance")}
    root = machine_tree(tmp_path, "raspberry-pi-4", files)
    fitness = measure_fitness(root, load_average_1m=0.2)
    assert (fitness.cores, fitness.governors, fitness.disturbances) == (4, ("performance",), ())


def test_load_governor_and_neighbours_disturb(tmp_path: Path) -> None:
    files = {
        "sys/devices/system/cpu/online": "0-3",
        **governors([0, 1], "schedutil"),
        **governors([2, 3], "performance"),
    }
    fitness = measure_fitness(machine_tree(tmp_path, "haswell-virtual", files), load_average_1m=3.0)
    load, governor, virtual = fitness.disturbances
    assert load == "load 3.0 on 4 cores"
    assert governor == "clock governor schedutil"
    assert "virtual" in virtual
