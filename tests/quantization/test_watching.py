"""Ranges from one pass: those of the tensors themselves, however the samples come, in constant memory."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from edgekit.quantization import watching
from edgekit.quantization.histogram import Histogram
from edgekit.quantization.insertion import Scheme, quantized_tensors
from edgekit.quantization.observers import FROM_HISTOGRAM, Range, RangeMethod
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.watching import FEWEST_VALUES, VALUES, observe, spacing, values_each
from tests.graphs import Graph, floats, integers, renamed, samples, tiny_bert, tiny_cnn
from tests.quantization.small import Array, Samples, deep_cnn, inferred, smooth_images
from tests.runtimes import run_onnx

METHODS: tuple[RangeMethod, ...] = ("minmax", "percentile", "mse", "entropy")


def all_values(model: onnx.ModelProto, tensors: list[str], data: Samples) -> list[dict[str, Array]]:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    return run_onnx(whole.SerializeToString(), [dict(sample) for sample in data])


def watched(model: onnx.ModelProto) -> list[str]:
    return quantized_tensors(model, float_nodes(model.graph), Scheme())


def test_ranges_are_those_of_the_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input, an output, several outputs: all in one pass."""
    monkeypatch.setattr(watching, "FEWEST_VALUES", VALUES)
    model, data = inferred(deep_cnn()), smooth_images(20)
    tensors = watched(model)
    assert {"x", "map", "y", "residual_out"} <= set(tensors)
    found = observe(model, tensors, data, METHODS, threads=1)
    values = all_values(model, tensors, data)
    for tensor in tensors:
        wanted = [sample[tensor] for sample in values]
        low, high = found["minmax"][tensor]
        # summed in another order
        assert low == pytest.approx(min(0.0, *(value.min() for value in wanted)), rel=1e-5, abs=1e-6)
        assert high == pytest.approx(max(0.0, *(value.max() for value in wanted)), rel=1e-5, abs=1e-6)
        histogram = Histogram()
        for value in wanted:
            histogram.update(value.reshape(-1)[:: spacing(value.shape)])
        for method, choose in FROM_HISTOGRAM.items():
            # values that lie next to the border of a bin may fall to either side
            assert found[method][tensor] == pytest.approx(choose(histogram), abs=6 * histogram.width)


def test_the_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = inferred(tiny_cnn()), smooth_images(37)
    tensors = watched(model)
    ranges = []
    for together, ordered in ((16, data), (1, data), (5, data[::-1]), (100, data)):
        monkeypatch.setattr(watching, "TOGETHER", together)
        ranges.append(observe(model, tensors, ordered, METHODS, threads=1))
    assert all(other == ranges[0] for other in ranges)


def test_samples_are_taken_one_at_a_time_and_told() -> None:
    model, alive, told = inferred(tiny_cnn()), [0], []

    def stream() -> Iterator[dict[str, Array]]:
        for sample in smooth_images(40):
            alive[0] += 1
            yield sample

    observe(model, watched(model), stream(), ["minmax"], threads=1, seen=lambda n: told.append((n, alive[0])))
    assert told == [(number, number) for number in range(1, 41)]


@pytest.mark.parametrize(
    "shape", [(1, 320, 7, 7), (1, 1280), (1, 32, 112, 112), (1, 96, 56, 56), (1, 64, 48, 160), (4,), (1, 3, 224, 224)]
)  # fmt: skip
def test_values_come_from_every_column_and_channel(shape: tuple[int, ...]) -> None:
    """A map of 7x7 at every seventh value would be its left border."""
    places = np.arange(np.prod(shape))[:: spacing(shape)]
    assert len(places) >= min(math.prod(shape), VALUES * 0.8)
    assert len(places) < 2 * VALUES
    for axis, found in enumerate(np.unravel_index(places, shape)):
        assert len(np.unique(found)) == shape[axis]


def test_a_model_of_few_multiplications_is_looked_at_less() -> None:
    """Counting values would take longer than the model itself."""
    small, large = inferred(deep_cnn(size=8, width=8)), inferred(deep_cnn(size=64, width=64))
    tensors = len(watched(small))
    assert values_each(small.graph, tensors) == FEWEST_VALUES
    assert values_each(large.graph, tensors) == VALUES
    assert FEWEST_VALUES < values_each(inferred(deep_cnn(size=20, width=20)).graph, tensors) < VALUES


def test_padding_is_not_looked_at() -> None:
    """The dense layers' inputs where the mask is 0 hold values that no answer depends on."""
    model, data = inferred(tiny_bert()), samples(tiny_bert(), 20)
    tensors = watched(model)
    found = observe(model, tensors, data, METHODS, threads=1)
    for tensor in tensors:
        masked = [
            value[tensor][:, sample["attention_mask"][0] != 0]
            for value, sample in zip(all_values(model, tensors, data), data, strict=True)
        ]
        low, high = found["minmax"][tensor]
        assert low == pytest.approx(min(0.0, *(value.min() for value in masked)), rel=1e-5, abs=1e-6)
        assert high == pytest.approx(max(0.0, *(value.max() for value in masked)), rel=1e-5, abs=1e-6)
    other = [
        {**sample, "input_ids": np.where(sample["attention_mask"], sample["input_ids"], 5)} for sample in data
    ]
    again = observe(model, tensors, other, METHODS, threads=1)
    for method in METHODS:
        for tensor in tensors:
            assert again[method][tensor] == pytest.approx(found[method][tensor], rel=1e-4, abs=1e-5)


def scaled(shape: tuple[int, ...], factor: float) -> onnx.ModelProto:
    g = Graph()
    renamed(g, g.node("Mul", ["x", g.constant("factor", np.float32(factor))], "mul"), "y")
    return inferred(g.model([floats("x", *shape)], [floats("y", *shape)]))


def ranges(model: onnx.ModelProto, data: Samples, method: RangeMethod) -> dict[str, Range]:
    return observe(model, ["y"], data, [method], threads=1)[method]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_named(method: RangeMethod, bad: float) -> None:
    data = [{"x": np.ones((1, 8), np.float32)} for _ in range(20)]
    data[17]["x"][0, 5] = bad
    with pytest.raises(
        ValueError, match="input 'x' is infinite or not a number in sample 18 of the calibration"
    ):
        ranges(scaled((1, 8), 1.0), data, method)


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_that_is_not_finite_is_named(method: RangeMethod) -> None:
    data = [{"x": np.ones((1, 8), np.float32)} for _ in range(20)]
    data[17]["x"][0, 5] = 1e38
    with pytest.raises(
        ValueError, match="tensor 'y' is infinite or not a number in sample 18 of the calibration"
    ):
        ranges(scaled((1, 8), 100.0), data, method)


def test_nothing_to_watch() -> None:
    assert observe(scaled((1, 8), 1.0), [], [], METHODS, threads=1) == {method: {} for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_of_unknown_shape(method: RangeMethod) -> None:
    g = Graph()
    x = g.node("Compress", ["x", g.node("Cast", ["keep"], "cast", to=onnx.TensorProto.BOOL)], "some", axis=0)
    renamed(g, g.node("Relu", [x], "relu"), "y")
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None])
    model = inferred(g.model([floats("x", 8), integers("keep", 8)], [y]))
    data = [{"x": np.arange(8, dtype=np.float32), "keep": np.array([1, 0, 1, 1, 0, 0, 1, 0])}]
    assert ranges(model, data, method)["y"] == (0.0, 6.0)


_PEAK = """
import resource, sys
import numpy as np
from edgekit.quantization.watching import observe
from tests.quantization.small import deep_cnn, inferred
from tests.quantization.test_watching import METHODS, watched

model = inferred(deep_cnn(size=64))
rng = np.random.default_rng(0)
stream = ({"x": rng.standard_normal((1, 3, 64, 64), np.float32)} for _ in range(int(sys.argv[1])))
observe(model, watched(model), stream, METHODS, threads=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples() -> None:
    """400 samples within 5 % of 16; their values alone, 10 tensors of 8 KB and more, would be 30 MB of some 150."""

    def peak(count: int) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(count)], capture_output=True, text=True, check=True, timeout=300
        )
        return int(done.stdout)

    assert peak(400) < 1.05 * peak(16)
