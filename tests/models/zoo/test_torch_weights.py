"""The reader of torch weights: right on tensors, deaf to everything else."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.models.zoo.torch_weights import read_torch_weights

MAGIC = 0x1950A86A20F9469CFC6C


class Storage:
    """Stands for a torch storage while a file is written."""

    def __init__(self, kind: str, key: str, values: np.ndarray[Any, Any]) -> None:
        self.kind, self.key, self.values = kind, key, values


class TensorStub:
    """Pickles the way a torch tensor does."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: object) -> None:
        hooks: OrderedDict[str, object] = OrderedDict()
        self.arguments = (storage, offset, shape, strides, False, hooks)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        rebuild: Callable[..., object] = sys.modules["torch._utils"].__dict__["_rebuild_tensor_v2"]
        return rebuild, self.arguments


class TorchPickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        if not isinstance(obj, Storage):
            return None
        kind = sys.modules["torch"].__dict__[obj.kind]
        return ("storage", kind, obj.key, "cpu", len(obj.values), None)


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of torch's names, so that pickle can write references to them; nothing of torch is in them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        torch.__dict__[kind] = type(kind, (), {"__module__": "torch"})

    def _rebuild_tensor_v2(*_: object) -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils.__dict__["_rebuild_tensor_v2"] = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def write(path: Path, state: object, storages: list[Storage], *, magic: object = MAGIC, cut: int = 0) -> Path:
    file = io.BytesIO()
    for part in (magic, 1001, {"little_endian": True}, state, [storage.key for storage in storages]):
        TorchPickler(file, protocol=2).dump(part)
    for storage in storages:
        file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
    path.write_bytes(file.getvalue()[: -cut or None])
    return path


FLOATS = Storage("FloatStorage", "1", np.arange(12, dtype=np.float32))


@pytest.mark.usefixtures("torch_names")
def test_tensors_come_out_with_shape_offset_and_strides(tmp_path: Path) -> None:
    longs = Storage("LongStorage", "2", np.array([7], np.int64))
    state = OrderedDict(
        plain=TensorStub(FLOATS, 0, (3, 4), (4, 1)),
        turned=TensorStub(FLOATS, 0, (4, 3), (1, 4)),
        part=TensorStub(FLOATS, 8, (4,), (1,)),
        steps=TensorStub(longs, 0, (), ()),
    )
    read = read_torch_weights(write(tmp_path / "w.pth", state, [FLOATS, longs]))
    np.testing.assert_array_equal(read["plain"], np.arange(12, dtype=np.float32).reshape(3, 4))
    np.testing.assert_array_equal(read["turned"], read["plain"].T)
    np.testing.assert_array_equal(read["part"], [8, 9, 10, 11])
    assert read["steps"].dtype == np.int64
    assert read["steps"].item() == 7


class Attack:
    """Makes a file called ``pwned`` if it is ever loaded."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize("place", ["magic", "state", "tensor"])
@pytest.mark.parametrize("call", [os.system, eval, getattr, __import__], ids=lambda call: call.__name__)
def test_nothing_that_a_pickle_names_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: Callable[..., object]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = {"system": ("touch pwned",), "eval": ("open('pwned', 'w')",), "getattr": (os, "system")}
    if call is getattr:
        monkeypatch.setattr(pickle, "whichmodule", lambda *_: "builtins")
        attack = Attack(call, "text", "upper")
    else:
        attack = Attack(call, *arguments.get(call.__name__, ("os",)))
    state: object = {"w": attack} if place == "state" else {"w": TensorStub(FLOATS, 0, (12,), (1,))}
    if place == "tensor":
        state = {"w": TensorStub(FLOATS, 0, (12,), attack)}
    file = write(tmp_path / "w.pth", state, [FLOATS], magic=attack if place == "magic" else MAGIC)
    with pytest.raises(ModelError, match=r"refused: names \w+\.\w+, which no tensor needs"):
        read_torch_weights(file)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize(
    ("tensor", "problem"),
    [
        (TensorStub(FLOATS, 0, (13,), (1,)), "beyond its storage"),
        (TensorStub(FLOATS, 11, (2,), (1,)), "beyond its storage"),
        (TensorStub(FLOATS, 0, (2, 2), (10**9, 1)), "beyond its storage"),
        (TensorStub(FLOATS, 0, (10**9,), (0,)), "beyond its storage"),
        (TensorStub(FLOATS, -4, (2,), (1,)), "negative or broken shape"),
        (TensorStub(FLOATS, 0, (2,), (-1,)), "negative or broken shape"),
        (TensorStub(FLOATS, 0, (2,), ()), "without storage or shape"),
        (
            TensorStub(Storage("HalfStorage", "1", np.zeros(12, np.float16)), 0, (1,), (1,)),
            "torch.HalfStorage",
        ),
    ],
)
def test_tensors_that_reach_elsewhere_are_refused(tmp_path: Path, tensor: TensorStub, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        read_torch_weights(write(tmp_path / "w.pth", {"w": tensor}, [FLOATS]))


def test_a_pickle_cannot_reach_into_the_reader(tmp_path: Path) -> None:
    # GLOBAL, EMPTY_DICT, BUILD: would update the function's attributes
    (tmp_path / "w.pth").write_bytes(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}b.")
    with pytest.raises(ModelError, match="sets the state of a function"):
        read_torch_weights(tmp_path / "w.pth")


def test_a_huge_memo_is_refused_before_room_is_made(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    with pytest.raises(ModelError, match="huge memo"):
        read_torch_weights(tmp_path / "w.pth")


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize("cut", [1, 40, 60, 200])
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    file = write(tmp_path / "w.pth", {"w": TensorStub(FLOATS, 0, (12,), (1,))}, [FLOATS], cut=cut)
    with pytest.raises(ModelError, match=r"w\.pth: refused"):
        read_torch_weights(file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not this format", b"\x80\x02N."])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"w\.pth: refused"):
        read_torch_weights(tmp_path / "w.pth")


@pytest.mark.usefixtures("torch_names")
@pytest.mark.filterwarnings(
    "ignore:invalid escape sequence:DeprecationWarning"
)  # by pickletools, of damaged strings
def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    file = write(tmp_path / "w.pth", {"w": TensorStub(FLOATS, 0, (3, 4), (4, 1))}, [FLOATS])
    sound, dice, refused = file.read_bytes(), random.Random(7), 0
    for _ in range(1500):
        broken = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        file.write_bytes(broken)
        try:
            read_torch_weights(file)
        except ModelError:
            refused += 1
    assert refused > 500
