"""Fill in what a file with ``detected = true`` leaves to the machine edgekit runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from edgekit.catalog.files import Kind
from edgekit.host import Machine, detect

_READ_OFF: Mapping[Kind, tuple[str, ...]] = {
    "targets": ("arch", "os", "isa_features", "threads", "memory"),
    "profiles": ("soc", "cpu", "memory"),
    "converters": (),
}
_machine = cache(detect)  # processors do not change while we run


def fill_in(kind: Kind, data: Any, where: str, machine: Machine | None = None) -> tuple[Any, list[str]]:
    """Return ``data`` with this machine's facts where it asks for them, and one line per key that is in the way."""
    if not isinstance(data, dict) or data.get("detected") is not True:
        return data, []
    stated = [key for key in _READ_OFF[kind] if key in data]
    problems = [f"{where}: {key}: detected = true reads it off the machine; leave it out" for key in stated]
    found = machine or _machine()
    facts = _target_facts(found) if kind == "targets" else _profile_facts(found)
    merged = {**data, **facts}
    if kind == "targets":
        merged["runtimes"] = _runtimes(data.get("runtimes"), found)
    return merged, problems


def _target_facts(machine: Machine) -> dict[str, Any]:
    return {
        "arch": machine.arch,
        "os": "linux",
        "isa_features": machine.isa_features,
        "threads": machine.threads,
        "memory": {"ram_bytes": machine.ram_bytes},
    }


def _profile_facts(machine: Machine) -> dict[str, Any]:
    clusters = [
        {key: value for key, value in asdict(cluster).items() if value is not None}
        for cluster in machine.clusters
    ]
    return {
        "soc": machine.cpu,
        "cpu": {"clusters": clusters, "isa_features": machine.isa_features, "l3_bytes": machine.l3_bytes},
        "memory": {"ram_bytes": machine.ram_bytes, "type": "unknown"},
    }


def _runtimes(runtimes: Any, machine: Machine) -> Any:
    """The entries that hold on this architecture, with weights of 7 bits where products of 8 saturate.

    OpenVINO's convolutions on AMX tiles take no zero points: with them it falls back on kernels that take up to 1.3 of the
    time (docs/decisions/0012-quantization-engine.md).
    """
    if not isinstance(runtimes, list) or not all(isinstance(entry, dict) for entry in runtimes):
        return runtimes  # the schema says what is wrong with it
    bits = {} if machine.exact_int8 else {"int8_weight_bits": 7}
    tiles = {"int8_activations": "tiles"} if "amx-int8" in machine.isa_features else {}
    return [
        {**entry, **bits, **(tiles if entry.get("id") == "openvino" else {})}
        for entry in runtimes
        if entry.get("arch", machine.arch) == machine.arch
    ]
