"""What is constant is computed once; what unpacks a quantized weight, or would swell the file, is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ModelError
from edgekit.models import load_model, prepare_onnx
from tests.models.building import assert_same_answers, model, node, operators, random, saved, untyped, value


def prepared(folder: Path, proto: onnx.ModelProto, **shapes: tuple[int, ...]) -> Path:
    return prepare_onnx(load_model(saved(folder, proto), shapes), folder / "out.onnx")


def constant(name: str, array: np.ndarray) -> onnx.NodeProto:
    return node("Constant", "", name, value=numpy_helper.from_array(array, name))


def test_weights_in_constant_nodes_become_initializers(tmp_path: Path) -> None:
    """As Paddle's exporter writes them."""
    nodes = [constant("w", random((4, 3))), node("MatMul", "x w", "y")]
    proto = model(nodes, [value("x", 1, 4)], [untyped("y")])
    out = prepared(tmp_path, proto)
    assert operators(out) == ["MatMul"]
    assert [tensor.name for tensor in onnx.load(out).graph.initializer] == ["w"]
    assert_same_answers(proto, out, {"x": random((1, 4))})


@pytest.mark.parametrize(
    ("attribute", "written", "dtype"),
    [
        ("value_float", 2.5, np.float32),
        ("value_floats", [1.0, 2.0], np.float32),
        ("value_int", 7, np.int64),
        ("value_ints", [1, 2, 3], np.int64),
    ],
)
def test_every_form_of_constant_is_lifted(tmp_path: Path, attribute: str, written: Any, dtype: type) -> None:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        node("Constant", "", "k", **{attribute: written}),
        node("Cast", "x", "f", to=element),
        node("Mul", "f k", "y"),
    ]
    out = onnx.load(prepared(tmp_path, model(nodes, [value("x", 1)], [untyped("y", element)])))
    (tensor,) = out.graph.initializer
    assert numpy_helper.to_array(tensor).dtype == dtype
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), np.array(written, dtype))


def flatten_by_shape() -> onnx.ModelProto:
    """What exporters write for ``x.reshape(x.shape[0], -1)``."""
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n zeros", "n1"),
        node("Concat", "n1 minus", "target", axis=0), node("Reshape", "x target", "y"),
    ]  # fmt: skip
    constants = {"zero": np.array(0), "zeros": np.array([0]), "minus": np.array([-1])}
    return model(nodes, [value("x", "N", 3, "H", "W")], [untyped("y")], constants)


def test_shape_arithmetic_is_computed(tmp_path: Path) -> None:
    proto = flatten_by_shape()
    out = prepared(tmp_path, proto, x=(1, 3, 4, 5))
    assert operators(out) == ["Reshape"]
    assert_same_answers(proto, out, {"x": random((1, 3, 4, 5))})


def test_shape_arithmetic_behind_a_reshape_is_computed_in_a_second_round(tmp_path: Path) -> None:
    """The shape of r is only known once the first target is."""
    first = flatten_by_shape()
    first.graph.node[-1].output[0] = first.graph.node[-1].name = "r"
    nodes = [
        *first.graph.node, node("Shape", "r", "s2"), node("ReduceProd", "s2", "count", keepdims=1),
        node("Reshape", "r count", "y"),
    ]  # fmt: skip
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in first.graph.initializer}
    proto = model(nodes, [value("x", 1, 3, 4, 5)], [untyped("y")], constants)
    out = prepared(tmp_path, proto)
    assert operators(out) == ["Reshape", "Reshape"]
    assert_same_answers(proto, out, {"x": random((1, 3, 4, 5))})


def test_parts_of_a_shape_are_computed(tmp_path: Path) -> None:
    nodes = [node("Shape", "x", "s", start=1, end=-1), node("Size", "x", "n"), node("Add", "s n", "y")]
    proto = model(
        [*nodes, node("Identity", "x", "z")], [value("x", 2, 3, 4)], [untyped("y", 7), untyped("z")]
    )
    out = prepared(tmp_path, proto)
    assert_same_answers(proto, out, {"x": random((2, 3, 4))})
    assert "Shape" not in operators(out)


def test_random_numbers_stay_random(tmp_path: Path) -> None:
    nodes = [node("RandomNormal", "", "r", shape=[1, 4]), node("Add", "x r", "y")]
    assert operators(prepared(tmp_path, model(nodes, [value("x", 1, 4)], [untyped("y")]))) == [
        "RandomNormal",
        "Add",
    ]


def test_quantized_weights_stay_quantized(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).integers(-9, 9, (8, 8), np.int8)
    nodes = [
        node("DequantizeLinear", "q s", "w1"), node("MatMul", "x w1", "a"),
        node("Cast", "q", "f", to=TensorProto.FLOAT), node("Mul", "f s", "w2"), node("MatMul", "a w2", "y"),
    ]  # fmt: skip
    proto = model(nodes, [value("x", 1, 8)], [untyped("y")], {"q": weight, "s": np.float32(0.1)})
    assert operators(prepared(tmp_path, proto)) == [one.op_type for one in nodes]


def test_a_small_recipe_for_a_large_constant_stays_a_recipe(tmp_path: Path) -> None:
    nodes = [node("ConstantOfShape", "s", "big"), node("Add", "x big", "y")]
    proto = model(nodes, [value("x", 1, 1)], [untyped("y")], {"s": np.array([1024, 1024])})
    out = prepared(tmp_path, proto)
    assert operators(out) == ["ConstantOfShape", "Add"]
    assert out.stat().st_size < 10_000


def test_what_cannot_be_computed_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """A Reshape of 4 constants to 3."""
    nodes = [node("Reshape", "k three", "r"), node("Add", "x r", "y")]
    proto = model(nodes, [value("x", 1)], [untyped("y")], {"k": random((4,)), "three": np.array([3])})
    with pytest.raises(ModelError, match=r"m\.onnx"):
        prepared(tmp_path, proto)
