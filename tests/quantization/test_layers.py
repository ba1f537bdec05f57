"""Weights times columns of input are what onnxruntime computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgekit.quantization.layers import Array, Layer, layers
from tests.graphs import Graph, floats, renamed, tiny_bert, tiny_cnn

RNG = np.random.default_rng(0)


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def convolution(
    weights: tuple[int, ...], size: tuple[int, ...], *, bias: bool = True, **attributes: Any
) -> tuple[Layer, Array, Array]:
    """The layer of a Conv, an input of ``size`` and onnxruntime's output."""
    g = Graph(1)
    inputs = ["x", g.weight("w", weights, 0.3)] + ([g.weight("b", weights[:1], 0.3)] if bias else [])
    renamed(g, g.node("Conv", inputs, "conv", **attributes), "y")
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(g.nodes, "conv", [floats("x", *size)], [y], g.weights),
        opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip
    (layer,) = layers(model.graph)
    x = RNG.standard_normal(size).astype(np.float32)
    (wanted,) = session(model).run(None, {"x": x})
    return layer, x, wanted


def product(layer: Layer, columns: Array) -> Array:
    """[outputs, columns]"""
    found = (layer.weights @ columns).reshape(-1, columns.shape[2])
    return found if layer.bias is None else found + layer.bias[:, None]


@pytest.mark.parametrize(
    ("weights", "size", "attributes"),
    [
        ((8, 3, 3, 3), (1, 3, 9, 7), {"pads": [1, 1, 1, 1]}),
        ((8, 3, 3, 3), (1, 3, 9, 7), {}),
        ((8, 3, 1, 1), (1, 3, 9, 7), {}),
        ((8, 3, 3, 5), (1, 3, 9, 11), {"pads": [0, 2, 1, 1], "strides": [2, 3]}),
        ((6, 2, 3, 3), (1, 6, 8, 8), {"group": 3, "pads": [1] * 4}),
        ((6, 1, 3, 3), (1, 6, 8, 8), {"group": 6, "pads": [1] * 4, "strides": [2, 2]}),
        ((12, 1, 5, 5), (1, 6, 8, 8), {"group": 6, "pads": [2] * 4}),
        ((4, 3, 3, 3), (1, 3, 12, 12), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
        ((4, 3, 3, 3), (1, 3, 8, 9), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((4, 3, 3, 3), (1, 3, 8, 9), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        ((4, 3, 2, 4), (1, 3, 8, 9), {"auto_pad": "SAME_UPPER"}),
        ((4, 3, 2, 4), (1, 3, 8, 9), {"auto_pad": "SAME_LOWER"}),
        ((4, 3, 1, 1), (1, 3, 8, 9), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((4, 3, 3, 3), (1, 3, 8, 9), {"auto_pad": "VALID"}),
        ((4, 3, 3), (1, 3, 20), {"pads": [1, 1], "strides": [2]}),
        ((4, 3, 3, 3, 3), (1, 3, 5, 6, 7), {"pads": [1] * 6, "strides": [1, 2, 1]}),
    ],
    ids=lambda value: str(value).replace(" ", ""),
)  # fmt: skip
def test_convolutions(weights: tuple[int, ...], size: tuple[int, ...], attributes: dict[str, Any]) -> None:
    for bias in (True, False):
        layer, x, wanted = convolution(weights, size, bias=bias, **attributes)
        found = product(layer, layer.columns(x, 10**6, 0))
        # sums of other orders in float32
        np.testing.assert_allclose(found, wanted.reshape(len(found), -1), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(layer.stored(layer.weights).shape, weights)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (1,), ()])
def test_gemm(transposed: bool, bias: tuple[int, ...] | None) -> None:
    g = Graph(2)
    inputs = ["x", g.weight("w", (5, 7) if transposed else (7, 5), 1.0)]
    inputs += [] if bias is None else [g.constant("b", RNG.standard_normal(bias).astype(np.float32))]
    renamed(g, g.node("Gemm", inputs, "dense", transB=int(transposed)), "y")
    model = g.model([floats("x", 3, 7)], [floats("y", 3, 5)])
    (layer,) = layers(model.graph)
    x = RNG.standard_normal((3, 7)).astype(np.float32)
    (wanted,) = session(model).run(None, {"x": x})
    np.testing.assert_allclose(product(layer, layer.columns(x, 100, 0)), wanted.T, rtol=1e-4, atol=1e-5)
    stored = onnx.numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(layer.stored(layer.weights), stored)


def test_matmul_of_three_dimensions() -> None:
    g = Graph(3)
    renamed(g, g.node("MatMul", ["x", g.weight("w", (7, 5), 1.0)], "dense"), "y")
    model = g.model([floats("x", 1, 4, 7)], [floats("y", 1, 4, 5)])
    (layer,) = layers(model.graph)
    x = RNG.standard_normal((1, 4, 7)).astype(np.float32)
    (wanted,) = session(model).run(None, {"x": x})
    np.testing.assert_allclose(product(layer, layer.columns(x, 100, 0)), wanted[0].T, rtol=1e-4, atol=1e-5)


def test_few_columns_are_evenly_spaced_and_turns_differ() -> None:
    layer, x, wanted = convolution((8, 3, 3, 3), (1, 3, 16, 16), pads=[1] * 4)
    flat = wanted.reshape(8, -1)
    picked = []
    for turn in range(4):
        found = product(layer, layer.columns(x, 32, turn))
        places = [int(np.abs(flat - column[:, None]).sum(axis=0).argmin()) for column in found.T]
        # 256 places, every eighth
        assert set(np.diff(places)) == {8}
        picked += places
    assert len(set(picked)) == 4 * 32


def test_what_is_no_layer() -> None:
    g = Graph(4)
    shared, own = g.weight("shared", (7, 7), 1.0), g.weight("own", (7, 7), 1.0)
    x = g.node("MatMul", ["x", shared], "first")
    x = g.node("MatMul", [x, shared], "second")
    x = g.node("MatMul", [x, g.node("Relu", [own], "computed")], "by_values")
    x = g.node("MatMul", [g.weight("left", (4, 4), 1.0), x], "from_the_left")
    x = g.node("MatMul", [x, g.weight("batched", (1, 7, 7), 1.0)], "batched_weights")
    x = g.node("Reshape", [x, g.constant("flat", np.array([4, 7]))], "reshape")
    x = g.node("Gemm", [x, g.weight("scaled", (7, 7), 1.0)], "scaled", alpha=0.5)
    renamed(g, g.node("Gemm", [x, g.weight("last", (7, 7), 1.0)], "dense"), "y")
    model = g.model([floats("x", 4, 7)], [floats("y", 4, 7)])
    assert [layer.node.name for layer in layers(model.graph)] == ["dense"]


def test_missing_inputs_elsewhere_do_not_hide_layers_without_a_bias() -> None:
    g = Graph(5)
    x = g.node("Clip", ["x", "", g.constant("six", np.float32(6))], "clip1")
    x = g.node("Clip", [x, "", g.constant("five", np.float32(5))], "clip2")
    renamed(g, g.node("Conv", [x, g.weight("w", (4, 3, 1, 1), 1.0)], "conv"), "y")
    model = g.model([floats("x", 1, 3, 4, 4)], [floats("y", 1, 4, 4, 4)])
    assert [layer.node.name for layer in layers(model.graph)] == ["conv"]


def test_the_layers_of_real_models_in_small() -> None:
    names = [layer.node.name for layer in layers(tiny_cnn().graph)]
    assert names == ["conv1", "depthwise", "conv2", "fc"]
    assert len(list(layers(tiny_bert().graph))) == 12
