"""Read a .safetensors file: a JSON header of names, dtypes, shapes and offsets, then the raw values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.errors import ModelError

_DTYPES = {"F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
_HEADER_LIMIT = 16 * 2**20


def read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors by name; ModelError where the file is damaged or has another dtype than this reader knows."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    try:
        if not 0 < length <= min(_HEADER_LIMIT, len(raw) - 8):
            raise ValueError("its header is longer than the file")
        header = json.loads(raw[8 : 8 + length])
        body = memoryview(raw)[8 + length :]
        return {name: _tensor(body, facts) for name, facts in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not a readable .safetensors file: {error}") from error


def _tensor(body: memoryview, facts: dict[str, Any]) -> npt.NDArray[Any]:
    start, end = facts["data_offsets"]
    if not 0 <= start <= end <= len(body):
        raise ValueError("a tensor lies outside the file")
    return np.frombuffer(body[start:end], _DTYPES[facts["dtype"]]).reshape(facts["shape"])
