"""Decibels of a graph's answers, those that are no numbers included."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.quantization.grading import CAP_DB, Grader
from tests.graphs import Graph, floats, renamed

DATA = [
    {"x": np.array([[1.0, -2.0, 3.0, 0.5]], np.float32)},
    {"x": np.array([[0.1, 0.2, 0.4, 0.3]], np.float32)},
]


def factor(value: float, *, outputs: int = 1) -> onnx.ModelProto:
    """y = value * x, and the same z = x."""
    g = Graph()
    renamed(g, g.node("Mul", ["x", g.constant("factor", np.float32(value))], "mul"), "y")
    if outputs > 1:
        renamed(g, g.node("Mul", ["x", g.constant("one", np.float32(1))], "same"), "z")
    return g.model([floats("x", 1, 4)], [floats(name, 1, 4) for name in ("y", "z")[:outputs]])


def test_signal_over_noise() -> None:
    # a tenth of each value is off: noise is a hundredth of the signal
    assert Grader(factor(1.0), DATA, 1).sqnr_db(factor(1.1)) == pytest.approx(20, abs=0.01)
    assert Grader(factor(1.0), DATA, 1).sqnr_db(factor(1.0)) == CAP_DB


def test_the_mean_over_the_outputs_is_that_of_the_noise() -> None:
    grader = Grader(factor(1.0, outputs=2), DATA, 1)
    assert grader.sqnr_db(factor(1.1, outputs=2)) == pytest.approx(20 + 10 * np.log10(2), abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_worst(bad: float) -> None:
    assert Grader(factor(1.0), DATA, 1).sqnr_db(factor(bad)) == -CAP_DB


def test_infinite_in_the_source_counts_for_nothing() -> None:
    g = Graph()
    renamed(g, g.node("Log", [g.node("Relu", ["x"], "relu")], "log"), "y")
    model = g.model([floats("x", 1, 4)], [floats("y", 1, 4)])
    assert Grader(model, DATA, 1).sqnr_db(model) == CAP_DB


def test_a_signal_of_zero() -> None:
    assert Grader(factor(0.0), DATA, 1).sqnr_db(factor(0.0)) == CAP_DB
    assert Grader(factor(0.0), DATA, 1).sqnr_db(factor(1.0)) == 0.0


def classes(sign: float) -> onnx.ModelProto:
    g = Graph()
    x = g.node("Mul", ["x", g.constant("sign", np.float32(sign))], "mul")
    renamed(g, g.node("ArgMax", [x], "argmax", axis=1), "y")
    return g.model([floats("x", 1, 4)], [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1])])


def test_classes_are_graded_by_agreement() -> None:
    grader = Grader(classes(1.0), DATA, 1)
    assert grader.sqnr_db(classes(2.0)) == CAP_DB
    assert grader.sqnr_db(classes(-1.0)) == 0.0


def found(limit: float) -> onnx.ModelProto:
    """The values above a limit: as many as there are."""
    g = Graph()
    over = g.node("Greater", ["x", g.constant("limit", np.float32(limit))], "over")
    flat = g.node("Reshape", [over, g.constant("flat", np.array([-1]))], "reshape")
    renamed(g, g.node("Compress", ["x", flat], "found", axis=1), "y")
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, None])
    return g.model([floats("x", 1, 4)], [y])


def test_answers_of_another_shape_are_lost() -> None:
    grader = Grader(found(0.0), DATA, 1)
    assert grader.sqnr_db(found(0.01)) == CAP_DB
    assert 0 <= grader.sqnr_db(found(0.7)) < 1  # of both samples other boxes
