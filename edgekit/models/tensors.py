"""Is a constant of an ONNX file as long as its shape says? Where is external data, and may it be read?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx

from edgekit.errors import ModelError
from edgekit.models.dtypes import MAX_ELEMENTS, ONNX_DTYPES, packed_bytes
from edgekit.models.files import MAX_FILE_BYTES

_TYPED_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
_FIELD_OF = {"float32": 0, "complex64": 0, "string": 2, "int64": 3, "float64": 4, "complex128": 4}
_FIELD_OF |= {"uint32": 5, "uint64": 5}
_INT32_DATA = 1


def constant_bytes(tensor: onnx.TensorProto) -> int:
    """Bytes of the values of a constant that was checked."""
    return packed_bytes(tensor.dims, ONNX_DTYPES[tensor.data_type][1])


def shape_problem(shape: Iterable[int]) -> str | None:
    """What is wrong with the dimensions of a tensor whose size must be known; None where nothing is."""
    dims = list(shape)
    if any(side < 0 for side in dims):
        return f"its shape {dims} has a negative dimension"
    if math.prod(dims) > MAX_ELEMENTS:
        return f"its shape {dims} asks for more than {MAX_ELEMENTS:,} elements, which no device holds"
    return None


def tensor_problem(tensor: onnx.TensorProto) -> str | None:
    """What is wrong with a constant whose data is in the file; None where nothing is."""
    if tensor.data_type not in ONNX_DTYPES:
        return f"its element type {tensor.data_type} is unknown"
    if problem := shape_problem(tensor.dims):
        return problem
    name, bits = ONNX_DTYPES[tensor.data_type]
    if tensor.raw_data:
        if name == "string":
            return "strings cannot be raw data"
        return _length_problem(tensor, len(tensor.raw_data), packed_bytes(tensor.dims, bits), "bytes")
    field = _TYPED_FIELDS[_FIELD_OF.get(name, _INT32_DATA)]
    count = math.prod(tensor.dims) * (2 if name.startswith("complex") else 1)
    wanted = (count * bits + 7) // 8 if bits < 8 else count
    return _length_problem(tensor, len(getattr(tensor, field)), wanted, "values")


def _length_problem(tensor: onnx.TensorProto, found: int, wanted: int, unit: str) -> str | None:
    if found == wanted:
        return None
    return f"it holds {found:,} {unit}, but its shape {list(tensor.dims)} needs {wanted:,}"


def read_external(path: Path, tensors: Iterable[onnx.TensorProto]) -> tuple[Path, ...]:
    """Read the external data of ``tensors`` into them; return the files, sorted.

    ModelError where a location leaves the model's folder (absolute, ``..``, a link), the file is absent or
    shorter than declared, or everything together is too long for one file.
    """
    outside = [tensor for tensor in tensors if tensor.data_location == onnx.TensorProto.EXTERNAL]
    places = [_place(path, tensor) for tensor in outside]  # nothing is read before everything is checked
    total = sum(length for _, _, length in places)
    if total > MAX_FILE_BYTES:
        raise ModelError(
            f"{path}: {total:,} bytes of external data; edgekit handles up to {MAX_FILE_BYTES:,}"
        )
    for tensor, (file, offset, length) in zip(outside, places, strict=True):
        tensor.raw_data = _read(path, file, offset, length)
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    return tuple(sorted({file for file, _, _ in places}))


def _place(path: Path, tensor: onnx.TensorProto) -> tuple[Path, int, int]:
    """File, offset and length of the external data of ``tensor``."""
    where = f"{path}: external data of '{tensor.name}'"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if tensor.data_type not in ONNX_DTYPES or ONNX_DTYPES[tensor.data_type][0] == "string":
        raise ModelError(f"{where}: element type {tensor.data_type} cannot be stored outside the model")
    if problem := shape_problem(tensor.dims):
        raise ModelError(f"{where}: {problem}")
    file = _inside_folder(where, path, entries.get("location", ""))
    wanted = packed_bytes(tensor.dims, ONNX_DTYPES[tensor.data_type][1])
    offset = _number(where, entries, "offset", 0)
    length = _number(where, entries, "length", wanted)
    if length != wanted:
        raise ModelError(
            f"{where}: {length:,} bytes declared, but its shape {list(tensor.dims)} needs {wanted:,}"
        )
    size = file.stat().st_size
    if offset + length > size:
        raise ModelError(
            f"{where}: '{file.name}' is too short: {size:,} bytes, {offset + length:,} needed; fetch it again"
        )
    return file, offset, length


def _inside_folder(where: str, path: Path, location: str) -> Path:
    if not location or "\0" in location:
        raise ModelError(f"{where}: no file is named")
    parts = PurePosixPath(location).parts
    if PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive or ".." in parts:
        raise ModelError(f"{where}: '{location}' is outside the model's folder; that is never read")
    folder = path.parent.resolve()
    file = folder / location
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        raise ModelError(f"{where}: '{location}' is not beside the model; fetch it, too") from None
    if not real.is_relative_to(folder):
        raise ModelError(f"{where}: '{location}' is a link out of the model's folder; that is never read")
    if not real.is_file():
        raise ModelError(f"{where}: '{location}' is no regular file")
    return real


def _number(where: str, entries: dict[str, str], key: str, default: int) -> int:
    value = entries.get(key, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ModelError(f"{where}: {key} '{value[:30]}' is no number of bytes")
    return int(value)


def _read(path: Path, file: Path, offset: int, length: int) -> bytes:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)
    except OSError as error:
        raise ModelError(f"{path}: external data '{file.name}' cannot be read: {error.strerror}") from None
