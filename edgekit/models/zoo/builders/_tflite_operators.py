"""TFLite's float operators as ONNX nodes.

What an operator computes stands in TensorFlow's ``lite/kernels`` (padding in ``kernels/padding.h``), its options in
``lite/schema/schema.fbs``; the custom one is MediaPipe's ``util/tflite/operations/transpose_conv_bias.cc``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import ModelError
from edgekit.models.zoo.builders._graph import Array, Graph
from edgekit.models.zoo.builders._tflite_source import Operator, Source

Node = tuple[str, dict[str, float]]
_FUSED: dict[int, Node | None] = {
    schema.ActivationFunctionType.NONE: None,
    schema.ActivationFunctionType.RELU: ("Relu", {}),
    schema.ActivationFunctionType.RELU_N1_TO_1: ("Clip", {"min": -1.0, "max": 1.0}),
    schema.ActivationFunctionType.RELU6: ("Clip", {"min": 0.0, "max": 6.0}),
    schema.ActivationFunctionType.TANH: ("Tanh", {}),
}


def to_nchw(shape: Sequence[int]) -> tuple[int, ...]:
    """NHWC -> NCHW; other than four dimensions stay."""
    return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else tuple(shape)


class Window(NamedTuple):
    """How a kernel goes over a map; each (vertical, horizontal), in elements."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int] = (1, 1)

    def pads(self, same: bool, from_hw: Sequence[int], to_hw: Sequence[int]) -> list[int]:
        """ONNX's pads (top, left, bottom, right) of a map ``from_hw`` that becomes ``to_hw``.

        SAME pads as little as the output needs, the odd one at the end.
        """
        if not same:
            return [0, 0, 0, 0]
        reach = [
            (kernel - 1) * dilation + 1 for kernel, dilation in zip(self.kernel, self.dilations, strict=True)
        ]
        total = [
            max((there - 1) * stride + span - here, 0)
            for here, there, stride, span in zip(from_hw, to_hw, self.strides, reach, strict=True)
        ]
        return [whole // 2 for whole in total] + [whole - whole // 2 for whole in total]


class Writer(NamedTuple):
    """Writes the nodes of one operator into the graph."""

    source: Source
    graph: Graph
    operator: Operator

    @property
    def name(self) -> str:
        """Of what the operator makes."""
        return self.source.names[self.operator.outputs[0]]

    def shape(self, position: int) -> tuple[int, ...]:
        """Of an input, as TFLite has it."""
        return self.source.shape(self.operator.inputs[position])

    @property
    def made(self) -> tuple[int, ...]:
        """Shape of the output, as TFLite has it."""
        return self.source.shape(self.operator.outputs[0])

    def option(self, key: str, default: Any = 0) -> Any:
        return getattr(self.operator.options, key, default)

    def same_padding(self) -> bool:
        return bool(self.option("padding") == schema.Padding.SAME)

    def strides(self) -> tuple[int, int]:
        return self.option("strideH"), self.option("strideW")

    def dilations(self) -> tuple[int, int]:
        return self.option("dilationHFactor", 1), self.option("dilationWFactor", 1)

    def constant(self, position: int) -> Array:
        """The values of an input; ModelError where they are computed."""
        index = self.operator.inputs[position]
        if index not in self.source.constants:
            raise self.unknown(f"has '{self.source.names[index]}' computed, not as a constant")
        return self.source.constants[index]

    def given(self, position: int) -> bool:
        """Whether an input that may be left out is there."""
        return len(self.operator.inputs) > position and self.operator.inputs[position] >= 0

    def value(self, position: int, rank: int = 0) -> str:
        """An input's name in the graph; a constant is laid out for a partner of ``rank`` dimensions."""
        index = self.operator.inputs[position]
        name = self.source.names[index]
        if index not in self.source.constants:
            if rank == 4 and 0 < len(self.shape(position)) < 4:
                raise self.unknown(f"joins tensors of {len(self.shape(position))} and 4 dimensions")
            return name
        values = self.source.constants[index]
        if rank == 4:
            values = values.reshape([1] * (4 - values.ndim) + list(values.shape))
        return self.weight(name, values.transpose(0, 3, 1, 2) if values.ndim == 4 else values)

    def weight(self, name: str, values: Array) -> str:
        return self.graph.weight(name, np.ascontiguousarray(values))

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """The node that makes the output, with the activation that is fused into the operator behind it."""
        code = self.option("fusedActivationFunction")
        if code not in _FUSED:
            raise self.unknown(f"has the fused activation {code}")
        fused = _FUSED[code]
        if fused is None:
            self.graph.node(op, self.name, inputs, **attributes)
            return
        before = self.graph.node(op, f"{self.name}/{op}", inputs, **attributes)
        self.activation(*fused, before)

    def activation(self, op: str, bounds: Mapping[str, float], before: str) -> None:
        limits = [
            self.graph.weight(f"{op}.{key}.{value:g}", np.array(value, np.float32))
            for key, value in bounds.items()
        ]
        self.graph.node(op, self.name, [before, *limits])

    def unknown(self, problem: str) -> ModelError:
        operator = self.operator
        return ModelError(
            f"{self.source.path}: operator {operator.op} that makes '{operator.name}' {problem}"
        )


def _convolution(write: Writer) -> None:
    """Filter [out, height, width, in of one group]."""
    _emit_convolution(write, write.constant(1).transpose(0, 3, 1, 2), write.shape(0)[3] // write.shape(1)[3])


def _depthwise(write: Writer) -> None:
    """Filter [1, height, width, out]; an input channel makes neighbouring output channels."""
    _emit_convolution(write, write.constant(1).transpose(3, 0, 1, 2), write.shape(0)[3])


def _emit_convolution(write: Writer, weight: Array, group: int) -> None:
    window = Window((weight.shape[2], weight.shape[3]), write.strides(), write.dilations())
    inputs = [write.value(0), write.weight(_weight_name(write, 1), weight)]
    write.emit(
        "Conv",
        inputs + ([write.value(2)] if write.given(2) else []),
        group=group,
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=window.pads(write.same_padding(), write.shape(0)[1:3], write.made[1:3]),
    )


def _weight_name(write: Writer, position: int) -> str:
    return write.source.names[write.operator.inputs[position]]


def _transposed_convolution(write: Writer) -> None:
    """Inputs: output shape, filter [out, height, width, in], map, and a bias in newer files."""
    bias = write.value(3) if write.given(3) else None
    _emit_transposed(write, 2, bias, write.same_padding(), write.strides())


def _transposed_with_bias(write: Writer) -> None:
    """MediaPipe's own: map, filter, bias; options are TfLiteTransposeConvParams as a struct of three int32 or more."""
    if len(write.operator.custom_options) < 12:
        raise write.unknown("lacks its custom options")
    padding, stride_width, stride_height = struct.unpack_from("<3i", write.operator.custom_options)
    # TfLitePadding of lite/core/c/builtin_op_data.h: 1 is SAME, 2 VALID
    _emit_transposed(write, 0, write.value(2), padding == 1, (stride_height, stride_width))


def _emit_transposed(
    write: Writer, position: int, bias: str | None, same: bool, strides: tuple[int, int]
) -> None:
    weight = write.constant(1).transpose(3, 0, 1, 2)
    window = Window((weight.shape[2], weight.shape[3]), strides)
    small, large = write.shape(position)[1:3], write.made[1:3]
    pads = window.pads(same, large, small)  # those of the convolution that this one undoes
    full = [(here - 1) * stride + k for here, stride, k in zip(small, strides, window.kernel, strict=True)]
    inputs = [write.value(position), write.weight(_weight_name(write, 1), weight)]
    write.emit(
        "ConvTranspose",
        inputs + ([bias] if bias else []),
        kernel_shape=window.kernel,
        strides=strides,
        pads=pads,
        output_padding=[large[i] - full[i] + pads[i] + pads[i + 2] for i in range(2)],
    )


def _average_pool(write: Writer) -> None:
    window = Window((write.option("filterHeight"), write.option("filterWidth")), write.strides())
    if window.kernel == tuple(write.shape(0)[1:3]) and not write.same_padding():
        write.emit("GlobalAveragePool", [write.value(0)])
        return
    _emit_pool(write, "AveragePool", window)  # neither counts the padding


def _max_pool(write: Writer) -> None:
    window = Window((write.option("filterHeight"), write.option("filterWidth")), write.strides())
    _emit_pool(write, "MaxPool", window)


def _emit_pool(write: Writer, op: str, window: Window) -> None:
    pads = window.pads(write.same_padding(), write.shape(0)[1:3], write.made[1:3])
    write.emit(op, [write.value(0)], kernel_shape=window.kernel, strides=window.strides, pads=pads)


def _mean(write: Writer) -> None:
    rank, kept = len(write.shape(0)), bool(write.option("keepDims", False))
    axes = sorted(int(axis) % rank for axis in np.atleast_1d(write.constant(1)))
    if rank == 4:
        if not kept and axes != [1, 2] and len(axes) < 3:
            raise write.unknown(f"drops the axes {axes}; of four, only height and width")
        if kept and axes == [1, 2]:
            write.emit("GlobalAveragePool", [write.value(0)])
            return
        axes = sorted((0, 2, 3, 1)[axis] for axis in axes)
    write.emit("ReduceMean", [write.value(0)], axes=axes, keepdims=int(kept))


def _pad(write: Writer) -> None:
    pads = write.constant(1)
    if len(pads) == 4:
        pads = pads[[0, 3, 1, 2]]
    amounts = write.weight(_weight_name(write, 1), pads.T.reshape(-1).astype(np.int64))
    write.emit("Pad", [write.value(0), amounts])


def _reshape(write: Writer) -> None:
    """The elements' order is NHWC's: where the layout changes it, it is undone before and made after."""
    value = write.value(0)
    shape = write.shape(0)
    if _layout_matters(shape):
        value = write.graph.node("Transpose", f"{write.name}/nhwc", [value], perm=[0, 2, 3, 1])
    turned = _layout_matters(write.made)
    sides = write.made if turned else to_nchw(write.made)
    target = write.graph.weight(f"{write.name}/shape", np.array(sides, np.int64))
    if not turned:
        write.emit("Reshape", [value, target])
        return
    flat = write.graph.node("Reshape", f"{write.name}/reshaped", [value, target])
    write.emit("Transpose", [flat], perm=[0, 3, 1, 2])


def _layout_matters(shape: Sequence[int]) -> bool:
    return len(shape) == 4 and shape[3] > 1 and shape[1] * shape[2] > 1


def _resize_bilinear(write: Writer) -> None:
    mode = "asymmetric"
    if write.option("alignCorners", False):
        mode = "align_corners"
    elif write.option("halfPixelCenters", False):
        mode = "half_pixel"
    sizes = write.graph.weight(f"{write.name}/sizes", np.array(to_nchw(write.made), np.int64))
    write.emit("Resize", [write.value(0), "", "", sizes], mode="linear", coordinate_transformation_mode=mode)


def _joined(op: str) -> Callable[[Writer], None]:
    def of_two(write: Writer) -> None:
        rank = len(write.made)
        write.emit(op, [write.value(0, rank), write.value(1, rank)])

    return of_two


def _single(op: str, bounds: Mapping[str, float] | None = None) -> Callable[[Writer], None]:
    return lambda write: write.activation(op, bounds or {}, write.value(0))


OPERATORS: dict[str, Callable[[Writer], None]] = {
    "ADD": _joined("Add"),
    "AVERAGE_POOL_2D": _average_pool,
    "CONV_2D": _convolution,
    "Convolution2DTransposeBias": _transposed_with_bias,
    "DEPTHWISE_CONV_2D": _depthwise,
    "HARD_SWISH": _single("HardSwish"),
    "LOGISTIC": _single("Sigmoid"),
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "MUL": _joined("Mul"),
    "PAD": _pad,
    "RELU": _single("Relu"),
    "RELU6": _single("Clip", {"min": 0.0, "max": 6.0}),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize_bilinear,
    "SUB": _joined("Sub"),
    "TANH": _single("Tanh"),
    "TRANSPOSE_CONV": _transposed_convolution,
}
"""Writers by TFLite's names of the operators."""
