"""Short ways to write ONNX graphs, run them, and damage them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
Side = int | str | None


def value(name: str, *shape: Side, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def untyped(name: str, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """An output whose shape the file does not state."""
    return helper.make_tensor_value_info(name, dtype, None)


def node(op: str, inputs: str, outputs: str, name: str | None = None, **attributes: Any) -> onnx.NodeProto:
    """Names separated by blanks; ``-`` is an input left out. Named after its first output unless told."""
    sources = ["" if word == "-" else word for word in inputs.split()]
    results = outputs.split()
    return helper.make_node(op, sources, results, results[0] if name is None else name, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    ir: int = 8,
    domains: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), tensors)
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(*item) for item in (domains or {}).items()),
    ]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir)


def relu(**changes: Any) -> onnx.ModelProto:
    """x [1,2] -> y: the least that is a model."""
    return model([node("Relu", "x", "y")], [value("x", 1, 2)], [value("y", 1, 2)], **changes)


def saved(folder: Path, proto: onnx.ModelProto, name: str = "m.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def random(shape: Sequence[int], seed: int = 0, scale: float = 1.0) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def run(source: Path | onnx.ModelProto, feeds: Mapping[str, Array]) -> list[Array]:
    """All outputs, computed without any optimization, so that nothing is folded behind our back."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    content = source.read_bytes() if isinstance(source, Path) else source.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def assert_same_answers(
    source: Path | onnx.ModelProto, other: Path, feeds: Mapping[str, Array], *, relative: float = 2e-5
) -> None:
    """``relative`` to the largest value of each output: float32 sums in another order differ by some 1e-6."""
    for before, after in zip(run(source, feeds), run(other, feeds), strict=True):
        assert before.shape == after.shape
        assert before.dtype == after.dtype
        largest = float(np.abs(before.astype(np.float64)).max(initial=1e-9))
        np.testing.assert_allclose(
            after.astype(np.float64), before.astype(np.float64), rtol=0, atol=relative * largest
        )


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]
