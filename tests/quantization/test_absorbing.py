"""A zero point in a bias instead of in the kernel: the same sums."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.quantization.absorbing import absorb_zero_points
from edgekit.quantization.grading import inference_session
from edgekit.quantization.insertion import Scheme
from tests.graphs import Graph, floats, renamed
from tests.quantization.small import inferred, initializers, quantized, smooth_images

SAMPLES = smooth_images(4)


def zero_points(model: onnx.ModelProto) -> dict[str, int]:
    """With which each convolution reads its input."""
    values = initializers(model)
    makers = {node.output[0]: node for node in model.graph.node}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    return {node.name: int(values[makers[node.input[0]].input[2]]) for node in convolutions}


def shared_input(bias: float = 0.1) -> onnx.ModelProto:
    """Of one input with negative values: a padded convolution, and two without padding, with and without a bias."""
    g = Graph()
    padded = g.node("Conv", ["x", g.weight("a", (4, 3, 3, 3), 1.0)], "padded", pads=[1] * 4)
    point = g.node("Conv", ["x", g.weight("b", (4, 3, 1, 1), 1.0), g.weight("c", (4,), bias)], "point")
    bare = g.node("Conv", ["x", g.weight("d", (4, 3, 1, 1), 1.0)], "bare", strides=[1, 1])
    renamed(g, g.node("Concat", [padded, point, bare], "joined", axis=1), "y")
    return inferred(g.model([floats("x", 1, 3, 16, 16)], [floats("y", 1, 12, 16, 16)]))


def answers(model: onnx.ModelProto) -> list[np.ndarray]:
    session = inference_session(model, 1)
    return [session.run(None, sample)[0] for sample in SAMPLES]


def test_convolutions_without_padding_read_zero_and_answer_the_same() -> None:
    made = quantized(shared_input(), SAMPLES, Scheme(pairs="read"))
    before, wanted = zero_points(made), answers(made)
    absorb_zero_points(made.graph)
    onnx.checker.check_model(made, full_check=True)
    assert min(before.values()) > 50
    assert zero_points(made) == {"padded": before["padded"], "point": 0, "bare": 0}
    for ours, theirs in zip(answers(made), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())  # sums in float32


def test_a_bias_that_no_int32_could_hold_stays() -> None:
    made = quantized(shared_input(), SAMPLES, Scheme(pairs="read"))
    makers = {node.output[0]: node for node in made.graph.node}
    bias = makers[next(node for node in made.graph.node if node.name == "point").input[2]].input[0]
    largest = np.full(4, np.iinfo(np.int32).max, np.int32) * np.array([1, -1, 1, -1], np.int32)
    next(tensor for tensor in made.graph.initializer if tensor.name == bias).CopyFrom(
        numpy_helper.from_array(largest, bias)
    )
    before = zero_points(made)
    absorb_zero_points(made.graph)
    assert zero_points(made) == before | {"bare": 0}


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(activations="int8"), Scheme(weight_bits=7)], ids=str)
def test_nothing_else_changes(scheme: Scheme) -> None:
    """Only the readers are other ones: every activation keeps its grid."""
    made = quantized(shared_input(), SAMPLES, scheme)
    pairs = [list(node.input) for node in made.graph.node if node.op_type == "QuantizeLinear"]
    wanted = answers(made)
    absorb_zero_points(made.graph)
    assert [list(node.input) for node in made.graph.node if node.op_type == "QuantizeLinear"] == pairs
    # a value at the border of two steps may take the other
    step = max(np.abs(theirs).max() for theirs in wanted) / 100
    for ours, theirs in zip(answers(made), wanted, strict=True):
        assert np.abs(ours - theirs).max() <= step
        assert np.mean(ours != theirs) < 0.01
