"""Small real models for tests: structured like their big brothers, with seeded weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.data.arrays import write_arrays

MASKED = float(np.finfo(np.float32).min)
"""What exporters of transformers write for 'do not attend'; it ruins the range of every naive quantizer."""


class Graph:
    """Collects nodes and weights; names are given, so that nothing depends on the order of calls."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, shape: Sequence[int], scale: float) -> str:
        return self.constant(name, (self.rng.standard_normal(shape) * scale).astype(np.float32))

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [name + "_out"], name, **attributes))
        return name + "_out"

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        *,
        opset: int = 17,
    ) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "test", inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def floats(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integers(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def renamed(graph: Graph, last: str, name: str) -> None:
    """Let the last node's output bear the graph's output name."""
    graph.nodes[-1].output[0] = name


def tiny_cnn(*, size: int = 16, opset: int = 17) -> onnx.ModelProto:
    """Residual convolutions, depthwise one included, to 10 probabilities: x [1,3,size,size] -> y [1,10]."""
    g = Graph(1)
    x = g.node(
        "Conv", ["x", g.weight("w1", (40, 3, 3, 3), 0.3), g.weight("b1", (40,), 0.1)], "conv1", pads=[1] * 4
    )
    x = skip = g.node("Relu", [x], "relu1")
    x = g.node("Conv", [x, g.weight("wd", (40, 1, 3, 3), 0.4)], "depthwise", pads=[1] * 4, group=40)
    x = g.node("Clip", [x, g.constant("low", np.float32(0)), g.constant("high", np.float32(6))], "relu6")
    x = g.node("Conv", [x, g.weight("w2", (40, 40, 1, 1), 0.2), g.weight("b2", (40,), 0.1)], "conv2")
    x = g.node("Add", [x, skip], "add")
    x = g.node("GlobalAveragePool", [x], "pool")
    x = g.node("Flatten", [x], "flatten")
    x = g.node("Gemm", [x, g.weight("w3", (40, 10), 1.0), g.weight("b3", (10,), 0.1)], "fc")
    renamed(g, g.node("Softmax", [x], "softmax"), "y")
    return g.model([floats("x", 1, 3, size, size)], [floats("y", 1, 10)], opset=opset)


def tiny_bert(*, tokens: int = 16, width: int = 32, vocabulary: int = 64, layers: int = 2) -> onnx.ModelProto:
    """Embedding, masked attention and feed-forward with LayerNorm, mean pooling: -> embedding [1,width]."""
    g = Graph(2)
    ids = g.node("Gather", [g.weight("words", (vocabulary, width), 1.0), "input_ids"], "embed")
    x = _norm(
        g,
        g.node("Add", [ids, g.weight("positions", (1, tokens, width), 0.5)], "add_positions"),
        width,
        "norm0",
    )
    keep = g.node("Cast", ["attention_mask"], "keep", to=TensorProto.FLOAT)
    drop = g.node("Sub", [g.constant("one", np.float32(1)), keep], "drop")
    mask = g.node("Mul", [drop, g.constant("masked", np.float32(MASKED))], "mask_value")
    mask = g.node("Unsqueeze", [mask, g.constant("mask_axes", np.array([1, 2]))], "mask")
    for layer in range(layers):
        x = _block(g, x, mask, tokens, width, f"l{layer}")
    weights = g.node("Unsqueeze", [keep, g.constant("last_axis", np.array([2]))], "pool_weights")
    total = g.node("ReduceSum", [g.node("Mul", [x, weights], "pooled"), g.constant("axis1", np.array([1]))], "sum",
                   keepdims=0)  # fmt: skip
    count = g.node("ReduceSum", [weights, "axis1"], "count", keepdims=0)
    renamed(g, g.node("Div", [total, count], "mean"), "embedding")
    inputs = [integers("input_ids", 1, tokens), integers("attention_mask", 1, tokens)]
    return g.model(inputs, [floats("embedding", 1, width)])


def _linear(g: Graph, x: str, sizes: tuple[int, int], name: str, gain: float = 1.0) -> str:
    weight = g.weight(name + ".w", sizes, gain / np.sqrt(sizes[0]))
    return g.node(
        "Add", [g.node("MatMul", [x, weight], name), g.weight(name + ".b", sizes[1:], 0.1)], name + ".bias"
    )


def _norm(g: Graph, x: str, width: int, name: str) -> str:
    scale = g.constant(name + ".scale", np.ones(width, np.float32))
    return g.node("LayerNormalization", [x, scale, g.weight(name + ".shift", (width,), 0.1)], name, axis=-1)


def _block(g: Graph, x: str, mask: str, tokens: int, width: int, name: str, heads: int = 4) -> str:
    # a gain above 1 makes attention choose: with flat attention a ruined mask would not show
    split = g.constant(name + ".split", np.array([1, tokens, heads, width // heads]))
    parts = {}
    for part, order in {"q": (0, 2, 1, 3), "k": (0, 2, 3, 1), "v": (0, 2, 1, 3)}.items():
        whole = _linear(g, x, (width, width), f"{name}.{part}", gain=2.0)
        parts[part] = g.node(
            "Transpose",
            [g.node("Reshape", [whole, split], f"{name}.{part}.split")],
            f"{name}.{part}.t",
            perm=order,
        )
    scores = g.node("MatMul", [parts["q"], parts["k"]], name + ".qk")
    scores = g.node(
        "Mul", [scores, g.constant(name + ".scale", np.float32((width // heads) ** -0.5))], name + ".scaled"
    )
    chosen = g.node("Softmax", [g.node("Add", [scores, mask], name + ".masked")], name + ".softmax", axis=-1)
    mixed = g.node(
        "Transpose",
        [g.node("MatMul", [chosen, parts["v"]], name + ".mix")],
        name + ".mixed",
        perm=(0, 2, 1, 3),
    )
    merged = g.node(
        "Reshape", [mixed, g.constant(name + ".join", np.array([1, tokens, width]))], name + ".merged"
    )
    x = _norm(
        g,
        g.node("Add", [x, _linear(g, merged, (width, width), name + ".o")], name + ".skip1"),
        width,
        name + ".n1",
    )
    hidden = g.node("Relu", [_linear(g, x, (width, 2 * width), name + ".up")], name + ".relu")
    return _norm(
        g,
        g.node("Add", [x, _linear(g, hidden, (2 * width, width), name + ".down")], name + ".skip2"),
        width,
        name + ".n2",
    )


def samples(model: onnx.ModelProto, count: int, seed: int = 3) -> list[dict[str, np.ndarray]]:
    """Inputs that suit ``model``: images of a few blobs, or texts of different lengths, padded."""
    rng = np.random.default_rng(seed)
    return [_sample(model, rng) for _ in range(count)]


def _sample(model: onnx.ModelProto, rng: np.random.Generator) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for value in model.graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            arrays[value.name] = rng.standard_normal(shape).astype(np.float32)
        elif value.name == "attention_mask":
            arrays[value.name] = (np.arange(shape[1]) < rng.integers(shape[1] // 4, shape[1])).astype(
                np.int64
            )[None]
        else:
            arrays[value.name] = rng.integers(1, 64, shape)
    return arrays


def write_samples(arrays: Sequence[dict[str, np.ndarray]], folder: Path) -> Path:
    """The calibration folder that a worker is handed."""
    folder.mkdir(parents=True)
    for number, sample in enumerate(arrays):
        write_arrays(folder / f"{number:05}.npz", sample)
    return folder


def lopsided_layer(g: Graph, x: str, width: int) -> str:
    """Two layers on ``x`` [1,width,h,w], of which ``lopsided`` has weights that no int8 holds.

    Channel 0 of its input is constant, and its weights there are thousands of times the others: nothing is left of
    these on the grid that the largest of a row gives. Fitting cannot help, and inputs and outputs are harmless.
    """
    first, bias = g.rng.standard_normal((width, width, 3, 3)) / (3 * width**0.5), np.full(width, 0.1)
    first[0], bias[0] = 0, 10
    weights = [g.constant("wl0", first.astype(np.float32)), g.constant("bl0", bias.astype(np.float32))]
    # cut to the largest value, which every grid that ends there has
    top = [g.constant("low", np.float32(0)), g.constant("high", np.float32(8))]
    x = g.node("Clip", [g.node("Conv", [x, *weights], "before", pads=[1] * 4), *top], "clip")
    rows, shift = g.rng.standard_normal((width, width, 1, 1)) / width**0.5, np.full(width, -8000.0)
    rows[:, 0] = 1000
    weights = [g.constant("wl1", rows.astype(np.float32)), g.constant("bl1", shift.astype(np.float32))]
    return g.node("Relu", [g.node("Conv", [x, *weights], "lopsided")], "behind")


def lopsided_cnn(*, size: int = 16, width: int = 24) -> onnx.ModelProto:
    """Six layers, one of them lopsided: x [1,3,size,size] -> y [1,10]."""
    g = Graph(3)
    x = g.node(
        "Relu", [g.node("Conv", ["x", g.weight("w0", (width, 3, 3, 3), 0.3)], "stem", pads=[1] * 4)], "relu0"
    )
    x = lopsided_layer(g, x, width)
    for layer in (2, 3):
        weight = g.weight(f"w{layer}", (width, width, 3, 3), (2 / (9 * width)) ** 0.5)
        x = g.node("Relu", [g.node("Conv", [x, weight], f"conv{layer}", pads=[1] * 4)], f"relu{layer}")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "pool")], "flatten")
    renamed(g, g.node("Gemm", [x, g.weight("w4", (width, 10), 1.0)], "fc"), "y")
    return g.model([floats("x", 1, 3, size, size)], [floats("y", 1, 10)])
