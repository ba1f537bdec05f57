"""``detected = true``: what the file leaves out is read off the machine."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.catalog import check, load_catalog
from edgekit.catalog.detected import fill_in
from edgekit.catalog.files import bundled_folder
from edgekit.catalog_schema import Profile, Target
from edgekit.host import Machine, detect
from tests.catalog.sample_files import write_target
from tests.host.trees import machine_tree, max_clock


def host_file(kind: str) -> dict[str, Any]:
    return tomllib.loads((bundled_folder() / kind / "host.toml").read_text())


def machine(tmp_path: Path, name: str, arch: str) -> Machine:
    root = machine_tree(tmp_path, name, max_clock(range(8), 2_000_000))
    return detect(root, machine=arch, allowed=range(8))


def host_target(found: Machine) -> Target:
    data, problems = fill_in("targets", host_file("targets"), "host.toml", found)
    assert problems == []
    return Target.model_validate(data)


def test_host_is_this_machine(project: Path) -> None:
    catalog, here = load_catalog(), detect()
    target, profile = catalog.target("host"), catalog.profile("host")
    assert (target.arch, target.isa_features, target.threads) == (here.arch, here.isa_features, here.threads)
    assert target.memory.ram_bytes == profile.memory.ram_bytes == here.ram_bytes
    assert sum(cluster.cores for cluster in profile.cpu.clusters) == sum(c.cores for c in here.clusters)


def test_on_arm_openvino_builds_no_int8(tmp_path: Path) -> None:
    target = host_target(machine(tmp_path, "rk3588", "aarch64"))
    (openvino,) = (runtime for runtime in target.runtimes if runtime.id == "openvino")
    assert "int8" not in openvino.precisions
    assert openvino.note
    assert {runtime.int8_weight_bits for runtime in target.runtimes} == {8}


def test_with_vnni_weights_have_8_bits(tmp_path: Path) -> None:
    target = host_target(machine(tmp_path, "intel-n100", "x86_64"))
    assert {runtime.int8_weight_bits for runtime in target.runtimes} == {8}
    assert "int8" in next(runtime for runtime in target.runtimes if runtime.id == "openvino").precisions


def test_without_vnni_weights_have_7_bits(tmp_path: Path) -> None:
    target = host_target(machine(tmp_path, "haswell-virtual", "x86_64"))
    assert {runtime.int8_weight_bits for runtime in target.runtimes} == {7}


def test_on_32_bit_arm_openvino_is_left_out(tmp_path: Path) -> None:
    target = host_target(machine(tmp_path, "raspberry-pi-4-32bit", "armv7l"))
    assert "openvino" not in [runtime.id for runtime in target.runtimes]


@pytest.mark.parametrize(
    ("name", "arch"), [("rk3588", "aarch64"), ("haswell-virtual", "x86_64"), ("raspberry-pi-4", "aarch64")]
)
def test_profile_of_other_machines(tmp_path: Path, name: str, arch: str) -> None:
    found = machine(tmp_path, name, arch)
    data, problems = fill_in("profiles", host_file("profiles"), "host.toml", found)
    profile = Profile.model_validate(data)
    assert problems == []
    assert profile.soc == found.cpu
    assert [cluster.core for cluster in profile.cpu.clusters] == [cluster.core for cluster in found.clusters]


def test_stating_what_is_detected_is_a_problem(project: Path) -> None:
    write_target(project, "mine", profile='profile = "host"\ndetected = true')
    lines = check()[1]
    assert [line.split(": ")[1] for line in lines] == ["arch", "os", "isa_features", "threads", "memory"]
    assert all("detected = true reads it off the machine; leave it out" in line for line in lines)


def test_wrong_runtimes_of_a_detected_target_are_told_by_the_schema(project: Path) -> None:
    (project / "targets").mkdir()
    text = (bundled_folder() / "targets" / "host.toml").read_text()
    (project / "targets" / "host.toml").write_text(
        text.split("[[runtimes]]")[0] + 'runtimes = "all"\nsources = []\n'
    )
    (line,) = check()[1]
    assert "targets/host.toml: runtimes: input should be a valid tuple" in line


def test_on_amx_tiles_openvino_has_no_zero_points(tmp_path: Path) -> None:
    found = machine(tmp_path, "intel-n100", "x86_64")
    kinds = {runtime.id: runtime.int8_activations for runtime in host_target(found).runtimes}
    assert kinds["openvino"] == "uint8"
    tiles = replace(found, isa_features=(*found.isa_features, "amx-int8"))
    kinds = {runtime.id: runtime.int8_activations for runtime in host_target(tiles).runtimes}
    assert (kinds["openvino"], kinds["onnxruntime"]) == ("tiles", "uint8")
