"""Take a model file off the disk; say what it is when it is no model."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path

from edgekit.errors import ModelError

MAX_FILE_BYTES = 2**31 - 1
"""No protobuf message and no flatbuffer can be longer."""

_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (PyTorch's .pt and .pth files are): export the model to ONNX"),
    (b"\x80\x02", "a Python pickle: export the model to ONNX"),
    (b"\x80\x04", "a Python pickle: export the model to ONNX"),
    (b"\x89HDF", "an HDF5 file (Keras): convert the model to TFLite or ONNX"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"GGUF", "a GGUF file: export the model to ONNX"),
    (b"RKNN", "an RKNN artifact: give the ONNX model it was made of"),
    (b"\x7fELF", "a program or library"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"version https://git-lfs", "a Git LFS pointer, not the model: fetch it with 'git lfs pull'"),
)
_TEXTS = (
    (b"<!doctype html", "an HTML page: the download went wrong, fetch the file again"),
    (b"<html", "an HTML page: the download went wrong, fetch the file again"),
    (b"<net", "an OpenVINO IR: give the ONNX model it was made of"),
    (b"<?xml", "an XML file: give the ONNX model it was made of"),
)
_TEXT_BYTES = frozenset(b"\t\n\r") | frozenset(range(0x20, 0x7F))


def read_model_file(path: Path) -> bytes:
    """The content of ``path``; ModelError where it is absent, no plain file, empty, too long or no model."""
    try:
        _check_kind(path, path.stat())
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file{_near_miss(path)}") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ModelError(f"{str(path)!r}: not a file name") from None
    if nature := other_nature(content):
        raise ModelError(f"{path}: not a model but {nature}")
    return content


def other_nature(content: bytes) -> str | None:
    """What ``content`` is, with what to do, where it is known to be neither ONNX nor TFLite; else None."""
    for signature, nature in _SIGNATURES:
        if content.startswith(signature):
            return nature
    if content[4:8] == b"ORTM":
        return "an .ort artifact of onnxruntime: give the ONNX model it was made of"
    start = content[:512].lstrip().lower()
    for signature, nature in _TEXTS:
        if start.startswith(signature):
            return nature
    if len(content) >= 16 and _TEXT_BYTES.issuperset(content[:512]):
        return "plain text: give a binary .onnx or .tflite file"
    return None


def _check_kind(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        inside = [entry.name for entry in sorted(path.iterdir()) if entry.suffix in (".onnx", ".tflite")]
        hint = f"give the file inside, e.g. {path / inside[0]}" if inside else "give an .onnx or .tflite file"
        raise ModelError(f"{path}: a directory; {hint}")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path}: not a regular file; give an .onnx or .tflite file")
    if status.st_size == 0:
        raise ModelError(f"{path}: the file is empty; fetch or export it again")
    if status.st_size > MAX_FILE_BYTES:
        raise ModelError(
            f"{path}: {status.st_size:,} bytes, but an ONNX or TFLite file holds at most {MAX_FILE_BYTES:,}; "
            "keep the weights of a large ONNX model as external data"
        )


def _near_miss(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the folder {path.parent} does not exist"
    names = [entry.name for entry in path.parent.iterdir() if entry.suffix in (".onnx", ".tflite")]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""
