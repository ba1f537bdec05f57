"""Each rewrite changes what it says, keeps the answers, and leaves alone what it must not touch.

That the operators then move to the NPU is Vela's to say: test_ethos_u.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.converters.ethos import kinds, module, read
from tests.converters.tiny_tflite import FLOAT32, INT16, Builder

SAMPLES = 8
Made = tuple[Builder, list[int]]


def float_ends() -> Made:
    """QUANTIZE, a convolution, DEQUANTIZE."""
    b = Builder()
    x = b.tensor("x", [1, 4, 4, 3], FLOAT32)
    q = b.tensor("x_quantized", [1, 4, 4, 3], scale=0.03, zero_point=-5)
    b.op("QUANTIZE", [x], [q], schema.QuantizeOptionsT())
    c = b.conv(q, "conv", 8)
    y = b.tensor("y", [1, 4, 4, 8], FLOAT32)
    b.op("DEQUANTIZE", [c], [y], schema.DequantizeOptionsT())
    return b, [y]


def island(kind: str, *, scale: float, zero_point: int, options: Any = None) -> Made:
    """A convolution, then ``kind`` in float, then a convolution that takes its result in int8."""
    b = Builder()
    x = b.tensor("x", [1, 4, 4, 3])
    c = b.conv(x, "first", 8, scale=0.04, zero_point=3)
    real, clamped = b.tensor("real", [1, 4, 4, 8], FLOAT32), b.tensor("clamped", [1, 4, 4, 8], FLOAT32)
    b.op("DEQUANTIZE", [c], [real], schema.DequantizeOptionsT())
    b.op(kind, [real], [clamped], options)
    back = b.tensor("clamped_quantized", [1, 4, 4, 8], scale=scale, zero_point=zero_point)
    b.op("QUANTIZE", [clamped], [back], schema.QuantizeOptionsT())
    return b, [b.conv(back, "second", 4)]


def hard_sigmoid() -> Made:
    return island("RELU_0_TO_1", scale=1 / 255, zero_point=-128)


def leaky() -> Made:
    return island("LEAKY_RELU", scale=0.03, zero_point=-20, options=schema.LeakyReluOptionsT(alpha=0.1))


def channels_first_mean(axes: tuple[int, int] = (2, 3)) -> Made:
    """A convolution, TRANSPOSE to channels first, RELU, MEAN over two axes, and a convolution of the result."""
    b = Builder()
    x = b.tensor("x", [1, 4, 4, 3])
    c = b.conv(x, "first", 8)
    turned, clamped = b.tensor("turned", [1, 8, 4, 4]), b.tensor("clamped", [1, 8, 4, 4], zero_point=-128)
    b.op("TRANSPOSE", [c, b.ints("order", [0, 3, 1, 2])], [turned], schema.TransposeOptionsT())
    b.op("RELU", [turned], [clamped])
    shape = [1 if side in axes else size for side, size in enumerate([1, 8, 4, 4])]
    mean = b.tensor("mean", shape, zero_point=-128)
    b.op("MEAN", [clamped, b.ints("axes", list(axes))], [mean], schema.ReducerOptionsT(keepDims=True))
    flat = b.tensor("flat", [1, 1, 1, int(np.prod(shape))], zero_point=-128)
    sides = [int(side) for side in b.tensors[flat].shape]
    b.op("RESHAPE", [mean, b.ints("sides", sides)], [flat], schema.ReshapeOptionsT(newShape=sides))
    return b, [b.conv(flat, "second", 4)]


CASES: dict[str, tuple[Callable[[], Made], list[str]]] = {
    "integer-io": (float_ends, ["CONV_2D"]),
    "integer-clamp": (hard_sigmoid, ["CONV_2D", "QUANTIZE", "CONV_2D"]),
    "integer-leaky-relu": (leaky, ["CONV_2D", "LEAKY_RELU", "CONV_2D"]),
    "channels-last-mean": (channels_first_mean, ["CONV_2D", "RELU", "MEAN", "RESHAPE", "RESHAPE", "CONV_2D"]),
}


def write(made: Made, path: Path) -> Path:
    builder, outputs = made
    return builder.write(path, outputs)


def answers(graph: Any, samples: list[Any]) -> list[Any]:
    reference = module("reference").Reference(graph.packed())
    return [output for sample in samples for output in reference.run([sample])]


def noise(graph: Any) -> list[Any]:
    random = np.random.default_rng(0)
    shape = graph.shape(graph.main.inputs[0])
    return [random.uniform(-3, 3, shape).astype(np.float32) for _ in range(SAMPLES)]


def test_every_pass_has_a_case() -> None:
    assert CASES.keys() == module("passes").PASSES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_pass_rewrites_its_case_and_keeps_the_answers(name: str, tmp_path: Path) -> None:
    make, wanted = CASES[name]
    graph = read(write(make(), tmp_path / "model.tflite"))
    samples = noise(graph)
    before = answers(graph, samples)
    one = module("passes").PASSES[name]
    assert one.run(graph)
    assert kinds(graph) == wanted
    after = answers(graph, samples)
    if one.rounds:
        # a value in the middle may come out one step (0.04) apart: 8 of them, weighed by at most 1.27, are summed
        assert max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True)) <= 0.5
    else:
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert any(np.ptp(a) > 0 for a in before), "the case answers something"
    assert not one.run(graph), "a second time there is nothing left"


@pytest.mark.parametrize("name", CASES)
def test_a_pass_leaves_the_cases_of_others_alone(name: str, tmp_path: Path) -> None:
    for other, (make, _) in CASES.items():
        if other != name:
            graph = read(write(make(), tmp_path / f"{other}.tflite"))
            before = kinds(graph)
            assert not module("passes").PASSES[name].run(graph)
            assert kinds(graph) == before


def test_a_clamp_of_16_bits_is_a_saturation_and_a_relu(tmp_path: Path) -> None:
    """Their zero point is zero, so that half of them lies below the clamp."""
    b = Builder()
    x = b.tensor("x", [1, 4, 4, 3], INT16, scale=2 / 32767)
    real, clamped = b.tensor("real", [1, 4, 4, 3], FLOAT32), b.tensor("clamped", [1, 4, 4, 3], FLOAT32)
    b.op("DEQUANTIZE", [x], [real], schema.DequantizeOptionsT())
    b.op("RELU_0_TO_1", [real], [clamped])
    back = b.tensor("back", [1, 4, 4, 3], INT16, scale=1 / 32767)
    b.op("QUANTIZE", [clamped], [back], schema.QuantizeOptionsT())
    source = b.write(tmp_path / "wide.tflite", [back])
    before, after = read(source), read(source)
    assert module("passes").PASSES["integer-clamp"].run(after) == ["clamped"]
    assert kinds(after) == ["QUANTIZE", "RELU"]
    reference = module("reference").Reference
    values = np.linspace(-2, 2, 48, dtype=np.float32).reshape(1, 4, 4, 3)
    (wanted,), (found,) = (reference(graph.packed()).run([values]) for graph in (before, after))
    # one rounding less than the float way
    np.testing.assert_allclose(found, wanted, atol=1.01 / 32767)
    assert (found.min(), found.max()) == (0, pytest.approx(1))


def test_a_clamp_that_its_integers_reach_beyond_stays(tmp_path: Path) -> None:
    wide = island("RELU_0_TO_1", scale=2 / 255, zero_point=-128)
    assert not module("passes").PASSES["integer-clamp"].run(read(write(wide, tmp_path / "wide.tflite")))


def test_readers_that_want_other_scales_get_an_operator_each(tmp_path: Path) -> None:
    """As where YOLO's feature map goes into a pooling and into a CONCATENATION; both are called alike."""
    b, (first,) = leaky()
    again = b.tensor("clamped_quantized", [1, 4, 4, 8], scale=0.05, zero_point=-10)
    real = next(index for index, tensor in enumerate(b.tensors) if tensor.name == b"clamped")
    b.op("QUANTIZE", [real], [again], schema.QuantizeOptionsT())
    graph = read(b.write(tmp_path / "model.tflite", [first, b.conv(again, "third", 4)]))
    before = answers(graph, noise(graph))
    assert module("passes").PASSES["integer-leaky-relu"].run(graph) == ["clamped"]
    assert sorted(kinds(graph)) == ["CONV_2D"] * 3 + ["LEAKY_RELU"] * 2
    names = [graph.name(operator) for operator in graph.operators]
    assert len(set(names)) == len(names)
    after = answers(graph, noise(graph))
    # as above, with steps of 0.05
    assert max(float(np.abs(x - y).max()) for x, y in zip(before, after, strict=True)) <= 0.6


def test_a_mean_over_channels_stays(tmp_path: Path) -> None:
    other = channels_first_mean(axes=(1, 2))
    assert (
        not module("passes").PASSES["channels-last-mean"].run(read(write(other, tmp_path / "other.tflite")))
    )


def test_an_output_that_others_read_in_float_stays(tmp_path: Path) -> None:
    b, (y,) = float_ends()
    doubled = b.tensor("doubled", [1, 4, 4, 8], FLOAT32)
    b.op("ADD", [y, y], [doubled], schema.AddOptionsT())
    graph = read(b.write(tmp_path / "model.tflite", [y, doubled]))
    module("passes").PASSES["integer-io"].run(graph)
    assert kinds(graph) == ["CONV_2D", "DEQUANTIZE", "ADD"]


def test_weights_behind_the_flatbuffer_are_read(tmp_path: Path) -> None:
    """LiteRT stores large ones there; TensorFlow Lite Micro would read them as empty."""
    path = write(hard_sigmoid(), tmp_path / "model.tflite")
    graph = read(path)
    behind = [buffer for buffer in graph.model.buffers if buffer.data is not None and len(buffer.data)]
    tail = b"".join(bytes(buffer.data) for buffer in behind)
    sizes = [len(buffer.data) for buffer in behind]
    for buffer in behind:
        buffer.data, buffer.offset, buffer.size = None, 2, 2
    start = len(graph.packed())
    for buffer, size in zip(behind, sizes, strict=True):
        buffer.offset, buffer.size = start, size
        start += size
    moved = tmp_path / "moved.tflite"
    moved.write_bytes(graph.packed() + tail)
    samples = noise(read(path))
    assert np.array_equal(answers(read(moved), samples), answers(read(path), samples))


def test_costs_are_those_of_the_shapes(tmp_path: Path) -> None:
    graph, costs = read(write(hard_sigmoid(), tmp_path / "model.tflite")), module("costs")
    first, *_, second = graph.operators
    assert costs.macs(graph, first) == 4 * 4 * 8 * 3
    assert costs.macs(graph, second) == 4 * 4 * 4 * 8
    # input, weights, bias in int32, output
    assert costs.bytes_moved(graph, first) == 4 * 4 * 3 + 8 * 3 + 8 * 4 + 4 * 4 * 8
