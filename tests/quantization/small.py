"""A model of one layer or a few, quantized in the test's own process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from edgekit.quantization.insertion import Scheme, insert, quantized_tensors
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.watching import observe
from tests.graphs import Graph, floats, renamed

Array = np.ndarray[Any, Any]
Samples = Sequence[Mapping[str, Array]]


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def quantized(model: onnx.ModelProto, samples: Samples, scheme: Scheme | None = None) -> onnx.ModelProto:
    """With min/max ranges, rounded to the nearest; ``model``: inferred."""
    scheme, in_float = scheme or Scheme(), float_nodes(model.graph)
    tensors = quantized_tensors(model, in_float, scheme)
    ranges = observe(model, tensors, samples, ["minmax"], threads=1)["minmax"]
    return insert(model, ranges, in_float, scheme)


def initializers(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def smooth_images(count: int, *, size: int = 16, seed: int = 0) -> list[dict[str, Array]]:
    """Neighbours alike, channels too, as in photographs: what rounding with feedback can use."""
    rng, frequency = np.random.default_rng(seed), np.fft.fftfreq(size)
    fall = 1 / np.maximum(np.hypot(frequency[:, None], frequency[None]), 1 / size)
    made = []
    for _ in range(count):
        grey, colours = rng.standard_normal((1, size, size)), rng.standard_normal((3, size, size))
        image = np.fft.ifft2(np.fft.fft2(grey + 0.3 * colours) * fall).real
        made.append({"x": (image / image.std())[None].astype(np.float32)})
    return made


class _HeavyTails(Graph):
    def weight(self, name: str, shape: Sequence[int], scale: float) -> str:
        values = self.rng.standard_t(3, shape) if len(shape) > 1 else self.rng.standard_normal(shape)
        return self.constant(name, (values * scale).astype(np.float32))


def deep_cnn(*, size: int = 16, width: int = 16, depth: int = 5) -> onnx.ModelProto:
    """Convolutions dense, depthwise and grouped, a residual sum, and a dense layer; ReLUs between; two outputs.

    A few weights are large, as in trained nets: nearest rounding is then the larger half of the error.
    """
    g = _HeavyTails(7)
    x = g.node("Conv", ["x", g.weight("w0", (width, 3, 3, 3), 0.3), g.weight("b0", (width,), 0.1)], "stem",
               pads=[1] * 4)  # fmt: skip
    x = g.node("Relu", [x], "stem_relu")
    for place in range(depth):
        groups = (1, width, 4)[place % 3]
        weights = g.weight(f"w{place + 1}", (width, width // groups, 3, 3), 1.2 / np.sqrt(9 * width / groups))
        inputs = [x, weights] + ([g.weight(f"b{place + 1}", (width,), 0.1)] if place % 2 else [])
        y = g.node("Conv", inputs, f"conv{place}", pads=[1] * 4, group=groups)
        x = g.node("Relu", [y], f"relu{place}") if place != 2 else g.node("Add", [y, x], "residual")
    renamed(g, g.node("Conv", [x, g.weight("to_map", (2, width, 1, 1), 0.3)], "head"), "map")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "pool")], "flatten")
    renamed(
        g, g.node("Gemm", [x, g.weight("dense", (width, 5), 1.0), g.weight("shift", (5,), 0.1)], "fc"), "y"
    )
    return g.model([floats("x", 1, 3, size, size)], [floats("map", 1, 2, size, size), floats("y", 1, 5)])
