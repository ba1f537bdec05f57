"""The normal form: one file, static, named, the same bytes each time, the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.models import load_model, prepare_onnx
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.building import assert_same_answers, model, node, operators, random, saved, untyped, value
from tests.models.tflite_building import tiny_tflite


def prepared(folder: Path, proto: onnx.ModelProto, **shapes: tuple[int, ...]) -> Path:
    return prepare_onnx(load_model(saved(folder, proto), shapes), folder / "out.onnx")


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_a_network_answers_alike(tmp_path: Path, opset: int) -> None:
    proto = tiny_cnn(opset=opset)
    assert_same_answers(proto, prepared(tmp_path, proto), {"x": random((1, 3, 16, 16))})


def test_a_transformer_answers_alike(tmp_path: Path) -> None:
    proto = tiny_bert()
    feeds = {
        "input_ids": np.arange(16)[None] % 64,
        "attention_mask": (np.arange(16) < 9).astype(np.int64)[None],
    }
    assert_same_answers(proto, prepared(tmp_path, proto), feeds)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_bert())
    first = prepare_onnx(load_model(path), tmp_path / "a.onnx").read_bytes()
    assert prepare_onnx(load_model(path), tmp_path / "b.onnx").read_bytes() == first


def test_the_normal_form_of_a_normal_form_is_itself(tmp_path: Path) -> None:
    first = prepared(tmp_path, tiny_cnn(opset=11))
    second = prepare_onnx(load_model(first), tmp_path / "again.onnx")
    assert second.read_bytes() == first.read_bytes()


def test_external_data_moves_into_the_one_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(tiny_bert(), path, save_as_external_data=True, location="w.bin", size_threshold=16)
    out = prepare_onnx(load_model(path), tmp_path / "out.onnx")
    assert not any(
        tensor.external_data for tensor in onnx.load(out, load_external_data=False).graph.initializer
    )


def test_the_loaded_model_is_left_as_it_was(tmp_path: Path) -> None:
    loaded = load_model(saved(tmp_path, tiny_cnn(opset=11)))
    assert loaded.proto is not None
    before = loaded.proto.SerializeToString(deterministic=True)
    prepare_onnx(loaded, tmp_path / "out.onnx")
    assert loaded.proto.SerializeToString(deterministic=True) == before


def test_input_and_output_names_stay(tmp_path: Path) -> None:
    """Even where all that makes the output is an Identity."""
    nodes = [node("Relu", "x", "a"), node("Identity", "a", "y"), node("Identity", "x", "copy")]
    proto = model(nodes, [value("x", 1, 2)], [untyped("y"), untyped("copy")])
    out = onnx.load(prepared(tmp_path, proto))
    assert [item.name for item in out.graph.input] == ["x"]
    assert [item.name for item in out.graph.output] == ["y", "copy"]
    assert [one.op_type for one in out.graph.node] == ["Relu", "Identity"]


def test_what_does_nothing_goes(tmp_path: Path) -> None:
    nodes = [
        node("Identity", "x", "i1"), node("Identity", "i1", "i2"), node("Relu", "i2", "r"),
        node("Dropout", "r", "d mask"), node("Sigmoid", "r", "unused"), node("Neg", "d", "n"), node("Identity", "n", "y"),
    ]  # fmt: skip
    proto = model(nodes, [value("x", 1, 2)], [untyped("y")], {"spare": random((3,))})
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Relu", "Neg"]
    assert not onnx.load(out).graph.initializer
    assert_same_answers(proto, out, {"x": random((1, 2))})


def test_a_dropout_that_may_train_stays(tmp_path: Path) -> None:
    nodes = [node("Dropout", "x ratio train", "y")]
    proto = model(
        nodes, [value("x", 1, 2)], [untyped("y")], {"ratio": np.float32(0.5), "train": np.array(False)}
    )
    assert operators(prepared(tmp_path, proto)) == ["Dropout"]


def test_branches_see_the_new_names(tmp_path: Path) -> None:
    """A branch captures what an Identity made, and the Identity goes."""
    inner = helper.make_graph([node("Neg", "i", "n")], "g", [], [untyped("n")])
    other = helper.make_graph([node("Abs", "i", "p")], "h", [], [untyped("p")])
    nodes = [
        node("Relu", "x", "r"),
        node("Identity", "r", "i"),
        node("If", "c", "y", then_branch=inner, else_branch=other),
    ]
    proto = model(nodes, [value("x", 1, 2), value("c", dtype=TensorProto.BOOL)], [untyped("y")])
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Relu", "If"]
    for choice in (True, False):
        assert_same_answers(proto, out, {"x": random((1, 2)), "c": np.array(choice)})


def test_every_node_gets_a_name_of_its_own(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a", ""),
        node("Neg", "a", "b", "twice"),
        node("Abs", "b", "c", "twice"),
        node("Exp", "c", "y", "last"),
    ]
    out = onnx.load(prepared(tmp_path, model(nodes, [value("x", 1)], [untyped("y")])))
    assert [one.name for one in out.graph.node] == ["Relu/a", "twice", "twice/c", "last"]


def test_metadata_stay(tmp_path: Path) -> None:
    proto = tiny_cnn(opset=11)
    helper.set_model_props(proto, {"character": "a\nb"})
    assert onnx.load(prepared(tmp_path, proto)).metadata_props[0].value == "a\nb"


def test_unknown_operators_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, model([node("Frobnicate", "x", "y")], [value("x", 1)], [untyped("y")]))
    with pytest.raises(ModelError, match="Frobnicate"):
        prepare_onnx(load_model(path, allow_unknown_operators=True), tmp_path / "out.onnx")


def test_tflite_is_not_prepared(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite())
    with pytest.raises(ModelError, match="only ONNX models are converted"):
        prepare_onnx(load_model(path), tmp_path / "out.onnx")
