"""What a model file, or a licence file beside it, says of the licence."""

from __future__ import annotations

import re
from pathlib import Path

import onnx

from edgekit.models.tflite import TfliteGraph

_KEYS = ("license", "licence", "spdx", "spdx-license-identifier", "license_name", "model_license", "licenses")
_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING")
_MAX_BYTES = 65_536
_IN_TEXT = re.compile(r"(?:SPDX-License-Identifier|licen[cs]e)\s*[:=]\s*([^\n;,]{2,80})", re.IGNORECASE)
_MARKS = (
    ("Apache-2.0", r"Apache License\s+Version 2\.0"),
    ("AGPL-3.0-only", r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3"),
    ("LGPL-3.0-only", r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3"),
    ("GPL-3.0-only", r"GNU GENERAL PUBLIC LICENSE\s+Version 3"),
    ("GPL-2.0-only", r"GNU GENERAL PUBLIC LICENSE\s+Version 2"),
    ("MPL-2.0", r"Mozilla Public License,? Version 2\.0"),
    ("BSD-3-Clause", r"Redistribution and use in source and binary forms[\s\S]*Neither the name"),
    ("BSD-2-Clause", r"Redistribution and use in source and binary forms"),
    ("MIT", r"Permission is hereby granted, free of charge"),
    ("CC-BY-NC-4.0", r"Attribution-NonCommercial 4\.0"),
    ("CC-BY-4.0", r"(?:Creative Commons )?Attribution 4\.0"),
)


def find_licence(path: Path, graph: onnx.ModelProto | TfliteGraph) -> str | None:
    """The licence in the model's metadata, else in its description, else that of a LICENSE file beside it.

    An SPDX identifier where the text is a known one; else what stands there, shortened. None where nothing is.
    """
    stated = _onnx_statement(graph) if isinstance(graph, onnx.ModelProto) else _tflite_statement(graph)
    return _short(stated) if stated else _beside(path)


def _onnx_statement(model: onnx.ModelProto) -> str | None:
    entries = {entry.key.strip().lower(): entry.value for entry in model.metadata_props}
    for key in _KEYS:
        if entries.get(key, "").strip():
            return str(entries[key])
    found = _IN_TEXT.search(model.doc_string[:_MAX_BYTES]) or _IN_TEXT.search(
        model.graph.doc_string[:_MAX_BYTES]
    )
    return found.group(1) if found else None


def _tflite_statement(graph: TfliteGraph) -> str | None:
    found = _IN_TEXT.search(graph.description[:_MAX_BYTES])
    return graph.metadata_licence or (found.group(1) if found else None)


def _beside(path: Path) -> str | None:
    for name in _FILES:
        file = path.with_name(name)
        try:
            if not file.is_file():
                continue
            with file.open("rb") as stream:
                return _short(stream.read(_MAX_BYTES).decode(errors="replace"))
        except OSError:
            continue  # a licence that cannot be read is as good as none; the model itself was read
    return None


def _short(text: str) -> str | None:
    flat = re.sub(r"[ \t]+", " ", text)
    for spdx, mark in _MARKS:
        if re.search(mark, flat, re.IGNORECASE):
            return spdx
    lines = [line.strip() for line in flat.splitlines() if line.strip()]
    return lines[0][:80] if lines else None
