"""Scales and shifts after a convolution go into it, and the answers stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.models import load_model, prepare_onnx
from tests.models.building import (
    assert_same_answers,
    model,
    node,
    operators,
    random,
    saved,
    untyped,
    value,
)

CONV = (node("Conv", "x w", "c", "conv", pads=[1] * 4), (6, 4, 3, 3), 6)
GROUPED = (node("Conv", "x w", "c", "conv", group=2), (6, 2, 1, 1), 6)
TRANSPOSED = (node("ConvTranspose", "x w", "c", "conv", strides=[2, 2]), (4, 6, 2, 2), 6)
TRANSPOSED_GROUPED = (node("ConvTranspose", "x w", "c", "conv", group=2, strides=[2, 2]), (4, 3, 2, 2), 6)
LINEARS = {
    "conv": CONV,
    "grouped": GROUPED,
    "transposed": TRANSPOSED,
    "transposed grouped": TRANSPOSED_GROUPED,
}

NORM = [node("BatchNormalization", "c scale bias mean var", "y", epsilon=1e-3)]
CHAIN = [
    node("Add", "c shift", "a"),
    *[node("BatchNormalization", "a scale bias mean var", "n")],
    node("Mul", "n factor", "y"),
]
SWAPPED = [node("Mul", "factor c", "a"), node("Sub", "a shift", "d"), node("Div", "d factor", "y")]


def norm_constants(channels: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "scale": random((channels,), 4),
        "bias": random((channels,), 5),
        "mean": random((channels,), 6),
        "var": (rng.random(channels) + 0.1).astype(np.float32),
        "shift": random((channels, 1, 1), 7),
        "factor": random((1, channels, 1, 1), 8),
    }


def prepared(folder: Path, proto: onnx.ModelProto) -> Path:
    return prepare_onnx(load_model(saved(folder, proto)), folder / "out.onnx")


@pytest.mark.parametrize("biased", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("after", [NORM, CHAIN, SWAPPED], ids=["norm", "add norm mul", "mul sub div"])
@pytest.mark.parametrize("linear", LINEARS)
def test_folds_into_convolutions(
    tmp_path: Path, linear: str, after: list[onnx.NodeProto], biased: bool
) -> None:
    first = onnx.NodeProto()
    first.CopyFrom(LINEARS[linear][0])
    _, shape, channels = LINEARS[linear]
    if biased:
        first.input.append("b")
    constants = {"w": random(shape), "b": random((channels,), 9), **norm_constants(channels)}
    proto = model([first, *after], [value("x", 1, 4, 5, 5)], [untyped("y")], constants)
    out = prepared(tmp_path, proto)
    (only,) = onnx.load(out).graph.node
    assert (only.op_type, only.name, list(only.output)) == (first.op_type, "conv", ["y"])
    # scales up to 30 (a small variance) amplify float32's rounding
    assert_same_answers(proto, out, {"x": random((1, 4, 5, 5), 2)}, relative=1e-5)


@pytest.mark.parametrize("transposed", [0, 1])
def test_folds_into_gemm(tmp_path: Path, transposed: int) -> None:
    nodes = [
        node("Gemm", "x w b", "g", "gemm", transB=transposed),
        node("BatchNormalization", "g scale bias mean var", "n"),
        node("Add", "n row", "y"),
    ]
    constants = {
        "w": random((6, 4) if transposed else (4, 6)),
        "b": random((1, 6)),
        "row": random((6,)),
        **norm_constants(6),
    }
    proto = model(nodes, [value("x", 3, 4)], [untyped("y")], constants)
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Gemm"]
    assert_same_answers(proto, out, {"x": random((3, 4))})


KEPT = {
    "result used twice": [*NORM, node("Relu", "c", "z")],
    "not per channel": [node("Add", "c row", "y")],
    "adds a dimension": [node("Add", "c deeper", "y")],
    "constant minus result": [node("Sub", "shift c", "y")],
    "not constant": [node("Add", "c c", "y")],
    "in training": [node("BatchNormalization", "c scale bias mean var", "y m v", training_mode=1)],
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_no_scale_and_shift_a_channel_stays(tmp_path: Path, name: str) -> None:
    first, shape, channels = CONV
    constants = {
        "w": random(shape),
        "row": random((5,)),
        "deeper": random((1, 1, 6, 1, 1)),
        **norm_constants(channels),
    }
    results = [untyped("y"), *([untyped("z")] if "twice" in name else [])]
    proto = model([first, *KEPT[name]], [value("x", 1, 4, 5, 5)], results, constants)
    out = prepared(tmp_path, proto)
    assert len(operators(out)) == len(proto.graph.node)
    assert_same_answers(proto, out, {"x": random((1, 4, 5, 5))})


def test_an_output_between_stays(tmp_path: Path) -> None:
    first, shape, channels = CONV
    constants = {"w": random(shape), **norm_constants(channels)}
    proto = model([first, *NORM], [value("x", 1, 4, 5, 5)], [untyped("c"), untyped("y")], constants)
    assert operators(prepared(tmp_path, proto)) == ["Conv", "BatchNormalization"]


def test_a_shared_weight_is_scaled_for_one_only(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "c1", pads=[1] * 4),
        node("BatchNormalization", "c1 scale bias mean var", "y1"),
        node("Conv", "x w", "y2", pads=[1] * 4),
    ]
    constants = {"w": random((6, 4, 3, 3)), **norm_constants(6)}
    proto = model(nodes, [value("x", 1, 4, 5, 5)], [untyped("y1"), untyped("y2")], constants)
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Conv", "Conv"]
    assert_same_answers(proto, out, {"x": random((1, 4, 5, 5))})


def test_matmul_and_add_stay_apart(tmp_path: Path) -> None:
    """Fused into Gemm, weight-only quantization would find nothing and say nothing."""
    nodes = [node("MatMul", "x w", "m"), node("Add", "m b", "y")]
    proto = model(nodes, [value("x", 1, 4)], [untyped("y")], {"w": random((4, 4)), "b": random((4,))})
    assert operators(prepared(tmp_path, proto)) == ["MatMul", "Add"]


def test_old_batch_norms_fold_alike(tmp_path: Path) -> None:
    """Opset 7 has the attribute 'spatial', and a first pooling beside it."""
    nodes = [
        node("Conv", "x w", "c", pads=[1] * 4),
        node("BatchNormalization", "c scale bias mean var", "y", epsilon=1e-3),
    ]
    proto = model(
        nodes,
        [value("x", 1, 4, 5, 5)],
        [untyped("y")],
        {"w": random((6, 4, 3, 3)), **norm_constants(6)},
        opset=7,
    )
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Conv"]
    assert_same_answers(proto, out, {"x": random((1, 4, 5, 5))})
