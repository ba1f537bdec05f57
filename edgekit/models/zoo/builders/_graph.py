"""Write an ONNX graph node by node: named nodes, weights as initializers, the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the one that belongs to opset 17
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
Shape = Sequence[int | str]
Array = npt.NDArray[Any]


class Graph:
    """Collects nodes; a node's output has the node's name unless told otherwise."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, shape: Shape) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))
        return name

    def output(self, name: str, dtype: str, shape: Shape) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))

    def weight(self, name: str, values: Array) -> str:
        """A constant tensor; asked for twice by one name it is stored once."""
        self._weights.setdefault(name, numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, op: str, name: str, inputs: Sequence[str], *, out: str = "", **attributes: Any) -> str:
        """Add a node; the name of its one output."""
        output = out or name
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def write(self, path: Path, facts: Mapping[str, str]) -> None:
        """Check the model and write it; ``facts`` become its metadata (licence, source)."""
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, list(self._weights.values())
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="edgekit-zoo",
        )
        helper.set_model_props(model, dict(facts))
        write_model(model, path)

    def append_to(self, model: onnx.ModelProto, facts: Mapping[str, str]) -> None:
        """Put these nodes behind those of ``model`` (of the same opset); its outputs become ours."""
        model.graph.node.extend(self._nodes)
        model.graph.initializer.extend(self._weights.values())
        del model.graph.output[:]
        model.graph.output.extend(self._outputs)
        helper.set_model_props(model, dict(facts))


def write_model(model: onnx.ModelProto, path: Path) -> None:
    """Check ``model`` and write it with the same bytes every time."""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


class BatchNorm(NamedTuple):
    """Parameters of a normalization, one number a channel; ``epsilon`` is added to the variance."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float


def fold_batch_norm(weight: Array, norm: BatchNorm) -> tuple[Array, Array]:
    """Weight [O, ...] and bias [O] of a convolution with the normalization after it folded in.

    In float64 with only correctly rounded operations, so that every machine gets the same float32 values.
    """
    gamma, beta, mean, variance = (np.asarray(values, np.float64) for values in norm[:4])
    scale = gamma / np.sqrt(variance + norm.epsilon)
    folded = weight.astype(np.float64) * scale.reshape(-1, *[1] * (weight.ndim - 1))
    return folded.astype(np.float32), (beta - mean * scale).astype(np.float32)
