"""Walk the bytes of a protobuf message before it is parsed: is it whole, and how much would it unfold to?

Parsing allocates some hundred bytes for an entry that takes two in the file, so that 100 MB could claim
5 GB. The walk stops at the first fault and at ``MAX_ENTRIES``, and so is bounded in time and memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

MAX_ENTRIES = 1_000_000
"""Messages and list items together; a graph of 10,000 operators has about 400,000."""
_VARINTS_AN_ENTRY = 128
"""A packed list of integers unfolds from one byte to eight a number; so many count as one entry."""
_MAX_DEPTH = 90
"""protobuf itself refuses to parse beyond 100."""

_Fields = dict[int, "tuple[FieldDescriptor, Descriptor | None]"]


class WireError(ValueError):
    """The bytes are no whole message of this type, or unfold to too much; the text says which and where."""


def check_wire(data: bytes, message: Descriptor) -> None:
    """Raise WireError unless ``data`` is one well-formed ``message`` of at most ``MAX_ENTRIES`` entries."""
    known: dict[str, _Fields] = {}
    todo: list[tuple[int, int, Descriptor, int]] = [(0, len(data), message, 0)]
    entries = 0
    while todo:
        position, end, descriptor, depth = todo.pop()
        if depth > _MAX_DEPTH:
            raise WireError(f"messages nested more than {_MAX_DEPTH} deep at byte {position:,}")
        fields = known.setdefault(descriptor.full_name, _fields(descriptor))
        while position < end:
            position, start, number, wire_type = _next_field(data, position, end)
            entries += 1
            if wire_type == 2 and number in fields:
                field, child = fields[number]
                if child is not None:
                    todo.append((start, position, child, depth + 1))
                else:
                    entries += _payload_entries(data, start, position, field)
            if entries > MAX_ENTRIES:
                raise WireError(f"more than {MAX_ENTRIES:,} entries: no graph of operators is that large")


def _fields(descriptor: Descriptor) -> _Fields:
    return {field.number: (field, field.message_type) for field in descriptor.fields}


def _payload_entries(data: bytes, start: int, end: int, field: FieldDescriptor) -> int:
    """Check a string's encoding; count what a packed list of integers unfolds to."""
    if field.type == field.TYPE_STRING:
        try:
            data[start:end].decode()
        except UnicodeDecodeError:
            raise WireError(f"'{field.name}' at byte {start:,} is not UTF-8 text") from None
    elif field.type not in (field.TYPE_BYTES, field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return (end - start) // _VARINTS_AN_ENTRY
    return 0


def _next_field(data: bytes, position: int, end: int) -> tuple[int, int, int, int]:
    """Where the field at ``position`` ends, where its payload begins, its number and its wire type."""
    begin = position
    tag, position = _varint(data, position, end)
    number, wire_type = tag >> 3, tag & 7
    if number == 0:
        raise WireError(f"no field has number 0 (byte {begin:,})")
    start = position
    if wire_type == 0:
        _, position = _varint(data, position, end)
    elif wire_type == 2:
        length, start = _varint(data, position, end)
        position = start + length
    elif wire_type in (1, 5):
        position += 8 if wire_type == 1 else 4
    else:
        raise WireError(f"wire type {wire_type} at byte {begin:,} is not used by ONNX")
    if position > end:
        raise WireError(f"the field at byte {begin:,} ends {position - end:,} bytes past its end")
    return position, start, number, wire_type


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise WireError(f"a number at byte {position:,} does not end")
