"""Small valid files of the catalog to spoil."""

from __future__ import annotations

from pathlib import Path

TARGET = """\
schema = 1
id = "{id}"
name = "A board"
summary = "For tests"
arch = "aarch64"
os = "linux"
isa_features = ["neon"]
profile = "{id}"
threads = 2

[memory]
ram_bytes = 1_000_000

[[runtimes]]
id = "onnxruntime"
formats = ["onnx"]
precisions = ["fp32", "int8"]

[[sources]]
facts = ["threads", "memory.ram_bytes"]
title = "A page"
where = "somewhere"
basis = "vendor-page"
"""
PROFILE = """\
schema = 1
id = "{id}"
name = "A board"
soc = "A chip"

[cpu]
isa_features = ["neon", "fp16"]

[[cpu.clusters]]
core = "Cortex-A76"
cores = 2
clock_hz = 1_000_000_000

[memory]
ram_bytes = 1_000_000
type = "LPDDR4X"
transfers_per_s = 4_000_000_000
bus_bits = 32
bandwidth_bytes_per_s = 16_000_000_000

[[sources]]
facts = ["cpu", "memory"]
title = "A page"
where = "somewhere"
basis = "vendor-page"
"""
CONVERTER = """\
schema = 1
id = "{id}"
name = "A tool"
summary = "For tests"
accepts = "onnx"
emits = "rknn"
runtime = "rknn"

[[variants]]
precision = "fp16"

[environment]
kind = "core"
imports = ["json"]

[limits]
timeout_s = 10
memory_bytes = 1_000_000

[operators]
supported = "all"
source = "the tool's documentation"
"""


def write_target(folder: Path, name: str, **replaced: str) -> Path:
    """``folder/targets/<name>.toml``; ``replaced`` are keys of the file -> whole new line, or "" for none."""
    return _write(folder / "targets" / f"{name}.toml", TARGET.format(id=name), replaced)


def write_profile(folder: Path, name: str, **replaced: str) -> Path:
    return _write(folder / "profiles" / f"{name}.toml", PROFILE.format(id=name), replaced)


def write_converter(folder: Path, name: str, **replaced: str) -> Path:
    path = _write(folder / "converters" / name / "converter.toml", CONVERTER.format(id=name), replaced)
    path.with_name("worker.py").write_text("def convert(request): ...\n")
    return path


def write_board(folder: Path, name: str) -> tuple[Path, Path]:
    """A target and its profile."""
    return write_target(folder, name), write_profile(folder, name)


def _write(path: Path, text: str, replaced: dict[str, str]) -> Path:
    lines = text.splitlines()
    for key, line in replaced.items():
        place = next(index for index, old in enumerate(lines) if old.startswith(f"{key} ="))
        lines[place] = line
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
