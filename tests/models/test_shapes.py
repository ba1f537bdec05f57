"""Free dimensions: which are bound, by what, and which option is proposed for the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto

from edgekit.errors import ModelError
from edgekit.models import Model, load_model, parse_shapes, prepare_onnx
from edgekit.models.shapes import free_dimensions
from tests.models.building import Side, model, node, saved, untyped, value

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def test_options_are_read() -> None:
    assert parse_shapes([]) == {}
    assert parse_shapes(["x:1,3,640,640", "ids:0:1,128"]) == {"x": (1, 3, 640, 640), "ids:0": (1, 128)}


@pytest.mark.parametrize(
    "option",
    [
        "x",
        "x:",
        ":1,2",
        "1,2",
        "x:1x3",
        "x:1, 3",
        "x:-1,3",
        "x:0,3",
        "x:1,,3",
        "x:²",
        "x:99999999999,99999999999",
    ],
)
def test_other_options_are_refused_with_an_example(option: str) -> None:
    with pytest.raises(ModelError, match="--shape "):
        parse_shapes([option])


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ModelError, match="twice"):
        parse_shapes(["x:1", "x:2"])


def loaded(folder: Path, inputs: dict[str, tuple[Side, ...]], *shapes: str, dtype: int = FLOAT) -> Model:
    """A model that passes each of its inputs on."""
    nodes = [node("Abs", name, f"{name}_out") for name in inputs]
    proto = model(nodes, [value(name, *shape, dtype=dtype) for name, shape in inputs.items()],
                  [untyped(f"{name}_out", dtype) for name in inputs])  # fmt: skip
    return load_model(saved(folder, proto), parse_shapes(shapes))


def shapes_of(model: Model) -> list[tuple[int | str, ...]]:
    return [spec.shape for spec in model.inputs]


@pytest.mark.parametrize(
    ("inputs", "bound"),
    [
        ({"x": ("N", 3, 8, 8)}, [(1, 3, 8, 8)]),
        ({"x": (None, 3, 8, 8)}, [(1, 3, 8, 8)]),
        ({"x": (-1, 3, 8, 8)}, [(1, 3, 8, 8)]),
        ({"x": (0, 3)}, [(1, 3)]),
        ({"x": ("length",)}, [("length",)]),  # one free side alone may be anything
        ({"x": ("batch",)}, [(1,)]),
        ({"x": ("batch", 4), "state": (2, "batch", 4)}, [(1, 4), (2, 1, 4)]),
        (
            {"x": ("time", 4), "y": (1, "time")},
            [("time", 4), (1, "time")],
        ),  # no batch: it is in second place, too
    ],
)
def test_the_batch_is_one(
    tmp_path: Path, inputs: dict[str, tuple[Side, ...]], bound: list[tuple[Side, ...]]
) -> None:
    assert shapes_of(loaded(tmp_path, inputs)) == bound


def test_given_shapes_win_over_the_batch_of_one(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"x": ("N", 3), "y": ("N", 5)}, "x:4,3")
    assert shapes_of(found) == [(4, 3), (4, 5)]
    assert [spec.shape for spec in found.outputs] == [(4, 3), (4, 5)]
    assert found.shapes == {"x": (4, 3)}


def test_a_symbol_is_bound_wherever_it_stands(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"ids": ("B", "tokens"), "mask": ("B", "tokens")}, "ids:1,128", dtype=INT64)
    assert shapes_of(found) == [(1, 128), (1, 128)]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("z:1,3", "'z', which is no input; it has: image"),
        ("imag:1,3", "did you mean 'image'"),
        ("image:1,3", "has the 4 dimensions 1,3,h,w"),
        ("image:1,4,8,8", "is fixed to 1,3,h,w in the file"),
        ("image:2,3,8,8", "is fixed to 1,3,h,w in the file"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path: Path, shape: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        loaded(tmp_path, {"image": (1, 3, "h", "w")}, shape)


def test_one_symbol_cannot_be_two_numbers(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'n' is given as 3 and as 4"):
        loaded(tmp_path, {"x": (1, "n"), "y": (1, "n")}, "x:1,3", "y:1,4")


@pytest.mark.parametrize(
    ("shape", "dtype", "option"),
    [
        (("N", 3, "p2o.D.1", "?"), FLOAT, "'x:1,3,H,W'"),
        ((1, "sequence_length"), INT64, "'x:1,SEQUENCE_LENGTH'"),
        ((1, 4, None, 6, 7), INT64, "'x:1,4,SIDE2,6,7'"),
        (("rows",), FLOAT, "'x:ROWS'"),
    ],
)
def test_the_option_to_type_is_named(
    tmp_path: Path, shape: tuple[Side, ...], dtype: int, option: str
) -> None:
    found = loaded(tmp_path, {"x": shape}, dtype=dtype)
    (line,) = free_dimensions(found.inputs)
    assert option in line
    with pytest.raises(ModelError, match="add --shape"):
        prepare_onnx(found, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_an_input_without_a_shape_takes_any(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], [untyped("x")], [untyped("y")])
    path = saved(tmp_path, proto)
    assert "has no shape" in free_dimensions(load_model(path).inputs)[0]
    assert load_model(path, {"x": (1, 2, 3)}).outputs[0].shape == (1, 2, 3)
