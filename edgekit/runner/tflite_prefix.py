"""Cut a .tflite file after one of its operators: the same file with fewer operators and other outputs.

A FlatBuffer is patched in place, no other package is needed: tables are found through their vtables as
https://flatbuffers.dev/internals describes, field numbers are those of TensorFlow Lite's schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_SUBGRAPHS, _SIGNATURES = 2, 7  # fields of Model
_OUTPUTS, _OPERATORS = 2, 3  # fields of SubGraph


def prefix(content: bytes, operators: int, outputs: Sequence[int]) -> bytes:
    """The model cut after its first ``operators`` operators, with the tensors ``outputs`` as its outputs.

    ``content`` is a sound .tflite file; its main graph is its first.
    """
    model = bytearray(content)
    root = _target(model, 0)
    subgraph = _target(model, _required(model, root, _SUBGRAPHS) + 4)
    struct.pack_into("<I", model, _required(model, subgraph, _OPERATORS), operators)
    signatures = _vector(model, root, _SIGNATURES)
    if signatures is not None:  # they name outputs that may be gone
        struct.pack_into("<I", model, signatures, 0)
    model += bytes(-len(model) % 4)
    field = _field(model, subgraph, _OUTPUTS)
    assert field is not None  # every graph has outputs
    struct.pack_into("<I", model, field, len(model) - field)
    model += struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
    return bytes(model)


def _target(model: bytearray, position: int) -> int:
    """What the offset at ``position`` points to."""
    return position + int(struct.unpack_from("<I", model, position)[0])


def _field(model: bytearray, table: int, number: int) -> int | None:
    """Where the table holds field ``number``; None where it is left out."""
    vtable = table - int(struct.unpack_from("<i", model, table)[0])
    entry = 4 + 2 * number
    if entry >= int(struct.unpack_from("<H", model, vtable)[0]):
        return None
    offset = int(struct.unpack_from("<H", model, vtable + entry)[0])
    return table + offset if offset else None


def _vector(model: bytearray, table: int, number: int) -> int | None:
    """Where the length of the vector in field ``number`` stands."""
    field = _field(model, table, number)
    return None if field is None else _target(model, field)


def _required(model: bytearray, table: int, number: int) -> int:
    vector = _vector(model, table, number)
    assert vector is not None
    return vector
