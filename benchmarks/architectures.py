"""The networks that ``scripts/measured_models.py`` lays out, as ONNX graphs with seeded weights, BatchNorm folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from scripts.measured_models import architectures
from scripts.net import Net

_SEED = 11


class OnnxNet(Net):
    """Counts layers as ``Net`` does, and makes the nodes; ReLU6 follows a convolution that nothing else follows."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.last = "x"
        self._input_side = side
        self._open = False
        self._activation = "HardSwish"
        self._random = np.random.default_rng(_SEED)

    def model(self) -> onnx.ModelProto:
        """One picture in, the classes out."""
        given = helper.make_tensor_value_info(
            "x", TensorProto.FLOAT, [1, 3, self._input_side, self._input_side]
        )
        told = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [1, self.channels])
        graph = helper.make_graph(self.nodes, "net", [given], [told], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    def conv(self, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> None:
        self._close()
        inside, side = self.channels, self.side
        super().conv(channels, kernel, stride, depthwise=depthwise)
        width = 1 if depthwise else inside
        weight = self._weight(channels, width, kernel, kernel, fan_in=width * kernel**2)
        # "same" as TensorFlow has it: what is odd goes below and to the right
        missing = max((self.side - 1) * stride + kernel - side, 0)
        pads = [missing // 2] * 2 + [missing - missing // 2] * 2
        groups = inside if depthwise else 1
        bias = self._weight(channels, fan_in=channels)
        self._add("Conv", self.last, weight, bias, pads=pads, strides=[stride] * 2, group=groups)
        self._open = True

    def enter(self) -> tuple[object, ...]:
        self._close()
        return self.last, *super().enter()

    def leave(self, entered: tuple[object, ...]) -> None:
        before, *shape = entered
        self._open = False
        if shape == [self.channels, self.side]:
            super().elementwise(2)
            self._add("Add", self.last, str(before))

    def elementwise(self, inputs: int = 1) -> None:
        assert inputs == 1
        super().elementwise()
        self._open = False
        self._add(
            self._activation, self.last, **({"alpha": 1 / 6} if self._activation == "HardSigmoid" else {})
        )

    def pool(self, side: int) -> None:
        assert side == 1
        self._close()
        super().pool(side)
        self._add("GlobalAveragePool", self.last)

    def squeeze_excite(self, middle: int) -> None:
        self._close()
        scaled, self._activation = self.last, "HardSigmoid"
        super().squeeze_excite(middle)
        self._activation = "HardSwish"
        self._add("Mul", scaled, self.last)

    def dense(self, columns: int) -> None:
        self._close()
        depth = self.elements
        super().dense(columns)
        self._add("Flatten", self.last)
        self._add(
            "Gemm",
            self.last,
            self._weight(depth, columns, fan_in=depth),
            self._weight(columns, fan_in=columns),
        )

    def softmax(self) -> None:
        super().softmax()
        if self._open:  # the last layer is a convolution
            self._open = False
            self._add("Flatten", self.last)
        self._add("Softmax", self.last)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._add("Clip", self.last, self._constant(0.0), self._constant(6.0))

    def _add(self, op: str, *inputs: str, **attributes: Any) -> str:
        self.last = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [self.last], name=f"n_{self.last}", **attributes)
        )
        return self.last

    def _weight(self, *shape: int, fan_in: int) -> str:
        return self._named((self._random.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32))

    def _constant(self, value: float) -> str:
        return self._named(np.array(value, np.float32))

    def _named(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name


def architecture(name: str) -> onnx.ModelProto:
    """The published model ``name``, such as ``mobilenet_v2_1.0_224``."""
    made: dict[str, tuple[int, Callable[[Net], None]]] = {
        key: (side, lay) for key, side, lay in architectures()
    }
    side, lay = made[name]
    net = OnnxNet(side)
    lay(net)
    return net.model()
