"""TFLite files: facts from their tables alone, and the tables agree with what LiteRT runs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgekit.errors import ModelError
from edgekit.models import GraphFacts, TensorSpec, graph_facts, load_model
from tests.models.tflite_building import Builder, conv_options, tiny_tflite


def written(folder: Path, content: bytes) -> Path:
    path = folder / "m.tflite"
    path.write_bytes(content)
    return path


def facts_of(folder: Path, content: bytes) -> GraphFacts:
    return graph_facts(load_model(written(folder, content)))


def test_the_facts_by_hand(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, tiny_tflite())
    assert facts.operators == {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1}
    assert [layer.macs for layer in facts.layers] == [64 * 4 * 27, 64 * 4 * 9, 0, 5 * 256]
    assert [layer.name for layer in facts.layers] == ["conv", "depthwise", "flat", "y"]
    # filters, one bias that two layers share, and the target shape of RESHAPE (int32 counts)
    assert facts.parameters == 108 + 4 + 36 + 2 + 1280
    # conv and depthwise at once
    assert facts.peak_activation_bytes == 4 * (256 + 256)


def test_litert_runs_what_was_counted(tmp_path: Path) -> None:
    """The file is a real one: LiteRT loads it and knows the same operators and tensors."""
    path = written(tmp_path, tiny_tflite())
    loaded = load_model(path)
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones((1, 8, 8, 3), np.float32))
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    assert interpreter.get_tensor(output["index"]).shape == (1, 5)
    assert loaded.inputs == (TensorSpec("x", (1, 8, 8, 3), "float32"),)
    assert loaded.outputs == (TensorSpec(output["name"], tuple(output["shape"]), "float32"),)
    assert (loaded.format, loaded.opset, loaded.proto) == ("tflite", None, None)


MACS: dict[str, tuple[list[tuple[int, ...]], tuple[int, ...], Any, int]] = {
    "TRANSPOSE_CONV": ([(4,), (3, 2, 2, 8), (1, 5, 5, 8)], (1, 10, 10, 3), None, 200 * 12),
    "CONV_3D": ([(1, 4, 4, 4, 2), (2, 2, 2, 2, 5)], (1, 3, 3, 3, 5), None, 27 * 5 * 16),
    "BATCH_MATMUL": ([(2, 3, 4), (2, 4, 5)], (2, 3, 5), None, 30 * 4),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        [(1, 7, 3), *[(6, 3)] * 4, *[(6, 6)] * 4],
        (1, 7, 6),
        None,
        7 * (4 * 18 + 4 * 36),
    ),
    "RELU": ([(1, 100)], (1, 100), None, 0),
    "MyCustomOp": ([(1, 100)], (1, 100), None, 0),
}


@pytest.mark.parametrize("op", MACS)
def test_macs_by_hand(tmp_path: Path, op: str) -> None:
    shapes, result, options, macs = MACS[op]
    b = Builder()
    inputs = [b.tensor(f"in{index}", shape) for index, shape in enumerate(shapes)]
    y = b.tensor("y", result)
    b.operator(op, inputs, [y], options)
    facts = facts_of(tmp_path, b.content(inputs, [y]))
    assert facts.macs == macs
    assert facts.notes == (
        ("MACs of custom operators are not counted: MyCustomOp",) if op == "MyCustomOp" else ()
    )


def test_a_transposed_left_side_shares_its_first_side(tmp_path: Path) -> None:
    options = schema.BatchMatMulOptionsT()
    options.adjX = True
    b = Builder()
    x, w, y = b.tensor("x", (2, 4, 3)), b.tensor("w", (2, 4, 5)), b.tensor("y", (2, 3, 5))
    b.operator("BATCH_MATMUL", [x, w], [y], options)
    assert facts_of(tmp_path, b.content([x, w], [y])).macs == 30 * 4


def test_shapes_cannot_be_changed(tmp_path: Path) -> None:
    path = written(tmp_path, tiny_tflite())
    assert load_model(path, {"x": (1, 8, 8, 3)}).inputs[0].shape == (1, 8, 8, 3)
    with pytest.raises(ModelError, match="keeps the shapes"):
        load_model(path, {"x": (1, 16, 16, 3)})


# --- damage --------------------------------------------------------------------------------------------------


def _dangling(b: Builder, x: int, y: int) -> None:
    b.operator("ADD", [x, b.tensor("nowhere", (1, 4))], [y])


def _absent(b: Builder, x: int, y: int) -> None:
    b.operator("RELU", [99], [y])


def _twice(b: Builder, x: int, y: int) -> None:
    b.operator("RELU", [x], [y])
    b.operator("RELU", [x], [y])


def _in_a_circle(b: Builder, x: int, y: int) -> None:
    a = b.tensor("a", (1, 4))
    b.operator("ADD", [x, a], [y])
    b.operator("RELU", [y], [a])


def _flat_filter(b: Builder, x: int, y: int) -> None:
    b.operator("CONV_2D", [x, b.tensor("w", (4,), data=np.zeros(4, np.float32))], [y], conv_options())


def _short_weight(b: Builder, x: int, y: int) -> None:
    b.operator("ADD", [x, b.tensor("w", (1000,), data=np.zeros(4, np.float32))], [y])


def _absurd(b: Builder, x: int, y: int) -> None:
    b.operator("TILE", [x], [y])
    b.operator("TILE", [y], [b.tensor("big", (2**30, 2**30))])


def _no_operator(b: Builder, x: int, y: int) -> None:
    return


DAMAGE: dict[str, tuple[Callable[[Builder, int, int], None], str]] = {
    "dangling": (_dangling, "'nowhere', which nothing before it makes"),
    "absent": (_absent, "names a tensor that is absent"),
    "twice": (_twice, "two operators make the tensor 'y'"),
    "circle": (_in_a_circle, "'a', which nothing before it makes"),
    "flat filter": (_flat_filter, "needs an input of 4 dimensions"),
    "short weight": (_short_weight, "needs 4,000"),
    "absurd": (_absurd, "no device holds"),
    "no operator": (_no_operator, "no operators"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_unsound_graphs_are_refused(tmp_path: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    b = Builder()
    x, y = b.tensor("x", (1, 4)), b.tensor("y", (1, 4))
    damage(b, x, y)
    with pytest.raises(ModelError, match=words):
        load_model(written(tmp_path, b.content([x], [y])))


@pytest.mark.parametrize("cut", [8, 20, 100, 400, 2000])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    content = tiny_tflite()
    assert cut < len(content)
    with pytest.raises(ModelError, match="no TFLite model, or damaged"):
        load_model(written(tmp_path, content[:cut]))


def test_a_list_of_endless_length_is_refused(tmp_path: Path) -> None:
    """The vector of tensors claims 2**31 entries."""
    content = bytearray(tiny_tflite())
    graph = schema.Model.GetRootAs(bytes(content), 0).Subgraphs(0)
    at = graph._tab.Vector(graph._tab.Offset(4)) - 4
    struct.pack_into("<I", content, at, 2**31 - 1)
    with pytest.raises(ModelError, match="entries"):
        load_model(written(tmp_path, bytes(content)))
