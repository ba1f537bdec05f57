"""Plain int8 breaks in one layer: that one alone stays in float, for as long as it pays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.conversion.convert import Order, convert, plan_order
from edgekit.conversion.rescue import MOST_FLOAT, evaluations, fewest, in_order
from edgekit.devices import LocalDevice
from edgekit.quantization.table import InFloat, LayerSensitivity, Sensitivity, read_sensitivity
from tests.conversion.bad_workers import NEGATES, SLOW
from tests.conversion.project import ELSEWHERE, INT8, only, reasons, write_converter, write_target
from tests.conversion.stripes import write_sampled_classifier
from tests.converters.steps import load_converter, need_environment


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sampled_classifier(tmp_path_factory.mktemp("lopsided"), lopsided=True)


@pytest.fixture
def order(project: Path, lopsided: Path) -> Order:
    """For a board that is not timed: int8 comes first there wherever it holds."""
    write_target(project, "far", arch=ELSEWHERE)
    return Order(
        model=lopsided,
        targets=("far",),
        out=project / "out",
        calibration=lopsided.parent / "photos",
        evaluation=lopsided.parent / "labelled",
        threads=1,
        effort="fast",
        max_drop=0.1,  # four of forty samples: random features leave more of them undecided
        precisions=("int8",),
    )


def test_the_layer_that_breaks_and_no_other_stays_in_float(order: Order) -> None:
    said: list[str] = []
    catalog = only("onnxruntime")
    found = convert(order, catalog=catalog, advance=lambda done, total, doing: said.append(doing))
    (kept,) = found.bundles
    manifest = read_bundle(kept.path).manifest
    assert (manifest.artifact.precision, manifest.variant) == ("int8", "mixed")
    step = next(step for step in manifest.steps if "kept_in_float" in step.arguments)
    assert json.loads(str(step.arguments["kept_in_float"])) == ["lopsided"]
    assert manifest.accuracy is not None
    assert manifest.accuracy.artifact >= manifest.accuracy.source - 0.1
    assert "mended with 1 of 6 layers in float" in reasons(found)["onnxruntime int8"]
    assert "kept in float: 1 layer" in kept.reason
    assert "'lopsided'" in kept.reason
    assert "because of plain int8: " in kept.reason
    assert verify_bundle(read_bundle(kept.path), LocalDevice()).ok
    # announced: at most 1 + log2 of the layers
    tried = {line for line in said if "in float (" in line and line.endswith("building")}
    assert len(tried) <= evaluations(6)
    (planned,) = {item.rescues for item in plan_order(order, catalog)["far"] if item.rescues}
    assert planned == evaluations(6)
    # and the bundle carries what each layer loses
    assert manifest.sensitivity is not None
    table, problems = read_sensitivity(kept.path / manifest.sensitivity)
    assert table is not None, problems
    rows = {layer.node: layer for layer in table.layers}
    assert rows["lopsided"].in_float == "rescue"
    assert rows["lopsided"].sqnr_db is not None
    assert rows["lopsided"].sqnr_db < min(
        row.sqnr_db or 0 for name, row in rows.items() if name != "lopsided"
    )


@pytest.mark.network
@pytest.mark.slow
def test_litert_keeps_the_same_layer_in_float(order: Order, project: Path) -> None:
    """Named as the source names it, it is found again in what onnx2tf made."""
    need_environment(load_converter("onnx2tf"))
    write_target(project, "phone", arch=ELSEWHERE, runtime="litert", format_="tflite")
    found = convert(replace(order, targets=("phone",)), catalog=only("onnx2tf", "litert"))
    (kept,) = found.bundles
    bundle = read_bundle(kept.path)
    manifest = bundle.manifest
    assert (manifest.converter, manifest.artifact.precision, manifest.variant) == ("litert", "int8", "mixed")
    assert "mended with 1 of 6 layers in float" in reasons(found)["litert int8"]
    assert weight_dtypes(bundle.artifact) == ["int8", "int8", "float32", "int8", "int8"]
    assert verify_bundle(bundle, LocalDevice()).ok


def weight_dtypes(tflite: Path) -> list[str]:
    """Of its convolutions."""
    model = Interpreter(str(tflite))
    dtypes = {detail["index"]: np.dtype(detail["dtype"]).name for detail in model.get_tensor_details()}
    return [
        dtypes[operator["inputs"][1]]
        for operator in model._get_ops_details()
        if operator["op_name"] == "CONV_2D"
    ]


def test_a_rescue_that_is_not_faster_than_float_is_not_kept(order: Order, project: Path) -> None:
    """The board that runs here is timed, and this int8 is made slow: what was mended must pay for itself."""
    write_target(project, "board")
    write_converter(project, "slow-int8", INT8, worker=SLOW)
    only_slow = replace(order, targets=("board",))
    found = convert(only_slow, catalog=only("onnxruntime", "slow-int8"))
    (kept,) = found.bundles
    why = reasons(found)
    assert "mended with 1 of 6 layers in float" in why["slow-int8 int8"]
    assert kept.manifest.converter == "onnxruntime"
    reason = why["slow-int8 int8 mixed"]
    assert "slower than the source model" in reason or "of its time" in reason


def test_what_no_layer_mends_stays_dropped_after_one_evaluation(order: Order, project: Path) -> None:
    write_converter(project, "wrong-int8", INT8, worker=NEGATES)
    said: list[str] = []
    catalog = only("wrong-int8")
    found = convert(order, catalog=catalog, advance=lambda done, total, doing: said.append(doing))
    assert found.bundles == ()
    assert "not mended by" in reasons(found)["wrong-int8 int8"]
    assert len({line for line in said if "in float (" in line and line.endswith("building")}) == 1


def test_without_labels_agreement_is_held_to_max_drop(order: Order) -> None:
    unlabelled = replace(order, evaluation=order.calibration)
    (kept,) = convert(unlabelled, catalog=only("onnxruntime")).bundles
    assert kept.manifest.variant == "mixed"
    assert kept.manifest.fidelity is not None
    assert kept.manifest.fidelity.agreement >= 0.9


@pytest.mark.parametrize("longest", [1, 2, 5, 8, 50])
def test_the_fewest_are_found_in_the_number_that_was_announced(longest: int) -> None:
    for needed in range(1, longest + 1):
        tried: list[int] = []

        def attempt(length: int, needed: int = needed, tried: list[int] = tried) -> int | None:
            tried.append(length)
            return length if length >= needed else None

        assert fewest(longest, attempt) == (needed, len(tried))
        assert len(tried) <= evaluations(longest)
    assert fewest(longest, lambda length: None) == (None, 1)


def layer(node: str, macs: int, sqnr_db: float | None, in_float: InFloat = "") -> LayerSensitivity:
    return LayerSensitivity(node=node, op="Conv", macs=macs, in_float=in_float, sqnr_db=sqnr_db)


def test_what_saves_most_error_for_its_cost_comes_first_and_the_dear_are_left_out() -> None:
    rows = (
        layer("cheap and bad", 5, 10),
        layer("dear and bad", 60, 8),
        layer("cheap and good", 1, 60),
        layer("in float", 4, None, "attention"),
        layer("middling", 30, 20),
    )
    table = Sensitivity(schema=1, samples=8, unseen=True, layers=rows)
    assert [row.node for row in in_order(table)] == [
        "cheap and bad",
        "middling",
        "cheap and good",
    ]
    assert MOST_FLOAT == 0.5
