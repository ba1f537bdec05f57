"""A project folder with targets and converters of its own, as a user would add them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path

from edgekit.catalog import Catalog, load_catalog
from edgekit.conversion.convert import Conversion
from edgekit.host import detect

_TARGET = """\
schema = 1
id = "{id}"
name = "A board"
summary = "For tests"
arch = "{arch}"
os = "linux"
isa_features = {features}
profile = "host"
threads = 1

[memory]
ram_bytes = 8_000_000_000

[[runtimes]]
id = "{runtime}"
formats = ["{format}"]
precisions = [{precisions}]
int8_weight_bits = {weight_bits}
{more}

[[sources]]
facts = ["threads", "memory.ram_bytes"]
title = "A page"
where = "somewhere"
basis = "vendor-page"
"""
_CONVERTER = """\
schema = 1
id = "{id}"
name = "A tool"
summary = "For tests"
accepts = "{accepts}"
emits = "{emits}"
{runtime}
{variants}
[environment]
kind = "core"
imports = ["{imports}"]

[limits]
timeout_s = 60
memory_bytes = 4_294_967_296

[operators]
supported = {supported}
source = "nobody"
"""
INT8 = 'precision = "int8"\nquantized_by = "edgekit"\nneeds_calibration = true\n'
FP32 = 'precision = "fp32"\n'
NEVER_RUN = "def convert(request):\n    raise ValueError('not for use')\n"
HERE = detect().arch
ELSEWHERE = "armv7l"


def write_target(
    project: Path,
    id_: str,
    *,
    arch: str = HERE,
    runtime: str = "onnxruntime",
    format_: str = "onnx",
    precisions: tuple[str, ...] = ("fp32", "int8"),
    more: str = "",
) -> None:
    """A target that runs here unless ``arch`` says otherwise."""
    quoted = ", ".join(f'"{precision}"' for precision in precisions)
    machine = detect()
    text = _TARGET.format(
        id=id_,
        arch=arch,
        runtime=runtime,
        format=format_,
        precisions=quoted,
        more=more,
        features=json.dumps(machine.isa_features if arch == HERE else []),
        weight_bits=8 if machine.exact_int8 or arch != HERE else 7,
    )
    folder = project / "targets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{id_}.toml").write_text(text)


def write_converter(
    project: Path,
    id_: str,
    *variants: str,
    accepts: str = "onnx",
    emits: str = "onnx",
    runtime: str | None = "onnxruntime",
    imports: str = "json",
    supported: str = '"all"',
    worker: str = NEVER_RUN,
) -> Path:
    """A converter; ``worker`` is its code, with ``convert(request)``."""
    folder = project / "converters" / id_
    folder.mkdir(parents=True, exist_ok=True)
    tables = "".join(f"\n[[variants]]\n{variant}" for variant in variants)
    text = _CONVERTER.format(
        id=id_,
        accepts=accepts,
        emits=emits,
        runtime=f'runtime = "{runtime}"' if runtime else "",
        variants=tables,
        imports=imports,
        supported=supported,
    )
    (folder / "converter.toml").write_text(text)
    (folder / "worker.py").write_text(textwrap.dedent(worker))
    return folder


def only(*converters: str) -> Catalog:
    """The catalog of the current folder with these converters alone."""
    catalog = load_catalog()
    return replace(catalog, converters={name: catalog.converter(name) for name in converters})


def reasons(found: Conversion) -> dict[str, str]:
    """Why each candidate was not kept, by its label."""
    return {
        " ".join(filter(None, (item.converter, item.precision, item.variant))): item.reason
        for item in (*found.dropped, *found.beaten)
    }
