"""The reader of .safetensors files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.models.zoo.safetensors import read_safetensors

VALUES = np.arange(6, dtype="<f4")
HEADER = {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def file_of(path: Path, header: object, body: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_tensors_come_out(tmp_path: Path) -> None:
    read = read_safetensors(file_of(tmp_path / "w.safetensors", HEADER, VALUES.tobytes()))
    assert list(read) == ["w"]
    np.testing.assert_array_equal(read["w"], VALUES.reshape(2, 3))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data_offsets": [0, 28]}, "outside the file"),
        ({"data_offsets": [-8, 16]}, "outside the file"),
        ({"shape": [2, 4]}, "reshape"),
        ({"dtype": "F8_E5M2"}, "F8_E5M2"),
        ({"data_offsets": None}, "not a readable"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    header = {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changes}}
    with pytest.raises(ModelError, match=problem):
        read_safetensors(file_of(tmp_path / "w.safetensors", header, VALUES.tobytes()))


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x03\0\0\0\0\0\0\0[]!"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"w\.safetensors: not a readable"):
        read_safetensors(tmp_path / "w.safetensors")
