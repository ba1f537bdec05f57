"""Fitted weights: nearer to the float model on inputs nobody fitted on, and the same whenever they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme
from edgekit.quantization.layers import layers
from edgekit.quantization.rounding import round_weights
from edgekit.quantization.travel import grid_model
from tests.graphs import Graph, floats, renamed, samples, tiny_bert, tiny_cnn
from tests.quantization.small import Samples, deep_cnn, inferred, initializers, quantized, smooth_images


def fitted(
    model: onnx.ModelProto, plain: onnx.ModelProto, data: Samples, *, limit: int = 127
) -> onnx.ModelProto:
    graph = onnx.ModelProto()
    graph.CopyFrom(plain)
    assert round_weights(model, graph, data, limit=limit, threads=1) == len(list(layers(model.graph)))
    onnx.checker.check_model(graph, full_check=True)
    return graph


def gain_db(model: onnx.ModelProto, data: Samples, others: Samples, scheme: Scheme | None = None) -> float:
    plain = quantized(model, data, scheme)
    found = fitted(model, plain, data, limit=(scheme or Scheme()).weight_limit)
    grader = Grader(model, others, 1)
    return grader.sqnr_db(found) - grader.sqnr_db(plain)


@pytest.mark.parametrize(
    "scheme",
    [
        Scheme(),
        Scheme(weight_bits=7),
        Scheme(activations="int8"),
        Scheme(activations="tiles", pairs="read"),
        Scheme(pairs="read"),
    ],
    ids=lambda scheme: f"{scheme.activations}-{scheme.weight_bits}-{scheme.pairs}",
)
def test_a_cnn_comes_nearer_to_its_source(scheme: Scheme) -> None:
    """Dense, depthwise and grouped convolutions, with and without a bias, and a dense layer."""
    model = inferred(deep_cnn())
    assert gain_db(model, smooth_images(24), smooth_images(12, seed=9), scheme) > 1


def test_the_same_bytes_twice() -> None:
    model, data = inferred(deep_cnn()), smooth_images(8)
    plain = quantized(model, data)
    first, second = (fitted(model, plain, data).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_each_channel_reaches_the_largest_integer_and_only_weights_change() -> None:
    model, data = inferred(deep_cnn()), smooth_images(8)
    for bits in (7, 8):
        scheme = Scheme(weight_bits=7 if bits == 7 else 8)
        plain = quantized(model, data, scheme)
        found = fitted(model, plain, data, limit=scheme.weight_limit)
        before, after = initializers(plain), initializers(found)
        weights = [node.input[0] for node in found.graph.node
                   if node.op_type == "DequantizeLinear" and node.input[0] in after]  # fmt: skip
        for name in weights:
            values = after[name]
            assert values.dtype == before[name].dtype
            assert values.shape == before[name].shape
            if values.dtype != np.int8:
                continue
            axis = 1 if values.ndim == 2 else 0
            largest = np.abs(values.astype(int)).max(axis=tuple(i for i in range(values.ndim) if i != axis))
            assert set(largest) == {scheme.weight_limit}
        kept = [name for name in before if name.endswith("zero_point") or name in ("x_scale", "y_scale")]
        assert kept
        for name in kept:
            np.testing.assert_array_equal(before[name], after[name])
        assert [node.SerializeToString() for node in plain.graph.node] == [
            node.SerializeToString() for node in found.graph.node
        ]


def test_layers_are_told() -> None:
    model, data, told = inferred(tiny_cnn()), smooth_images(8), []
    plain = quantized(model, data)
    round_weights(model, plain, data, limit=127, threads=1, seen=lambda *facts: told.append(facts))
    assert told == [(place, 4, name) for place, name in enumerate(("conv1", "depthwise", "conv2", "fc"))]


def test_text_is_fitted_without_its_padding() -> None:
    """What stands in the padding changes nothing; it would, were it counted."""
    model = inferred(tiny_bert())
    data = samples(model, 8)
    plain = quantized(model, data)
    other = [{**item, "input_ids": np.where(item["attention_mask"], item["input_ids"], 9)} for item in data]
    first, second = (initializers(fitted(model, plain, texts)) for texts in (data, other))
    changed = [np.mean(first[name] != second[name]) for name in first if first[name].dtype == np.int8]
    # float sums of padded rows end in other last bits, which now and then turn a rounding
    assert max(changed) < 0.05


def one_layer(
    op: str, inputs: list[tuple[str, Any]], shape: tuple[int, ...], **attributes: Any
) -> onnx.ModelProto:
    g = Graph()
    for name, value in inputs:
        g.constant(name, value.astype(np.float32))
    renamed(g, g.node(op, ["x", *(name for name, _ in inputs)], "layer", **attributes), "y")
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(g.nodes, "one", [floats("x", *shape)], [y], g.weights)
    return inferred(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    )


RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("op", "inputs", "shape", "attributes"),
    [
        (
            "Conv",
            [("w", RNG.normal(size=(8, 4, 5))), ("b", RNG.normal(size=8))],
            (1, 4, 40),
            {"pads": [2, 2]},
        ),
        ("Conv", [("w", RNG.normal(size=(8, 2, 3, 3, 3)))], (1, 4, 6, 6, 6), {"group": 2}),
        ("Conv", [("w", RNG.normal(size=(8, 4, 3, 3)))], (1, 4, 12, 12), {"auto_pad": "SAME_UPPER"}),
        ("Conv", [("w", RNG.normal(size=(8, 4, 3, 3)))], (1, 4, 12, 12), {"dilations": [2, 2]}),
        ("Gemm", [("w", RNG.normal(size=(20, 8))), ("b", RNG.normal(size=8))], (6, 20), {}),
        ("Gemm", [("w", RNG.normal(size=(8, 20)))], (6, 20), {"transB": 1}),
        ("MatMul", [("w", RNG.normal(size=(20, 8)))], (1, 6, 20), {}),
    ],
    ids=["1d", "3d-grouped", "same", "dilated", "gemm", "gemm-transB", "matmul-3d"],
)
def test_single_layers_of_every_kind(
    op: str, inputs: list[tuple[str, Any]], shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    model = one_layer(op, inputs, shape, **attributes)
    rng = np.random.default_rng(1)
    # running sums: neighbours are alike
    data = [{"x": rng.normal(size=shape).cumsum(axis=-1).astype(np.float32)} for _ in range(48)]
    # the output's own rounding remains, so a layer alone gains little; it must not lose
    assert gain_db(model, data[:32], data[32:]) > 0


@pytest.mark.parametrize("bias", [(8,), (1, 8), (1,), (), (6, 8), (6, 1)])
def test_a_bias_that_is_spread_over_rows(bias: tuple[int, ...]) -> None:
    inputs = [("w", RNG.normal(size=(20, 8))), ("b", RNG.normal(size=bias))]
    model = one_layer("Gemm", inputs, (6, 20))
    rng = np.random.default_rng(2)
    data = [{"x": rng.normal(size=(6, 20)).astype(np.float32)} for _ in range(8)]
    plain = quantized(model, data)
    round_weights(model, plain, data, limit=127, threads=1)
    # 8 bits at either end and for the weights
    assert Grader(model, data, 1).sqnr_db(plain) > 30
    assert Grader(model, data, 1).sqnr_db(grid_model(model, plain)) > 30


def test_a_channel_next_to_nothing_keeps_its_bias() -> None:
    """Batch norms leave such channels: weights of 1e-12 beside a bias of 3, which int32 steps of their scale cannot say."""
    weights, bias = RNG.normal(size=(4, 3, 3, 3)), np.array([0.1, 3.0, -0.2, 3.0])
    weights[1] *= 1e-12
    weights[3] = 0
    model = one_layer("Conv", [("w", weights), ("b", bias)], (1, 3, 16, 16), pads=[1] * 4)
    data = smooth_images(8)
    found = fitted(model, quantized(model, data), data)
    assert Grader(model, data, 1).sqnr_db(found) > 30


def test_channels_that_never_change() -> None:
    """Their variance is zero, and was below it in float32: no second moment, and the fit stopped with an error."""
    rng = np.random.default_rng(6)
    weights = [("w", rng.normal(size=(32, 1, 3, 3))), ("b", rng.normal(size=32))]
    model = one_layer("Conv", weights, (1, 32, 12, 12), group=32)
    levels = rng.uniform(0, 30, (1, 32, 1, 1))
    levels[:, 0] = 30
    data = [{"x": np.broadcast_to(levels, (1, 32, 12, 12)).astype(np.float32).copy()} for _ in range(8)]
    for sample in data:
        sample["x"][:, 1] += rng.normal(size=(12, 12)) * 0.1
    found = fitted(model, quantized(model, data), data)
    assert Grader(model, data, 1).sqnr_db(found) > 30


def test_an_input_that_is_always_zero_and_a_model_of_several_uses_of_a_tensor() -> None:
    g = Graph(3)
    x = g.node("Relu", [g.node("Conv", ["x", g.weight("w", (6, 3, 3, 3), 0.3), g.constant("b", np.array(
        [0, 0, -1e3, 0, 0, 0], np.float32))], "first", pads=[1] * 4)], "relu")  # fmt: skip
    left = g.node("Conv", [x, g.weight("l", (6, 1, 3, 3), 0.3)], "left", pads=[1] * 4, group=6)
    right = g.node("Conv", [x, g.weight("r", (6, 6, 1, 1), 0.3)], "right")
    renamed(g, g.node("Add", [left, right], "sum"), "y")
    model = inferred(g.model([floats("x", 1, 3, 16, 16)], [floats("y", 1, 6, 16, 16)]))
    data = smooth_images(8)
    assert gain_db(model, data, smooth_images(4, seed=5)) > -1
