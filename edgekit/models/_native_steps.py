"""Run in a process of its own: the steps that hand a model of unknown origin to compiled code.

Started as a script, with the folder of onnx and the folders to import from as arguments. stdin carries frames
of a step's name and a model, stdout the answers in the same order: ``ok`` and bytes, or ``error`` and a text.
A frame is two pieces, a piece its length as eight bytes and then its content.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import types
from typing import Any

_MEMORY_BYTES = 8 * 2**30
"""Address space; a model is at most two GiB, and is copied up to three times."""


def main(onnx_folder: str, *import_folders: str) -> None:
    """Answer every frame of stdin, one after the other."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sys.path.extend(import_folders)
    # the package stays unimported, only its compiled part is used: that starts ten times as fast
    onnx = types.ModuleType("onnx")
    onnx.__path__ = [onnx_folder]
    sys.modules["onnx"] = onnx
    # libraries print to stdout, where only frames may go
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while name := _read_piece():
        for piece in _answer(name.decode(), _read_piece()):
            answers.write(struct.pack("<q", len(piece)) + piece)
        answers.flush()


def _read_piece() -> bytes:
    length = sys.stdin.buffer.read(8)
    return sys.stdin.buffer.read(struct.unpack("<q", length)[0]) if length else b""


def _answer(name: str, model: bytes) -> tuple[bytes, bytes]:
    # whatever compiled code raises says something of the model, and this process serves nothing else
    try:
        return b"ok", _STEPS[name](model)
    except Exception as error:  # noqa: BLE001
        return b"error", f"{error}".encode()


def _infer(model: bytes) -> bytes:
    """Types and shapes where they can be told, with values followed through shape arithmetic."""
    from onnx.onnx_cpp2py_export import shape_inference

    return _bytes(shape_inference.infer_shapes(model, False, False, True))


def _infer_strictly(model: bytes) -> bytes:
    """Nothing where types and shapes agree."""
    from onnx.onnx_cpp2py_export import shape_inference

    shape_inference.infer_shapes(model, True, True, True)
    return b""


def _check(model: bytes) -> bytes:
    """Nothing where every operator has the inputs and attributes it needs."""
    from onnx.onnx_cpp2py_export import checker

    checker.check_model(model, False, False, False)
    return b""


def _inline(model: bytes) -> bytes:
    """The model with its functions replaced by their bodies."""
    from onnx.onnx_cpp2py_export import inliner

    return _bytes(inliner.inline_local_functions(model, False))


def _upgrade(model: bytes) -> bytes:
    """The model at opset 17."""
    from onnx.onnx_cpp2py_export import version_converter

    return _bytes(version_converter.convert_version(model, 17))


def _evaluate(model: bytes) -> bytes:
    """The outputs of a model without inputs, as an .npz archive."""
    del sys.modules["onnx"]
    import io

    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **{f"{i}": v for i, v in enumerate(session.run(names, {}))})
    return archive.getvalue()


def _bytes(answer: Any) -> bytes:
    return bytes(answer)


_STEPS = {
    "check": _check,
    "evaluate": _evaluate,
    "infer": _infer,
    "infer-strictly": _infer_strictly,
    "inline": _inline,
    "upgrade": _upgrade,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
