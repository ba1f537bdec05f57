"""A TFLite file becomes an ONNX graph that computes what LiteRT's reference kernels do."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.errors import ModelError
from edgekit.models.zoo.builders._tflite_graph import tflite_graph
from tests.models.tflite_building import Builder, tiny_tflite
from tests.models.zoo.tflite_comparing import as_onnx, litert, without_custom

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATIONS = schema.ActivationFunctionType
TOLERANCE = 1e-5  # of values of about one: sums of a few dozen float32 products in another order
Shape = Sequence[int]
Case = Callable[[Builder], tuple[list[int], list[int]]]


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray[Any, Any]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def options(kind: str, **values: Any) -> Any:
    made = getattr(schema, f"{kind}OptionsT")()
    for key, value in values.items():
        setattr(made, key, value)
    return made


def one(op: str, x: Shape, y: Shape, chosen: Any, *constants: np.ndarray[Any, Any]) -> Case:
    """x -> ``op`` with constants behind x -> y; convolutions get the bias that LiteRT insists on."""
    if op in ("CONV_2D", "DEPTHWISE_CONV_2D") and len(constants) == 1:
        constants = (*constants, numbers(y[3]))

    def build(b: Builder) -> tuple[list[int], list[int]]:
        inputs = [b.tensor("x", x)]
        inputs += [b.tensor(f"c{i}", c.shape, data=c) for i, c in enumerate(constants)]
        out = b.tensor("y", y)
        b.operator(op, inputs, [out], chosen)
        return inputs[:1], [out]

    return build


def conv(
    padding: int = SAME, stride: tuple[int, int] = (1, 1), dilation: int = 1, fused: int = 0, depth: int = 0
) -> Any:
    kind = "DepthwiseConv2D" if depth else "Conv2D"
    more = {"depthMultiplier": depth} if depth else {}
    return options(
        kind, padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation,
        dilationWFactor=dilation, fusedActivationFunction=fused, **more,
    )  # fmt: skip


def pool(window: tuple[int, int], stride: int, padding: int = VALID) -> Any:
    return options(
        "Pool2D", filterHeight=window[0], filterWidth=window[1], strideH=stride, strideW=stride, padding=padding
    )  # fmt: skip


def resize(**values: bool) -> Any:
    return options("ResizeBilinear", **values)


def ints(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int32)


def two(op: str, a: Shape, b_shape: Shape, y: Shape, chosen: Any) -> Case:
    """Two computed sides."""

    def build(b: Builder) -> tuple[list[int], list[int]]:
        inputs = [b.tensor("a", a), b.tensor("b", b_shape)]
        out = b.tensor("y", y)
        b.operator(op, inputs, [out], chosen)
        return inputs, [out]

    return build


def half_weights(b: Builder) -> tuple[list[int], list[int]]:
    """A filter and a bias kept as float16, as MediaPipe ships them."""
    x, y = b.tensor("x", (1, 5, 6, 3)), b.tensor("y", (1, 5, 6, 4))
    stored = [numbers(4, 3, 3, 3, dtype=np.float16), numbers(4, dtype=np.float16)]
    wide = []
    for index, values in enumerate(stored):
        half = b.tensor(f"half{index}", values.shape, data=values)
        wide.append(b.tensor(f"wide{index}", values.shape))
        b.operator("DEQUANTIZE", [half], [wide[-1]])
    b.operator("CONV_2D", [x, *wide], [y], conv())
    return [x], [y]


def transposed(padding: int, kernel: int, stride: int, side: int) -> Case:
    def build(b: Builder) -> tuple[list[int], list[int]]:
        shape = b.tensor("shape", (4,), data=ints(1, side, side, 2))
        weight = b.tensor("w", (2, kernel, kernel, 3), data=numbers(2, kernel, kernel, 3))
        x, y = b.tensor("x", (1, 4, 4, 3)), b.tensor("y", (1, side, side, 2))
        chosen = options("TransposeConv", padding=padding, strideH=stride, strideW=stride)
        b.operator("TRANSPOSE_CONV", [shape, weight, x], [y], chosen)
        return [x], [y]

    return build


CASES: dict[str, Case] = {
    "conv": one("CONV_2D", (1, 5, 7, 3), (1, 5, 7, 4), conv(), numbers(4, 3, 3, 3), numbers(4)),
    "conv, valid": one("CONV_2D", (1, 5, 7, 3), (1, 3, 5, 4), conv(VALID), numbers(4, 3, 3, 3)),
    # an even side, kernel 3, stride 2: SAME pads only at the end, where most frameworks pad at both
    "conv stride 2, even": one("CONV_2D", (1, 8, 8, 3), (1, 4, 4, 4), conv(stride=(2, 2)), numbers(4, 3, 3, 3)),
    "conv stride 2, odd": one("CONV_2D", (1, 7, 9, 3), (1, 4, 5, 4), conv(stride=(2, 2)), numbers(4, 3, 3, 3)),
    "conv strides differ": one("CONV_2D", (1, 8, 9, 3), (1, 4, 9, 4), conv(stride=(2, 1)), numbers(4, 3, 2, 3)),
    "conv dilated": one("CONV_2D", (1, 9, 9, 3), (1, 9, 9, 4), conv(dilation=2), numbers(4, 3, 3, 3)),
    "conv in groups": one("CONV_2D", (1, 5, 5, 4), (1, 5, 5, 6), conv(), numbers(6, 3, 3, 2)),
    "conv and relu": one("CONV_2D", (1, 5, 5, 3), (1, 5, 5, 4), conv(fused=ACTIVATIONS.RELU), numbers(4, 3, 3, 3)),
    "conv and relu6": one(
        "CONV_2D", (1, 5, 5, 3), (1, 5, 5, 4), conv(fused=ACTIVATIONS.RELU6), 3 * numbers(4, 3, 3, 3)
    ),
    "conv, relu between -1 and 1": one(
        "CONV_2D", (1, 5, 5, 3), (1, 5, 5, 4), conv(fused=ACTIVATIONS.RELU_N1_TO_1), numbers(4, 3, 3, 3)
    ),
    "depthwise": one("DEPTHWISE_CONV_2D", (1, 6, 6, 3), (1, 3, 3, 3), conv(stride=(2, 2), depth=1), numbers(1, 3, 3, 3)),
    "depthwise, 2 a channel": one(
        "DEPTHWISE_CONV_2D", (1, 6, 6, 3), (1, 6, 6, 6), conv(depth=2), numbers(1, 5, 5, 6), numbers(6)
    ),
    "float16 weights": half_weights,
    "transposed, kernel = stride": transposed(SAME, 2, 2, 8),
    "transposed, overlapping": transposed(SAME, 3, 2, 8),
    "transposed, one less": transposed(SAME, 3, 2, 7),
    "transposed, valid": transposed(VALID, 3, 2, 9),
    "transposed, gaps": transposed(SAME, 1, 2, 8),
    "add": two("ADD", (1, 4, 5, 3), (1, 4, 5, 3), (1, 4, 5, 3), options("Add")),
    "add and relu6": two("ADD", (1, 4, 5, 3), (1, 4, 5, 3), (1, 4, 5, 3), options("Add", fusedActivationFunction=3)),
    "add a number a channel": one("ADD", (1, 4, 5, 3), (1, 4, 5, 3), options("Add"), numbers(3)),
    "multiply by one a channel": two("MUL", (1, 4, 5, 3), (1, 1, 1, 3), (1, 4, 5, 3), options("Mul")),
    "multiply by a map": one("MUL", (1, 4, 5, 3), (1, 4, 5, 3), options("Mul"), numbers(4, 5, 1)),
    "subtract a scalar": one("SUB", (1, 4, 5, 3), (1, 4, 5, 3), options("Sub"), np.array(0.5, np.float32)),
    "average pool": one("AVERAGE_POOL_2D", (1, 6, 6, 3), (1, 3, 3, 3), pool((2, 2), 2)),
    "average pool, padded": one("AVERAGE_POOL_2D", (1, 5, 5, 3), (1, 3, 3, 3), pool((3, 3), 2, SAME)),
    "average of all": one("AVERAGE_POOL_2D", (1, 6, 4, 3), (1, 1, 1, 3), pool((6, 4), 4)),
    "max pool": one("MAX_POOL_2D", (1, 7, 6, 3), (1, 3, 3, 3), pool((2, 2), 2)),
    "max pool, padded": one("MAX_POOL_2D", (1, 7, 6, 3), (1, 4, 3, 3), pool((3, 3), 2, SAME)),
    "mean of the map": one("MEAN", (1, 4, 5, 3), (1, 1, 1, 3), options("Reducer", keepDims=True), ints(1, 2)),
    "mean, dimensions dropped": one("MEAN", (1, 4, 5, 3), (1, 3), options("Reducer"), ints(1, 2)),
    "mean of channels": one("MEAN", (1, 4, 5, 3), (1, 4, 5, 1), options("Reducer", keepDims=True), ints(-1)),
    "pad": one("PAD", (1, 4, 5, 3), (1, 5, 8, 4), options("Pad"), ints([0, 0], [0, 1], [1, 2], [1, 0])),
    "pad, two dimensions": one("PAD", (4, 5), (5, 8), options("Pad"), ints([0, 1], [1, 2])),
    "bilinear": one("RESIZE_BILINEAR", (1, 4, 5, 3), (1, 8, 15, 3), resize(), ints(8, 15)),
    "bilinear, half pixels": one(
        "RESIZE_BILINEAR", (1, 4, 5, 3), (1, 8, 7, 3), resize(halfPixelCenters=True), ints(8, 7)
    ),
    "bilinear, corners": one("RESIZE_BILINEAR", (1, 4, 5, 3), (1, 8, 7, 3), resize(alignCorners=True), ints(8, 7)),
    "flatten a map": one("RESHAPE", (1, 4, 5, 3), (1, 60), options("Reshape"), ints(1, 60)),
    "flatten channels": one("RESHAPE", (1, 1, 1, 6), (1, 6), options("Reshape"), ints(1, 6)),
    "fold into a map": one("RESHAPE", (1, 60), (1, 4, 5, 3), options("Reshape"), ints(1, 4, 5, 3)),
    "fold into one channel": one("RESHAPE", (1, 60), (1, 12, 5, 1), options("Reshape"), ints(1, 12, 5, 1)),
    "map to another map": one("RESHAPE", (1, 4, 5, 6), (1, 2, 10, 6), options("Reshape"), ints(1, 2, 10, 6)),
    **{
        op: one(op, (1, 4, 5, 3), (1, 4, 5, 3), None)
        for op in ("HARD_SWISH", "LOGISTIC", "RELU", "RELU6", "TANH")
    },
}  # fmt: skip


def written(folder: Path, case: Case) -> Path:
    b = Builder()
    path = folder / "m.tflite"
    path.write_bytes(b.content(*case(b)))
    return path


def inputs_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    graph = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs[0]
    tensors = [graph.tensors[index] for index in graph.inputs]
    # beyond 6, so that every bound of an activation is met
    return {t.name.decode(): 4 * numbers(*(int(side) for side in t.shape)) for t in tensors}


@pytest.mark.parametrize("name", CASES)
def test_onnx_computes_what_litert_does(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, CASES[name])
    inputs = inputs_of(path)
    expected, got = litert(path, inputs), as_onnx(path, inputs)
    assert expected.keys() == got.keys()
    for output, values in expected.items():
        assert got[output].shape == values.shape
        scale = max(1.0, float(np.abs(values).max()))
        np.testing.assert_allclose(got[output], values, rtol=0, atol=TOLERANCE * scale)
        assert np.ptp(values) > 0  # answers that are all one number would agree by chance


def test_no_bias_is_a_bias_of_nothing(tmp_path: Path) -> None:
    """LiteRT runs no convolution without one, TFLite's schema has them."""
    answers: list[np.ndarray[Any, Any]] = []
    for bias in (-1, 2):
        b = Builder()
        x, w = b.tensor("x", (1, 5, 7, 3)), b.tensor("w", (4, 3, 3, 3), data=numbers(4, 3, 3, 3))
        b.tensor("b", (4,), data=np.zeros(4, np.float32))
        y = b.tensor("y", (1, 5, 7, 4))
        b.operator("CONV_2D", [x, w, bias], [y], conv())
        path = tmp_path / f"{len(answers)}.tflite"
        path.write_bytes(b.content([x], [y]))
        answers.append(as_onnx(path, inputs_of(path))["y"])
    np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.parametrize(("padding", "side"), [(1, 8), (2, 9)])
def test_mediapipes_transposed_convolution(tmp_path: Path, padding: int, side: int) -> None:
    b = Builder()
    x, y = b.tensor("x", (1, 4, 4, 3)), b.tensor("y", (1, side, side, 2))
    weight = b.tensor("w", (2, 3, 3, 3), data=numbers(2, 3, 3, 3))
    bias = b.tensor("b", (2,), data=numbers(2))
    b.operator("Convolution2DTransposeBias", [x, weight, bias], [y])
    b.operators[0].customOptions = np.frombuffer(struct.pack("<3i", padding, 2, 2), np.uint8)
    path, rewritten = tmp_path / "custom.tflite", tmp_path / "rewritten.tflite"
    path.write_bytes(b.content([x], [y]))
    rewritten.write_bytes(without_custom(path.read_bytes()))
    inputs = inputs_of(path)
    np.testing.assert_allclose(
        as_onnx(path, inputs)["y"], litert(rewritten, inputs)["y"], rtol=0, atol=TOLERANCE * 10
    )


def forked(b: Builder) -> tuple[list[int], list[int]]:
    """x -> RELU -> kept -> TANH -> y, and x -> LOGISTIC -> other."""
    x, kept, y, other = (b.tensor(name, (1, 4, 4, 2)) for name in ("x", "kept", "y", "other"))
    b.operator("RELU", [x], [kept])
    b.operator("LOGISTIC", [x], [other])
    b.operator("TANH", [kept], [y])
    return [x], [kept, other, y]


def test_only_what_the_wanted_outputs_need_is_made(tmp_path: Path) -> None:
    path = written(tmp_path, forked)
    inputs = inputs_of(path)
    got = as_onnx(path, inputs, ["y"])
    assert got.keys() == {"y"}
    np.testing.assert_allclose(got["y"], litert(path, inputs)["y"], atol=TOLERANCE)
    assert [node.op_type for node in onnx.load(path.with_suffix(".onnx")).graph.node] == ["Relu", "Tanh"]
    with pytest.raises(ModelError, match=r"m\.tflite: has no output 'z'; it has kept, other, y"):
        tflite_graph(path, "made", ["z"])


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, CASES["float16 weights"])
    for name in ("a.onnx", "b.onnx"):
        tflite_graph(path, "made").write(tmp_path / name, {"model_license": "MIT"})
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_tensors_of_one_name_stay_apart(tmp_path: Path) -> None:
    def build(b: Builder) -> tuple[list[int], list[int]]:
        x, middle, y = b.tensor("x", (1, 4)), b.tensor("same", (1, 4)), b.tensor("same", (1, 4))
        b.operator("TANH", [x], [middle])
        b.operator("LOGISTIC", [middle], [y])
        return [x], [y]

    path = written(tmp_path, build)
    inputs = inputs_of(path)
    (got,) = as_onnx(path, inputs).values()
    np.testing.assert_allclose(got, litert(path, inputs)["same"], atol=TOLERANCE)


def integers(b: Builder) -> tuple[list[int], list[int]]:
    x, y = b.tensor("x", (1, 4), dtype="int8", scale=0.1), b.tensor("y", (1, 4), dtype="int8", scale=0.1)
    b.operator("RELU", [x], [y])
    return [x], [y]


def computed_filter(b: Builder) -> tuple[list[int], list[int]]:
    x, w, y = b.tensor("x", (1, 4, 4, 2)), b.tensor("w", (3, 3, 3, 2)), b.tensor("y", (1, 4, 4, 3))
    b.operator("CONV_2D", [x, w], [y], conv())
    return [x, w], [y]


REFUSED: dict[str, tuple[Case, str]] = {
    "unknown operator": (
        one("COS", (1, 4), (1, 4), None),
        "operator COS that makes 'y' is not among ADD, ",
    ),
    "unknown activation": (
        one("CONV_2D", (1, 5, 5, 3), (1, 5, 5, 4), conv(fused=ACTIVATIONS.SIGN_BIT), numbers(4, 3, 3, 3)),
        "operator CONV_2D that makes 'y' has the fused activation 5",
    ),
    "integers": (integers, "tensor 'x' is int8; only float models are read"),
    "computed filter": (computed_filter, "has 'w' computed, not as a constant"),
    "ranks that differ": (
        two("ADD", (1, 4, 5, 3), (3,), (1, 4, 5, 3), options("Add")),
        "joins tensors of 1 and 4 dimensions",
    ),
    "no custom options": (
        one("Convolution2DTransposeBias", (1, 4, 4, 3), (1, 8, 8, 2), None, numbers(2, 2, 2, 3), numbers(2)),
        "lacks its custom options",
    ),
    "mean that drops channels": (
        one("MEAN", (1, 4, 5, 3), (1, 4, 5), options("Reducer"), ints(3)),
        "drops the axes [3]",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_by_name(tmp_path: Path, name: str) -> None:
    case, words = REFUSED[name]
    path = written(tmp_path, case)
    with pytest.raises(ModelError) as refusal:
        tflite_graph(path, "made")
    assert str(refusal.value).startswith(f"{path}: ")
    assert words in str(refusal.value)


def test_the_operators_of_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite())
    with pytest.raises(ModelError, match="FULLY_CONNECTED that makes 'y' is not among"):
        tflite_graph(path, "made")
