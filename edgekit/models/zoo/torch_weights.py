"""Read the tensors of a torch weights file without torch, and without running what a pickle may carry.

The format is torch's of before 1.6: five pickles (magic number, protocol, system facts, the state with references to
storages, the storages' keys), then each storage's length and raw little-endian values. Of all that a pickle can
name, this reader knows ``OrderedDict``, ``torch._utils._rebuild_tensor_v2`` and the storage types; the rest is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgekit.errors import ModelError

Array = npt.NDArray[Any]
_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_OPCODES = frozenset({
    "PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND",
    "APPENDS", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE",
})  # fmt: skip
_MEMO_LIMIT = 1_000_000
# what C's unpickler raises on bytes that are no pickle, beside what we raise
_DAMAGE = (
    pickle.UnpicklingError, ValueError, EOFError, LookupError, TypeError, AttributeError, OverflowError, MemoryError,
    RecursionError,
)  # fmt: skip


class _Storage(NamedTuple):
    key: str
    dtype: str
    elements: int


class _View(NamedTuple):
    """A tensor: part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Dictionary(dict[Any, Any]):
    """For OrderedDict, on which torch sets version facts that nobody needs here."""

    def __setstate__(self, state: object) -> None: ...


class _Rebuild:
    """For torch's function of this name; nothing can be set on it."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> _View:
        return _view(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("sets the state of a function")


class RestrictedUnpickler(pickle.Unpickler):
    """Builds dictionaries of tensor views and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dictionary
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"names {module}.{name}, which no tensor needs")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(elements), None) if elements >= 0:
                return _Storage(key, dtype, elements)
        raise pickle.UnpicklingError("refers to something that is no storage")


def _load(file: io.BufferedReader) -> Any:
    """The next pickle of the file, after a look at each of its instructions."""
    start = file.tell()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"uses {opcode.name}, which no tensor needs")
        # the unpickler makes room for every memo number up to the largest
        if opcode.name == "LONG_BINPUT" and (argument or 0) > _MEMO_LIMIT:
            raise pickle.UnpicklingError("asks for a huge memo")
    file.seek(start)
    return RestrictedUnpickler(file).load()


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    view = _View(storage, offset, tuple(shape), tuple(strides))
    numbers: Sequence[object] = (offset, *view.shape, *view.strides)
    if not isinstance(storage, _Storage) or len(view.shape) != len(view.strides):
        raise pickle.UnpicklingError("has a tensor without storage or shape")
    if not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise pickle.UnpicklingError("has a tensor with a negative or broken shape")
    return view


def read_torch_weights(path: Path) -> dict[str, Array]:
    """The tensors by name; ModelError where the file is no such file or names anything but tensors."""
    with path.open("rb") as file:
        try:
            magic, _protocol, _system, state, keys = (_load(file) for _ in range(5))
            if magic != _MAGIC or not isinstance(state, dict) or not isinstance(keys, list):
                raise ValueError("is no torch weights file")
            views = {str(name): value for name, value in state.items() if isinstance(value, _View)}
            storages = _read_storages(file, keys, {view.storage.key: view.storage for view in views.values()})
            return {name: _array(view, storages[view.storage.key]) for name, view in views.items()}
        except _DAMAGE as error:
            raise ModelError(
                f"{path}: refused: {error or 'damaged'}; torch weights are read as tensors only"
            ) from error


def _read_storages(file: io.BufferedReader, keys: list[Any], known: dict[str, _Storage]) -> dict[str, Array]:
    """Storages follow in the order of ``keys``, each with its number of elements before it."""
    return {key: _read_storage(file, known[key]) for key in keys}


def _read_storage(file: io.BufferedReader, storage: _Storage) -> Array:
    elements = int.from_bytes(file.read(8), "little")
    if elements != storage.elements:
        raise ValueError(f"storage {storage.key} has {elements} elements, announced were {storage.elements}")
    raw = file.read(elements * np.dtype(storage.dtype).itemsize)
    return np.frombuffer(raw, storage.dtype, count=elements)


def _array(view: _View, values: Array) -> Array:
    last = view.offset + sum((n - 1) * stride for n, stride in zip(view.shape, view.strides, strict=True))
    # as many values as the storage has, at most: stride 0 could ask for any number
    if 0 not in view.shape and (last >= len(values) or math.prod(view.shape) > len(values)):
        raise ValueError("has a tensor that reaches beyond its storage")
    strides = [stride * values.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(values[view.offset :], view.shape, strides).copy()
