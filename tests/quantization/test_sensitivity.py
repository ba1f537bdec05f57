"""What one layer alone costs: the one that breaks is found, and what stays float says why."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.effort import EFFORTS, Effort
from edgekit.quantization.grading import Grader
from edgekit.quantization.insertion import Scheme
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.progress import Told
from edgekit.quantization.quantize import quantize
from edgekit.quantization.sensitivity import SAMPLES, sensitivity, unseen_samples
from edgekit.quantization.table import Sensitivity, read_sensitivity
from tests.graphs import lopsided_cnn, samples, tiny_bert, tiny_cnn, write_samples

FAST = EFFORTS["fast"]


def int8(model: onnx.ModelProto, folder: Path, keep: tuple[str, ...] = ()) -> onnx.ModelProto:
    files = CalibrationFiles(write_samples(samples(model, 12), folder / "calib"))
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    in_float = float_nodes(inferred.graph, keep)
    return quantize(inferred, files, in_float, Scheme(), FAST, threads=1, told=Told()).model


def table_of(model: onnx.ModelProto, folder: Path, keep: tuple[str, ...] = ()) -> Sensitivity:
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    made = int8(model, folder, keep)
    return sensitivity(inferred, made, samples(model, 4, seed=5), limit=127, threads=1)


def test_every_layer_has_its_error_and_its_cost(tmp_path: Path) -> None:
    table = table_of(tiny_cnn(), tmp_path)
    assert [layer.node for layer in table.layers] == ["conv1", "depthwise", "conv2", "fc"]
    assert {layer.in_float for layer in table.layers} == {""}
    # 8 bits of one layer: better than the 25 dB that all four together reach, and far from exact
    assert all(layer.sqnr_db is not None and 25 < layer.sqnr_db < 100 for layer in table.layers)
    assert table.macs == 256 * (40 * 27 + 40 * 9 + 40 * 40) + 400
    assert sum(map(table.share, table.layers)) == pytest.approx(1)


def test_the_errors_of_the_layers_add_up_to_that_of_all(tmp_path: Path) -> None:
    """Nearly: a tensor between two layers counts for both, and errors may cancel; 8 dB are a factor of six."""
    model = onnx.shape_inference.infer_shapes(tiny_cnn())
    whole = Grader(model, samples(model, 4, seed=5), 1).sqnr_db(int8(model, tmp_path / "a"))
    parts = sum(layer.noise for layer in table_of(tiny_cnn(), tmp_path / "b").layers)
    assert -10 * np.log10(parts) == pytest.approx(whole, abs=8)


def test_a_layer_s_weights_are_rounded_channel_by_channel(tmp_path: Path) -> None:
    """onnxruntime would round them again on loading, with one scale for all channels: 49.7 dB here instead of 69.3."""
    rows = {layer.node: layer for layer in table_of(tiny_cnn(), tmp_path).layers}
    assert rows["depthwise"].sqnr_db is not None
    assert rows["depthwise"].sqnr_db > 60


def test_the_layer_that_breaks_stands_out(tmp_path: Path) -> None:
    table = table_of(lopsided_cnn(), tmp_path)
    errors = {layer.node: layer.sqnr_db or 0.0 for layer in table.layers}
    worst = min(errors, key=errors.__getitem__)
    assert worst == "lopsided"
    assert errors.pop("lopsided") < 10
    assert min(errors.values()) > 20


def test_a_layer_kept_in_float_is_not_tried_and_the_rest_is_whole_again(tmp_path: Path) -> None:
    model = onnx.shape_inference.infer_shapes(lopsided_cnn())
    grader = Grader(model, samples(model, 4, seed=5), 1)
    assert grader.sqnr_db(int8(model, tmp_path / "a")) < 10
    assert grader.sqnr_db(int8(model, tmp_path / "b", ("lopsided",))) > 20
    table = table_of(model, tmp_path / "c", ("lopsided",))
    kept = next(layer for layer in table.layers if layer.node == "lopsided")
    assert (kept.sqnr_db, kept.in_float) == (None, "other")  # the caller knows why: Sensitivity.rescued
    assert (
        next(row for row in table.rescued({"lopsided"}).layers if row.node == "lopsided").in_float == "rescue"
    )


def test_onnxruntime_does_not_take_back_what_was_kept_in_float(tmp_path: Path) -> None:
    """It would round the float weights on loading, with one scale for all of them."""
    made = int8(lopsided_cnn(), tmp_path, ("lopsided", "fc"))
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(tmp_path / "loaded.onnx").graph
    kernels = Counter(node.op_type for node in loaded.node)
    assert (kernels["QLinearConv"], kernels["Conv"], kernels["QGemm"]) == (4, 1, 0)


def test_a_transformer_s_scores_are_rows_in_float(tmp_path: Path) -> None:
    rows = {layer.node: layer for layer in table_of(tiny_bert(), tmp_path).layers}
    assert rows["l0.qk"].in_float == "attention"
    assert rows["l0.qk"].sqnr_db is None
    assert rows["l0.qk"].macs > 0
    assert rows["l0.up"].sqnr_db is not None


def test_two_runs_give_the_same_table_and_files_keep_it(tmp_path: Path) -> None:
    first, second = (table_of(tiny_cnn(), tmp_path / name) for name in "ab")
    assert first == second
    assert read_sensitivity(first.write(tmp_path)) == (first, [])


@pytest.mark.parametrize("effort", ["fast", "normal", "max"])
def test_layers_are_tried_on_few_samples_that_nothing_was_fitted_on(tmp_path: Path, effort: Effort) -> None:
    model = onnx.shape_inference.infer_shapes(tiny_cnn())
    files = CalibrationFiles(write_samples(samples(model, 100), tmp_path / "calib"))
    bounds = EFFORTS[effort]
    found, unseen = unseen_samples(files, model, bounds, effort)
    fit, _ = files.spread(bounds.samples_for(model))
    assert (len(found), unseen) == (SAMPLES[effort], True)
    seen = {sample["x"].tobytes() for sample in fit}
    assert not any(sample["x"].tobytes() in seen for sample in found)
