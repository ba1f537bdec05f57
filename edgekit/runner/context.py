"""The conditions under which a measurement is taken; without them no number means anything."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

# Linux' name of a CPU feature -> ours
_X86 = {
    "sse4_2": "sse4.2", "avx": "avx", "avx2": "avx2", "fma": "fma", "f16c": "f16c", "avx_vnni": "avx-vnni",
    "avx512f": "avx512f", "avx512_vnni": "avx512-vnni", "avx512_bf16": "avx512-bf16", "amx_int8": "amx-int8",
}  # fmt: skip
_ARM = {
    "neon": "neon", "asimd": "neon", "asimdhp": "fp16", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16",
    "sve": "sve",
}  # fmt: skip


def read_context(threads: int) -> dict[str, object]:
    """Facts of this machine and this moment; None where the system does not tell."""
    cpuinfo = _read("/proc/cpuinfo") or ""
    return {
        "machine": _machine(),
        "arch": platform.machine(),
        "cpu": _cpu(cpuinfo),
        "isa_features": _features(cpuinfo),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average_1m": _load(),
        "temperature_c": _temperature(),
        "os": _os_name(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "ram_bytes": _ram_bytes(),
    }


def busy_ms() -> float:
    """Processor time that the whole machine has spent since its start, in steps of 10 ms; 0 where it is secret."""
    first = (_read("/proc/stat") or "").partition("\n")[0].split()[1:]
    ticks = [int(value) for value in first]
    # user, nice, system, -, -, irq, softirq, steal
    busy = sum(ticks[index] for index in (0, 1, 2, 5, 6, 7) if index < len(ticks))
    return busy * 1000 / os.sysconf("SC_CLK_TCK")


def age_ms() -> float:
    """Time since this process was started, in steps of 10 ms; 0 where the system does not tell."""
    fields = (_read("/proc/self/stat") or "").rpartition(")")[2].split()
    if len(fields) < 20 or not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_s) * 1000


def _machine() -> str:
    for path in ("/proc/device-tree/model", "/sys/class/dmi/id/product_name"):
        name = _read(path)
        if name:
            return name.rstrip("\0")
    return platform.machine()


def _cpu(cpuinfo: str) -> str:
    fields = _fields(cpuinfo)
    if "model name" in fields:
        return fields["model name"]
    if "CPU part" in fields:
        return f"Arm implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return platform.processor() or platform.machine()


def _features(cpuinfo: str) -> list[str]:
    fields = _fields(cpuinfo)
    known = {**_X86, **_ARM}
    listed = fields.get("flags", fields.get("Features", "")).split()
    return sorted({known[flag] for flag in listed if flag in known})


def _fields(cpuinfo: str) -> dict[str, str]:
    """The first processor's block, and keys that stand only in later ones."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _ram_bytes() -> int | None:
    text = _fields(_read("/proc/meminfo") or "").get("MemTotal")
    return int(text.split()[0]) * 1024 if text else None


def _load() -> float | None:
    text = _read("/proc/loadavg")
    return float(text.split()[0]) if text else None


def _temperature() -> float | None:
    text = _read("/sys/class/thermal/thermal_zone0/temp")
    return int(text) / 1000 if text else None


def _os_name() -> str:
    for line in (_read("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
