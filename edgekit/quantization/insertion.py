"""Write the QDQ graph for given ranges; onnxruntime's quantizer places the QuantizeLinear/DequantizeLinear pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from edgekit.quantization.guards import guard_float
from edgekit.quantization.naming import quantized_name
from edgekit.quantization.placement import QUANTIZED_OPERATORS, FloatNodes
from edgekit.quantization.tiles import read_by_tiles
from edgekit.quantization.unread import drop_unread_pairs

if TYPE_CHECKING:
    from edgekit.quantization.observers import Range

Activations = Literal["uint8", "int8", "tiles"]
Pairs = Literal["all", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How the target's kernels want their integers; weights are symmetric, with a scale per output channel."""

    activations: Activations = "uint8"
    """tiles: uint8, but with zero points of zero for what matrix tiles read and cannot do without
    (:mod:`edgekit.quantization.tiles`), int8 there where values are negative."""
    pairs: Pairs = "all"
    """all: around every operator, which onnxruntime needs to find its integer kernels. read: only where an integer
    kernel reads, for runtimes whose kernels take in what follows in float (:mod:`edgekit.quantization.unread`)."""
    weight_bits: Literal[7, 8] = 8

    def at_zero(self, graph: onnx.GraphProto) -> frozenset[str]:
        """Activations of ``graph`` whose zero point must be zero."""
        return read_by_tiles(graph) if self.activations == "tiles" else frozenset()

    @classmethod
    def of(cls, options: Mapping[str, str | int | float | bool]) -> Scheme:
        """The scheme that a worker's options name."""
        return cls(
            activations=cast("Activations", options["int8_activations"]),
            pairs=cast("Pairs", options.get("int8_pairs", "all")),
            weight_bits=7 if options.get("int8_weight_bits", 8) == 7 else 8,
        )

    @property
    def weight_limit(self) -> int:
        """Largest integer of a weight; the smallest is its negative."""
        return 64 if self.weight_bits == 7 else 127


def insert(
    model: onnx.ModelProto, ranges: Mapping[str, Range], in_float: FloatNodes, scheme: Scheme
) -> onnx.ModelProto:
    """A copy of ``model`` (float, shapes inferred, opset >= 13) with a pair around each quantized tensor.

    Nodes keep their names. A ReLU or Clip that the uint8 range of its output says already is gone, and what made its
    input makes its output. ``ranges`` of tensors that get no pair are not looked at.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    odd = _flatten_biases(copy.graph)
    known = {name: (-1.0, 1.0) for node in model.graph.node for name in node.output} | dict(ranges)
    extremes = {name: (np.float32(low), np.float32(high)) for name, (low, high) in known.items()}
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=scheme.weight_bits == 7,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if scheme.activations == "int8" else QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, extremes),
        nodes_to_quantize=[],
        nodes_to_exclude=[*in_float.all, *odd],
        op_types_to_quantize=sorted(QUANTIZED_OPERATORS),
        extra_options={
            "OpTypesToExcludeOutputQuantization": list(in_float.wide_outputs),
            "TensorQuantOverrides": _overrides(known, scheme.at_zero(model.graph)),
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    written: onnx.ModelProto = quantizer.model.model
    if scheme.pairs == "read":
        drop_unread_pairs(written.graph, model.graph, in_float.all)
    guard_float(written.graph, in_float.kept)
    return written


def _flatten_biases(graph: onnx.GraphProto) -> list[str]:
    """Give every Gemm a bias of one dimension, the only kind the quantizer takes; names of those that cannot have one."""
    constants, odd = {tensor.name: tensor for tensor in graph.initializer}, []
    for node in graph.node:
        if node.op_type != "Gemm" or len(node.input) < 3 or not {*node.input[1:3]} <= constants.keys():
            continue
        bias, weights = (numpy_helper.to_array(constants[name]) for name in (node.input[2], node.input[1]))
        transposed = any(item.name == "transB" and item.i for item in node.attribute)
        outputs = weights.shape[0 if transposed else 1]
        if bias.size not in (1, outputs) or bias.shape[-1:] not in ((), (1,), (outputs,)):
            odd.append(node.name)
        elif bias.shape != (outputs,):
            flat = np.broadcast_to(bias.reshape(-1), outputs)
            node.input[2] = f"{node.name}/flat_bias"
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(flat), node.input[2]))
    return odd


def _overrides(ranges: Mapping[str, Range], names: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Zero points of zero: signed where the range has negative values, unsigned where it has none."""
    return {
        name: [{"quant_type": QuantType.QInt8 if low < 0 else QuantType.QUInt8, "symmetric": low < 0}]
        for name, (low, _) in ranges.items()
        if name in names
    }


def quantized_tensors(model: onnx.ModelProto, in_float: FloatNodes, scheme: Scheme) -> list[str]:
    """The activations that get a pair, in the order of the graph: a trial tells, with any ranges."""
    inputs = {value.name: (-1.0, 1.0) for value in model.graph.input}
    nodes = insert(model, inputs, in_float, scheme).graph.node
    return [quantized_name(node) for node in nodes if node.op_type == "QuantizeLinear"]
