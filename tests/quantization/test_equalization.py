"""Channels made more alike: the model says the same, ranges serve it better, and what must keep its values does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import EFFORTS
from edgekit.quantization.equalization import divided, divisors_of, equalize
from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme, quantized_tensors
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.progress import Told
from edgekit.quantization.quantize import Quantized, quantize
from edgekit.quantization.sensitivity import sensitivity
from edgekit.quantization.travel import activation_ranges, grid_model
from edgekit.quantization.worker import convert
from tests.graphs import Graph, floats, renamed, write_samples
from tests.quantization.small import deep_cnn, inferred, initializers, smooth_images

SPREAD = 2.0 ** -np.arange(16, dtype=np.float32)[:, None, None, None].clip(0, 5)
"""What the channels of an uneven map are of its first one."""
EXACT_DB = 110
"""float32 has 24 bits, some 140 dB; sums of a few hundred products lose a part of it."""


def equalized(model: onnx.ModelProto, exponent: float = 0.5) -> onnx.ModelProto | None:
    tensors = quantized_tensors(model, float_nodes(model.graph), Scheme())
    return next(iter(equalize(model, tensors, smooth_images(4), [exponent], 1)), None)


def uneven(*between: Callable[[Graph, str], str], groups: int = 1) -> onnx.ModelProto:
    """A layer whose channels differ by 2 ** 5, ``between``, a layer that makes up for it, and a dense one."""
    g = Graph(3)
    w = g.rng.standard_normal((16, 3, 3, 3)).astype(np.float32) * SPREAD
    b = g.rng.standard_normal(16).astype(np.float32) * SPREAD.reshape(-1) * 0.1
    x = g.node("Conv", ["x", g.constant("w", w), g.constant("b", b)], "uneven", pads=[1] * 4)
    for step in between or (relu,):
        x = step(g, x)
    back = SPREAD if groups > 1 else SPREAD.transpose(1, 0, 2, 3)
    w = g.rng.standard_normal((16, 16 // groups, 3, 3)).astype(np.float32) / back
    x = g.node("Conv", [x, g.constant("w2", w)], "reader", pads=[1] * 4, group=groups)
    renamed(g, g.node("Conv", [x, g.weight("w3", (4, 16, 1, 1), 0.3)], "last"), "y")
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, "rows", "columns"])
    return inferred(g.model([floats("x", 1, 3, 16, 16)], [y]))


def relu(g: Graph, x: str) -> str:
    return g.node("Relu", [x], "relu")


def single(op: str, **attributes: Any) -> Callable[[Graph, str], str]:
    return lambda g, x: g.node(op, [x], op, **attributes)


def prelu(g: Graph, x: str) -> str:
    return g.node("PRelu", [x, g.weight("slope", (16, 1, 1), 0.3)], "prelu")


def gate(g: Graph, x: str) -> str:
    """Squeeze and excitation: factors for the channels, made of all of them."""
    pooled = g.node("GlobalAveragePool", [x], "pool")
    y = g.node("Conv", [pooled, g.weight("squeeze", (16, 16, 1, 1), 1.0)], "squeezed")
    return g.node("Mul", [x, g.node("Sigmoid", [y], "sigmoid")], "gated")


def own_sum(g: Graph, x: str) -> str:
    y = g.node("Conv", [x, g.weight("branch", (16, 16, 1, 1), 0.1)], "branched")
    return g.node("Add", [y, x], "sum")


def parts(g: Graph, x: str) -> str:
    """Half of the channels joined to the other half, and as many of zeros that are cut off by weights of zero."""
    y = g.node("Conv", [x, g.weight("half", (12, 16, 1, 1), 0.1)], "half")
    zeros = g.constant("zeros", np.zeros((1, 4, 16, 16), np.float32))
    return g.node("Concat", [y, zeros], "joined", axis=1)


def padded(g: Graph, x: str) -> str:
    return g.node("Pad", [x, g.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1]))], "padded")


def resized(g: Graph, x: str) -> str:
    sizes = g.constant("sizes", np.array([1, 1, 2, 2], np.float32))
    return g.node("Resize", [x, "", sizes], "resized", mode="linear")


def swish_and_affine(*shape: int) -> Callable[[Graph, str], str]:
    """What a HardSwish writes is fixed, what is made of it by constants is not."""

    def step(g: Graph, x: str) -> str:
        x = g.node("HardSwish", [x], "swish")
        x = g.node("Mul", [g.weight("factor", shape, 1.0), x], "scaled")
        return g.node("Add", [x, g.weight("shift", shape, 1.0)], "shifted")

    return step


AFFINE = {
    "a constant for all": swish_and_affine(1),
    "a scalar": swish_and_affine(),
    "a constant for each channel": swish_and_affine(1, 16, 1, 1),
    "without the first axis": swish_and_affine(16, 1, 1),
}


@pytest.mark.parametrize("step", AFFINE.values(), ids=AFFINE)
def test_constants_behind_a_fixed_map_take_up_factors(step: Callable[[Graph, str], str]) -> None:
    model = uneven(step)
    made = equalized(model)
    assert made is not None
    divisors = divisors_of(made)
    assert "swish_out" not in divisors
    assert divisors["shifted_out"].any()
    assert (divisors["scaled_out"] == divisors["shifted_out"]).all()
    assert Grader(model, smooth_images(3, seed=9), 1).sqnr_db(made) > EXACT_DB


def test_a_constant_of_two_nodes_stays_what_it_is_for_the_other() -> None:
    def step(g: Graph, x: str) -> str:
        shared = g.weight("shared", (1, 16, 1, 1), 1.0)
        x = g.node("Mul", [g.node("HardSwish", [x], "swish"), shared], "scaled")
        x = g.node("Conv", [x, g.weight("mixed", (16, 16, 1, 1), 0.2)], "mixing")
        return g.node("Mul", [g.node("HardSwish", [x], "other"), shared], "again")

    model = uneven(step)
    made = equalized(model)
    assert made is not None
    divisors = divisors_of(made)
    assert (divisors["scaled_out"] != divisors["again_out"]).any()
    assert Grader(model, smooth_images(3, seed=9), 1).sqnr_db(made) > EXACT_DB


HANDED_ON: dict[str, Callable[[Graph, str], str]] = {
    "relu": relu,
    "leaky": single("LeakyRelu", alpha=0.1),
    "prelu": prelu,
    "max pool": single("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "average pool": single("AveragePool", kernel_shape=[3, 3], pads=[1] * 4),
    "gate": gate,
    "sum": own_sum,
    "concatenation": parts,
    "zeros around": padded,
    "resized": resized,
}


@pytest.mark.parametrize("step", HANDED_ON.values(), ids=HANDED_ON)
def test_the_model_says_the_same(step: Callable[[Graph, str], str]) -> None:
    model = uneven(step)
    made = equalized(model)
    assert made is not None
    assert divisors_of(made)["uneven_out"].any()
    assert Grader(model, smooth_images(3, seed=9), 1).sqnr_db(made) > EXACT_DB


def test_depthwise_grouped_and_dense_layers_and_two_outputs() -> None:
    model = inferred(deep_cnn())
    made = equalized(model)
    assert made is not None
    assert Grader(model, smooth_images(3, seed=9), 1).sqnr_db(made) > EXACT_DB
    divisors = divisors_of(made)
    assert "map" not in divisors
    assert "x" not in divisors
    # the residual sum and what it is made of share one factor each
    assert (divisors["relu1_out"] == divisors["conv2_out"]).all()
    assert (divisors["relu1_out"] == divisors["residual_out"]).all()


def test_factors_are_what_the_peaks_call_for() -> None:
    """The largest channel keeps its values; others are multiplied by the root of what they lack, with weights and bias."""
    made = equalized(uneven(relu, groups=16))
    assert made is not None
    steps = divisors_of(made)["uneven_out"]
    assert steps.min() == 0
    # channels of a 32nd: the root is 2 ** 2.5, ten quarters of an octave; peaks scatter around it
    assert 9 <= np.median(steps[6:]) <= 11
    before, after = initializers(uneven(relu, groups=16)), initializers(made)
    up = 2.0 ** (steps / 4)
    np.testing.assert_allclose(after["w"], before["w"] * up[:, None, None, None], rtol=1e-6)
    np.testing.assert_allclose(after["b"], before["b"] * up, rtol=1e-6)
    # depthwise: each filter has one channel, and its own output has factors of its own
    out = 2.0 ** (divisors_of(made).get("reader_out", np.zeros(16)) / 4)
    np.testing.assert_allclose(after["w2"], before["w2"] * (out / up)[:, None, None, None], rtol=1e-6)


def clipped(g: Graph, x: str) -> str:
    bounds = [g.constant("low", np.float32(0)), g.constant("high", np.float32(6))]
    return g.node("Clip", [x, *bounds], "clip")


def sum_with_input(g: Graph, x: str) -> str:
    """A residual whose other reader the model's input reaches."""
    shown = g.node(
        "Concat", ["x"] * 5 + [g.constant("one", np.ones((1, 1, 16, 16), np.float32))], "wide", axis=1
    )
    return g.node("Add", [x, shown], "sum")


def read_besides(g: Graph, x: str) -> str:
    """A second reader that is not homogeneous."""
    y = g.node("Conv", [g.node("HardSwish", [x], "swish"), g.weight("s", (16, 16, 1, 1), 0.1)], "shifted")
    return g.node("Add", [y, g.node("Conv", [x, g.weight("t", (16, 16, 1, 1), 0.1)], "straight")], "sum")


def ones_around(g: Graph, x: str) -> str:
    pads = [g.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1])), g.constant("one", np.float32(1))]
    return g.node("Pad", [x, *pads], "padded")


def squared(g: Graph, x: str) -> str:
    return g.node("Mul", [x, x], "squared")


REFUSED: dict[str, Callable[[Graph, str], str]] = {
    "relu6": clipped,
    "sigmoid": single("Sigmoid"),
    "residual reader that is fixed": sum_with_input,
    "another reader": read_besides,
    "ones around": ones_around,
    "squared": squared,
}


@pytest.mark.parametrize("step", REFUSED.values(), ids=REFUSED)
def test_what_anything_else_reads_keeps_its_values(step: Callable[[Graph, str], str]) -> None:
    model = uneven(step)
    made = equalized(model)
    assert made is None or "uneven_out" not in divisors_of(made)
    assert made is None or Grader(model, smooth_images(3, seed=9), 1).sqnr_db(made) > EXACT_DB


def test_weights_of_two_layers_stay() -> None:
    g = Graph(3)
    weights = g.weight("w", (3, 3, 1, 1), 1.0)
    x = g.node("Relu", [g.node("Conv", ["x", weights], "first")], "relu")
    renamed(g, g.node("Conv", [x, weights], "second"), "y")
    assert equalized(inferred(g.model([floats("x", 1, 3, 16, 16)], [floats("y", 1, 3, 16, 16)]))) is None


def test_what_an_inner_graph_may_read_stays() -> None:
    model = uneven(relu)
    inner = helper.make_graph(
        [helper.make_node("Identity", ["relu_out"], ["inner"])],
        "inner",
        [],
        [onnx.ValueInfoProto(name="inner")],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    node = helper.make_node("If", ["yes"], ["seen"], "if", then_branch=inner, else_branch=inner)
    model.graph.node.insert(2, node)
    model.graph.output.append(helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1, 16, 16, 16]))
    assert equalized(model) is None


def best(folder: Path, model: onnx.ModelProto, *, equalizes: bool = True, images: int = 24) -> Quantized:
    files = CalibrationFiles(write_samples(smooth_images(images), folder / str(equalizes)))
    fast = EFFORTS["fast"]
    bounds = replace(fast, exponents=fast.exponents if equalizes else ())
    return quantize(model, files, float_nodes(model.graph), Scheme(), bounds, threads=1, told=Told())


@pytest.mark.parametrize("groups", [1, 16])
def test_small_channels_get_more_of_the_steps(tmp_path: Path, groups: int) -> None:
    """Channels down to 2 ** -5 of the largest have 8 steps; four times as many are 12 dB for those alone."""
    model = uneven(relu, groups=groups)
    without, with_ = (best(tmp_path, model, equalizes=equalizes) for equalizes in (False, True))
    grader = Grader(model, smooth_images(8, seed=9), 1)
    assert with_.equalized
    assert not without.equalized
    assert grader.sqnr_db(with_.model) > grader.sqnr_db(without.model) + 5


def test_the_given_model_is_kept_where_that_is_nearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = uneven(relu)

    def spoilt(*_: object) -> list[onnx.ModelProto]:
        """The largest channel four times as large, which leaves few steps to the others."""
        return [divided(model, {"uneven_out": np.array([8, *[0] * 15])})]

    monkeypatch.setattr("edgekit.quantization.quantize.equalize", spoilt)
    found = best(tmp_path, model)
    assert not found.equalized
    assert found.source is model


def test_it_travels_and_layers_are_tried_in_its_terms(tmp_path: Path) -> None:
    """The QDQ graph says what was divided: its ranges mean nothing for the given model."""
    model = uneven(relu)
    made = best(tmp_path, model)
    again = divided(model, divisors_of(made.model))
    assert initializers(again).keys() == initializers(made.source).keys()
    assert all(
        (initializers(again)[name] == values).all() for name, values in initializers(made.source).items()
    )
    grader = Grader(model, smooth_images(4, seed=9), 1)
    # weights rounded, activations not: nearer than the graph
    assert grader.sqnr_db(grid_model(made.source, made.model)) > grader.sqnr_db(made.model) + 1
    assert "relu_out" in activation_ranges(made.source, made.model)
    table = sensitivity(model, made.model, smooth_images(4, seed=9), limit=127, threads=1)
    alone = [layer.sqnr_db for layer in table.layers]
    assert len(alone) == 3
    assert all(db is not None and db > grader.sqnr_db(made.model) - 1 for db in alone)


def test_every_file_that_is_handed_on_is_equalized(tmp_path: Path) -> None:
    model, out = uneven(relu), tmp_path / "out"
    out.mkdir()
    onnx.save(model, tmp_path / "model.onnx")
    reply = convert(
        {
            "source": str(tmp_path / "model.onnx"),
            "io": None,
            "out_dir": str(out),
            "precision": "int8",
            "options": {"int8_activations": "uint8", "effort": "normal"},
            "calibration": str(write_samples(smooth_images(16), tmp_path / "calib")),
            "task": "image-classification",
            "threads": 1,
        }
    )
    assert reply["tools"][0]["arguments"]["equalized"] is True
    qdq, grid = onnx.load(out / "qdq.onnx"), onnx.load(out / "grid.onnx")
    images = smooth_images(4, seed=9)
    assert divisors_of(qdq).keys() == divisors_of(grid).keys()
    # they differ by the rounding of activations alone; the model itself is as far from either
    assert Grader(grid, images, 1).sqnr_db(qdq) > 20
    assert Grader(model, images, 1).sqnr_db(grid) > 20
    up = 2.0 ** (divisors_of(qdq)["uneven_out"] / 4)
    wanted = initializers(model)["w"] * up[:, None, None, None]
    largest = np.abs(wanted).max()
    # fitted weights are pulled to those of the equalized model, not of the given one
    assert np.abs(initializers(grid)["w"] - wanted).max() < 0.2 * largest
    high = json.loads((out / "ranges.json").read_text())["relu_out"][1]
    assert high == pytest.approx(activation_ranges(grid, qdq)["relu_out"][1])


def test_the_same_bytes_twice() -> None:
    first, second = (equalized(inferred(deep_cnn())) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_uninformed_samples_leave_channels_alone(tmp_path: Path) -> None:
    model = uneven(relu)
    assert not best(tmp_path, model, equalizes=False).equalized
