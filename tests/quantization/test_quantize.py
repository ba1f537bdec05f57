"""From samples to a QDQ graph, and what is done where fitting is no use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import edgekit.quantization.quantize as quantize_module
from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import EFFORTS, Effort
from edgekit.quantization.insertion import Scheme
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.progress import Told
from edgekit.quantization.quantize import Quantized, quantize
from tests.graphs import Graph, floats, renamed, write_samples
from tests.quantization.small import Array, deep_cnn, inferred, smooth_images

Images = list[dict[str, Array]]
Rounded = Callable[[Any, Any], Quantized]


def made(
    folder: Path, model: onnx.ModelProto, images: Images, effort: Effort, told: Told | None = None
) -> Quantized:
    files = CalibrationFiles(write_samples(images, folder / effort))
    in_float = float_nodes(model.graph)
    return quantize(model, files, in_float, Scheme(), EFFORTS[effort], threads=1, told=told or Told())


def test_more_effort_is_nearer(tmp_path: Path) -> None:
    model, images = inferred(deep_cnn()), smooth_images(40)
    fast, normal, most = (made(tmp_path, model, images, effort) for effort in ("fast", "normal", "max"))
    assert fast.ranges == "minmax"
    assert fast.fitted_layers == 0
    assert normal.fitted_layers == most.fitted_layers == 8
    # by less than on models of size: here it is the activations that err
    assert normal.sqnr_db > fast.sqnr_db + 0.5
    # graded on other samples, so not sure to be better
    assert most.sqnr_db > normal.sqnr_db - 1
    assert fast.notes == normal.notes == ()


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    model, images = inferred(deep_cnn()), smooth_images(16)
    first, second = (made(tmp_path / name, model, images, "normal") for name in "ab")
    assert first.model.SerializeToString(deterministic=True) == second.model.SerializeToString(
        deterministic=True
    )


def test_too_few_samples_to_fit_on(tmp_path: Path) -> None:
    found = made(tmp_path, inferred(deep_cnn()), smooth_images(7), "normal")
    assert found.fitted_layers == 0
    assert found.notes == ("weights rounded to the nearest: 7 samples are too few to fit them on",)


def test_rounding_stays_plain_where_fitting_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(source: onnx.ModelProto, graph: onnx.ModelProto, *_: object, **__: object) -> int:
        """A fit that forgets the last layer's weights."""
        (weights,) = (tensor for tensor in graph.graph.initializer if tensor.name == "dense_quantized")
        zeros = np.zeros(tuple(weights.dims), np.int8)
        weights.CopyFrom(onnx.numpy_helper.from_array(zeros, weights.name))
        return 8

    monkeypatch.setattr("edgekit.quantization.quantize.round_weights", worse)
    found = made(tmp_path, inferred(deep_cnn()), smooth_images(16), "normal")
    assert found.fitted_layers == 0
    assert found.notes == ("weights rounded to the nearest: fitting them did not help on other samples",)
    (weights,) = (tensor for tensor in found.model.graph.initializer if tensor.name == "dense_quantized")
    assert onnx.numpy_helper.to_array(weights).any()


def test_more_effort_that_goes_astray_gives_what_less_effort_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks best by its activations alone is the worst here, and the fit is no use: selfie-segmentation had both."""
    monkeypatch.setattr("edgekit.quantization.quantize.round_weights", lambda *_, **__: 0)
    monkeypatch.setattr(
        quantize_module._Bench, "activations_db", lambda bench, trial: float(trial.method != "minmax")
    )
    monkeypatch.setattr(quantize_module._Bench, "rounded", poor_percentiles(quantize_module._Bench.rounded))
    model, images = inferred(deep_cnn()), smooth_images(16)
    fast, normal = (made(tmp_path, model, images, effort) for effort in ("fast", "normal"))
    assert normal.ranges == "minmax"
    assert normal.model.SerializeToString(deterministic=True) == fast.model.SerializeToString(
        deterministic=True
    )


def poor_percentiles(rounded: Rounded) -> Rounded:
    def graded(bench: Any, trial: Any) -> Quantized:
        made_of_it = rounded(bench, trial)
        return made_of_it if trial.method == "minmax" else replace(made_of_it, sqnr_db=-1.0)

    return graded


def test_nothing_to_quantize(tmp_path: Path) -> None:
    g = Graph()
    renamed(g, g.node("Add", [g.node("Relu", ["x"], "relu"), "x"], "sum"), "y")
    model = inferred(g.model([floats("x", 1, 4)], [floats("y", 1, 4)]))
    images = [{"x": np.ones((1, 4), np.float32)} for _ in range(12)]
    found = made(tmp_path, model, images, "normal")
    assert not any(node.op_type == "QuantizeLinear" for node in found.model.graph.node)
    assert found.notes == ("weights rounded to the nearest: no layer has weights of its own to fit",)


def test_ranges_are_those_that_serve_other_samples_best(tmp_path: Path) -> None:
    """One image of forty has a value that no other comes near; the first one is never among those graded on."""
    images = smooth_images(40)
    images[0]["x"][0, 0, 3, 3] = 400
    found = made(tmp_path, inferred(deep_cnn()), images, "normal")
    assert found.ranges != "minmax"


class _Lines(Told):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[float, str]] = []

    def say(self, done: float, doing: str) -> None:
        self.lines.append((done, doing))


@pytest.mark.parametrize("effort", ["normal", "max"])
def test_progress_never_goes_back(tmp_path: Path, effort: Effort) -> None:
    told = _Lines()
    made(tmp_path, inferred(deep_cnn()), smooth_images(20), effort, told)
    shares = [done for done, _ in told.lines]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1
    words = [doing for _, doing in told.lines]
    assert words[0] == "ranges, sample 1 of 20"
    assert "weights, layer 1 of 8: stem" in words


def test_a_bound_that_is_narrowed(tmp_path: Path) -> None:
    """One byte of memory is enough for the fewest samples."""
    model, bounds = inferred(deep_cnn()), replace(EFFORTS["normal"], memory_bytes=1)
    files = CalibrationFiles(write_samples(smooth_images(20), tmp_path / "samples"))
    found = quantize(model, files, float_nodes(model.graph), Scheme(), bounds, threads=1, told=Told())
    assert found.fitted_layers == 8
