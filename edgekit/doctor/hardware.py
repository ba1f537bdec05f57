"""Processor, memory and disk: what int8 means here, whether times can be trusted, whether there is room."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from edgekit.doctor.finding import Finding
from edgekit.host import Fitness, Machine

_TOPIC = "machine"
_GIB = 2**30
# an isolated environment with its packages, and the models of the zoo with their archives
_ROOM_BYTES = 3 * _GIB
# calibrating a model of some ten million weights on some ten samples
_WORK_BYTES = 2 * _GIB


def cpu_findings(machine: Machine) -> Iterator[Finding]:
    features = ", ".join(machine.isa_features) or "none that matter here"
    detail = f"{machine.cpu}; {machine.threads} usable cores; {machine.arch}: {features}"
    yield Finding(topic=_TOPIC, name="processor", status="ok", detail=detail)
    yield _int8(machine)


def _int8(machine: Machine) -> Finding:
    if machine.arch != "x86_64":
        dot = (
            "with dot products"
            if "dotprod" in machine.isa_features
            else "without dot products: less is gained"
        )
        return Finding(topic=_TOPIC, name="int8", status="ok", detail=f"exact, {dot}")
    if machine.exact_int8:
        detail = "VNNI: u8 x s8 is summed exactly, and int8 is fast"
        return Finding(topic=_TOPIC, name="int8", status="ok", detail=detail)
    return Finding(
        topic=_TOPIC,
        name="int8",
        status="warning",
        detail="no VNNI: sums of two u8 x s8 products saturate in 16 bits, and full-range int8 answers wrongly",
        next_step="nothing to install: target 'host' asks for 7-bit weights, and convert checks every artifact",
    )


def fitness_findings(fitness: Fitness) -> Iterator[Finding]:
    governor = ", ".join(fitness.governors) or "no frequency driver"
    conditions = f"load {fitness.load_average_1m:.1f} on {fitness.cores} cores, governor: {governor}"
    disturbed = fitness.disturbances
    yield Finding(
        topic=_TOPIC,
        name="measuring",
        status="warning" if disturbed else "ok",
        detail=f"times will be noisy: {'; '.join(disturbed)}" if disturbed else conditions,
        next_step=_steady(fitness) if disturbed else None,
    )


def _steady(fitness: Fitness) -> str:
    if any(name != "performance" for name in fitness.governors):
        return "sudo cpupower frequency-set -g performance; end other work; compare ratios of one run"
    return "end other work, and compare ratios measured in one run rather than times"


def memory_findings(available_bytes: int, total_bytes: int) -> Iterator[Finding]:
    enough = available_bytes >= _WORK_BYTES
    yield Finding(
        topic=_TOPIC,
        name="memory",
        status="ok" if enough else "warning",
        detail=f"{available_bytes / _GIB:.1f} of {total_bytes / _GIB:.1f} GiB available",
        next_step=None if enough else "end other work, or give --calib a smaller folder",
    )


def disk_findings(cache: Path) -> Iterator[Finding]:
    """Whether the cache folder, or the nearest folder above it that exists, can be written and has room."""
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK) or not there.is_dir():
        yield Finding(
            topic=_TOPIC,
            name="cache folder",
            status="missing",
            detail=f"{cache} cannot be written",
            next_step="export EDGEKIT_CACHE=/a/folder/of/yours",
            essential=True,
        )
        return
    enough = free >= _ROOM_BYTES
    yield Finding(
        topic=_TOPIC,
        name="cache folder",
        status="ok" if enough else "warning",
        detail=f"{cache}: {free / _GIB:.1f} GiB free",
        next_step=None if enough else "make room, or export EDGEKIT_CACHE=/a/folder/elsewhere",
    )


def available_memory() -> int:
    return int(psutil.virtual_memory().available)
