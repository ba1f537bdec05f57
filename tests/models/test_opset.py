"""Old graphs are raised to opset 17 with the same answers, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgekit.errors import ModelError
from edgekit.models import load_model, prepare_onnx
from edgekit.models.structure import MAX_IR, MAX_OPSET, MIN_OPSET
from tests.graphs import tiny_cnn
from tests.models.building import assert_same_answers, model, node, random, relu, run, saved, untyped, value

IMAGE = (1, 4, 6, 6)
CASES: dict[str, tuple[int, list[onnx.NodeProto], dict[str, Any]]] = {
    "Clip with attributes": (7, [node("Clip", "x", "y", min=-0.5, max=0.5)], {}),
    "Upsample with attribute": (
        7,
        [node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])],
        {},
    ),
    "Upsample with input": (
        9,
        [node("Upsample", "x s", "y", mode="linear")],
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "Resize 10 nearest": (
        10,
        [node("Resize", "x s", "y", mode="nearest")],
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "Resize 10 smaller": (
        10,
        [node("Resize", "x s", "y", mode="nearest")],
        {"s": np.array([1, 1, 0.4, 0.4], np.float32)},
    ),
    "Resize 10 odd": (
        10,
        [node("Resize", "x s", "y", mode="nearest")],
        {"s": np.array([1, 1, 1.4, 2.6], np.float32)},
    ),
    "Resize 10 linear": (
        10,
        [node("Resize", "x s", "y", mode="linear")],
        {"s": np.array([1, 1, 1.5, 2], np.float32)},
    ),
    "Upsample odd": (
        9,
        [node("Upsample", "x s", "y", mode="nearest")],
        {"s": np.array([1, 1, 1.7, 1.3], np.float32)},
    ),
    "Resize 11": (
        11,
        [node("Resize", "x roi s", "y", mode="linear", coordinate_transformation_mode="asymmetric")],
        {"roi": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "Softmax over the rest": (11, [node("Softmax", "x", "y", axis=1)], {}),
    "Softmax over the last": (7, [node("Softmax", "x", "y", axis=3)], {}),
    "LogSoftmax": (11, [node("LogSoftmax", "x", "y", axis=2)], {}),
    "Squeeze and Unsqueeze": (
        11,
        [node("Squeeze", "x", "s", axes=[0]), node("Unsqueeze", "s", "y", axes=[0, 1])],
        {},
    ),
    "Slice with attributes": (9, [node("Slice", "x", "y", axes=[2, 3], starts=[1, 0], ends=[5, -1])], {}),
    "Pad with attributes": (10, [node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 2, 2], value=0.5)], {}),
    "ReduceSum": (11, [node("ReduceSum", "x", "y", axes=[2, 3], keepdims=0)], {}),
    "ReduceMean": (11, [node("ReduceMean", "x", "y", axes=[1], keepdims=1)], {}),
    "Split": (11, [node("Split", "x", "a b", axis=1, split=[1, 3]), node("Concat", "b a", "y", axis=1)], {}),
    "Dropout": (7, [node("Relu", "x", "r"), node("Dropout", "r", "y", ratio=0.3)], {}),
    "PRelu": (7, [node("PRelu", "x p", "y")], {"p": random((4, 1, 1))}),
    "AveragePool": (
        7,
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])],
        {},
    ),
    "MaxPool": (8, [node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2])], {}),
    "Gemm": (
        7,
        [node("Flatten", "x", "f"), node("Gemm", "f w b", "y", alpha=0.5)],
        {"w": random((144, 3)), "b": random((3,))},
    ),
    "HardSigmoid, Elu, Selu": (
        7,
        [node("HardSigmoid", "x", "h"), node("Elu", "h", "e"), node("Selu", "e", "y")],
        {},
    ),
    "TopK 10": (10, [node("Flatten", "x", "f"), node("TopK", "f k", "y i", axis=1)], {"k": np.array([3])}),
    "Gather": (9, [node("Gather", "x i", "y", axis=1)], {"i": np.array([2, 0])}),
    "DepthToSpace": (9, [node("DepthToSpace", "x", "y", blocksize=2)], {}),
    "LeakyRelu, Sqrt, Pow": (
        7,
        [node("LeakyRelu", "x", "l"), node("Abs", "l", "a"), node("Sqrt", "a", "q"), node("Pow", "q p", "y")],
        {"p": np.float32(3)},
    ),
    "InstanceNormalization": (7, [node("InstanceNormalization", "x s s", "y")], {"s": random((4,))}),
    "ArgMax": (11, [node("ArgMax", "x", "i", axis=1), node("Cast", "i", "y", to=1)], {}),
    "Where and Equal": (11, [node("Equal", "x x", "e"), node("Where", "e x z", "y")], {"z": np.float32(0)}),
    "CumSum and Round": (11, [node("CumSum", "x a", "c"), node("Round", "c", "y")], {"a": np.array(3)}),
    "GRU": (
        7,
        [node("Squeeze", "x", "s", axes=[0]), node("GRU", "s w r", "y", hidden_size=5)],
        {"w": random((1, 15, 6)), "r": random((1, 15, 5))},
    ),
    "LSTM": (
        13,
        [node("Squeeze", "x a", "s"), node("LSTM", "s w r", "y", hidden_size=5)],
        {"w": random((1, 20, 6)), "r": random((1, 20, 5)), "a": np.array([0])},
    ),
    "Hardmax over the last": (7, [node("Hardmax", "x", "y", axis=3)], {}),
    "MeanVarianceNormalization": (9, [node("MeanVarianceNormalization", "x", "y")], {}),
    "Scatter": (
        9,
        [node("Scatter", "x i u", "y", axis=3)],
        {"i": np.array([[[[5, 2]]]]), "u": random((1, 1, 1, 2))},
    ),
    "Einsum": (12, [node("Einsum", "x w", "y", equation="bchw,cd->bdhw")], {"w": random((4, 2))}),
}


@pytest.mark.parametrize("name", CASES)
def test_raised_graphs_answer_alike(tmp_path: Path, name: str) -> None:
    opset, nodes, constants = CASES[name]
    proto = model(nodes, [value("x", *IMAGE)], [untyped("y")], constants, opset=opset)
    out = prepare_onnx(load_model(saved(tmp_path, proto)), tmp_path / "out.onnx")
    raised = onnx.load(out)
    assert [entry.version for entry in raised.opset_import] == [17]
    onnx.checker.check_model(raised, full_check=True)
    assert_same_answers(proto, out, {"x": random(IMAGE)}, relative=1e-5)


def test_what_the_converter_would_get_wrong_is_refused(tmp_path: Path) -> None:
    """onnx 1.23 keeps Hardmax as it is; over axes 1 to 3 it then takes another maximum."""
    proto = model([node("Hardmax", "x", "y", axis=1)], [value("x", *IMAGE)], [untyped("y")], opset=11)
    with pytest.raises(ModelError, match="spans several axes"):
        prepare_onnx(load_model(saved(tmp_path, proto)), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("opset", range(MIN_OPSET, 18))
def test_a_network_of_every_old_opset_answers_alike(tmp_path: Path, opset: int) -> None:
    nodes = [
        node("Conv", "x w", "c", pads=[1] * 4), node("BatchNormalization", "c s s s v", "n"), node("Relu", "n", "r"),
        node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "f"), node("Gemm", "f k b", "y"),
    ]  # fmt: skip
    constants = {
        "w": random((6, 4, 3, 3)), "s": random((6,)), "v": np.ones(6, np.float32), "k": random((6, 3)), "b": random((3,)),
    }  # fmt: skip
    proto = model(nodes, [value("x", *IMAGE)], [untyped("y")], constants, opset=opset, ir=3)
    proto.graph.input.extend(
        value(name, *array.shape) for name, array in constants.items()
    )  # as IR 3 demands
    loaded = load_model(saved(tmp_path, proto))
    assert [spec.name for spec in loaded.inputs] == ["x"]
    out = prepare_onnx(loaded, tmp_path / "out.onnx")
    assert_same_answers(proto, out, {"x": random(IMAGE)})


def test_newer_opsets_stay_as_they_are(tmp_path: Path) -> None:
    proto = model([node("Gelu", "x", "y")], [value("x", 1, 4)], [untyped("y")], opset=20, ir=9)
    out = prepare_onnx(load_model(saved(tmp_path, proto)), tmp_path / "out.onnx")
    assert [entry.version for entry in onnx.load(out).opset_import] == [20]
    assert_same_answers(proto, out, {"x": random((1, 4))})


def test_the_newest_opset_that_is_read_can_be_run() -> None:
    """onnx and onnxruntime are released apart; what edgekit lets in, both must take."""
    (answer,) = run(relu(opset=MAX_OPSET, ir=MAX_IR), {"x": np.array([[-1, 2]], np.float32)})
    assert answer.tolist() == [[0, 2]]


def test_names_of_the_source_stay(tmp_path: Path) -> None:
    proto = tiny_cnn(opset=11)
    out = prepare_onnx(load_model(saved(tmp_path, proto)), tmp_path / "out.onnx")
    assert {one.name for one in onnx.load(out).graph.node} <= {one.name for one in proto.graph.node}
