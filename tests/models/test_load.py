"""What sound files hold: names, shapes, hashes, external data, functions, and the orders exporters write."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.models import TensorSpec, load_model
from tests.graphs import tiny_bert
from tests.models.building import model, node, random, relu, run, saved, untyped, value


def test_a_plain_model(tmp_path: Path) -> None:
    path = saved(tmp_path, relu(), "small net.onnx")
    loaded = load_model(path)
    assert (loaded.name, loaded.format, loaded.opset) == ("small net", "onnx", 17)
    assert loaded.inputs == (TensorSpec("x", (1, 2), "float32"),)
    assert loaded.outputs == (TensorSpec("y", (1, 2), "float32"),)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.size_bytes == path.stat().st_size
    assert (loaded.licence, loaded.quantized, loaded.external_files) == (None, False, ())


def test_a_model_may_have_any_suffix(tmp_path: Path) -> None:
    assert load_model(saved(tmp_path, relu(), "model.bin")).format == "onnx"


def test_output_shapes_are_inferred(tmp_path: Path) -> None:
    proto = model(
        [node("Conv", "x w", "y")], [value("x", 1, 3, 9, 9)], [untyped("y")], {"w": random((5, 3, 2, 2))}
    )
    assert load_model(saved(tmp_path, proto)).outputs[0].shape == (1, 5, 8, 8)


def test_a_wrong_statement_about_an_output_does_no_harm(tmp_path: Path) -> None:
    """Exporters keep the shape of another input size; runtimes go by what they infer."""
    proto = model([node("Relu", "x", "y")], [value("x", 1, 3)], [value("y", 1, 99)])
    assert load_model(saved(tmp_path, proto)).outputs[0].shape == (1, 3)


def test_unsorted_nodes_are_sorted(tmp_path: Path) -> None:
    proto = model([node("Relu", "a", "y"), node("Sigmoid", "x", "a")], [value("x", 1)], [value("y", 1)])
    loaded = load_model(saved(tmp_path, proto))
    assert loaded.proto is not None
    assert [one.op_type for one in loaded.proto.graph.node] == ["Sigmoid", "Relu"]


def test_a_branch_may_use_what_a_later_node_of_the_file_makes(tmp_path: Path) -> None:
    """Captured tensors order nodes as inputs do."""
    inner = helper.make_graph([node("Relu", "a", "r")], "g", [], [untyped("r")])
    nodes = [node("If", "c", "y", then_branch=inner, else_branch=inner), node("Sigmoid", "x", "a")]
    proto = model(nodes, [value("x", 1), value("c", dtype=TensorProto.BOOL)], [untyped("y")])
    loaded = load_model(saved(tmp_path, proto))
    assert loaded.proto is not None
    assert [one.op_type for one in loaded.proto.graph.node] == ["Sigmoid", "If"]


def test_functions_are_inlined(tmp_path: Path) -> None:
    """As exporters of whole modules write them."""
    body = [node("Relu", "a", "r"), node("Neg", "r", "b")]
    function = helper.make_function("local", "Flip", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    call = helper.make_node("Flip", ["x"], ["y"], domain="local")
    proto = model([call], [value("x", 1, 2)], [untyped("y")], domains={"local": 1})
    proto.functions.append(function)
    loaded = load_model(saved(tmp_path, proto))
    assert loaded.proto is not None
    assert [one.op_type for one in loaded.proto.graph.node] == ["Relu", "Neg"]
    assert loaded.outputs[0].shape == (1, 2)


def test_unknown_operators_can_be_let_in_to_be_looked_at(tmp_path: Path) -> None:
    odd = helper.make_node("Frobnicate", ["x"], ["a"], "odd", domain="my.ops")
    nodes = [odd, node("Relu", "a", "y"), node("MatMul", "x w", "z")]
    proto = model(
        nodes, [value("x", 1, 4)], [untyped("y"), untyped("z")], {"w": random((4, 2))}, domains={"my.ops": 1}
    )
    loaded = load_model(saved(tmp_path, proto), allow_unknown_operators=True)
    assert "node 'odd' (my.ops::Frobnicate)" in loaded.unknown_operators[0]
    assert loaded.outputs[1].shape == (1, 2)


def test_what_can_be_checked_of_a_model_with_unknown_operators_is(tmp_path: Path) -> None:
    nodes = [node("Frobnicate", "x", "a"), node("Conv", "a", "y", "lonely")]
    proto = model(nodes, [value("x", 1, 4)], [untyped("y")])
    with pytest.raises(ModelError, match="lonely"):
        load_model(saved(tmp_path, proto), allow_unknown_operators=True)


# --- external data -------------------------------------------------------------------------------------------


def external(folder: Path, proto: onnx.ModelProto) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "m.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="weights/w.bin", size_threshold=16)
    return path


@pytest.fixture
def split(tmp_path: Path) -> Path:
    (tmp_path / "model" / "weights").mkdir(parents=True)
    return external(tmp_path / "model", tiny_bert())


def test_external_data_is_read(split: Path) -> None:
    loaded = load_model(split)
    feeds = {"input_ids": np.arange(16)[None], "attention_mask": np.ones((1, 16), np.int64)}
    assert loaded.proto is not None
    np.testing.assert_array_equal(run(loaded.proto, feeds)[0], run(tiny_bert(), feeds)[0])
    (file,) = loaded.external_files
    assert loaded.size_bytes == split.stat().st_size + file.stat().st_size


def test_every_byte_of_external_data_counts_for_the_hash(split: Path) -> None:
    before = load_model(split).sha256
    weights = split.parent / "weights" / "w.bin"
    content = bytearray(weights.read_bytes())
    content[5] ^= 1
    weights.write_bytes(content)
    assert load_model(split).sha256 != before


def test_the_hash_does_not_depend_on_the_place(split: Path, tmp_path: Path) -> None:
    before = load_model(split).sha256
    moved = split.parent.rename(tmp_path / "elsewhere")
    assert load_model(moved / "m.onnx").sha256 == before


def test_links_inside_the_folder_are_followed(split: Path) -> None:
    weights = split.parent / "weights" / "w.bin"
    weights.rename(split.parent / "real.bin")
    weights.symlink_to(split.parent / "real.bin")
    assert load_model(split).external_files == ((split.parent / "real.bin").resolve(),)


def test_a_model_may_be_reached_by_a_relative_path(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(split.parent)
    assert len(load_model(Path("m.onnx")).external_files) == 1
