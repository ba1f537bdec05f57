"""Plain int8 breaks in one layer: that one alone stays in float, for as long as it pays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.verify import verify_bundle
from edgekit.conversion.convert import Conversion, Order, convert, plan_order
from edgekit.conversion.rescue import MOST_FLOAT, evaluations, fewest, in_order
from edgekit.devices import LocalDevice
from edgekit.quantization.table import InFloat, LayerSensitivity, Sensitivity, read_sensitivity
from tests.conversion.project import ELSEWHERE, INT8, write_converter, write_target
from tests.conversion.stripes import write_classifier, write_images
from tests.conversion.test_convert import only


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lopsided")
    write_images(folder / "photos", 16, seed=5, labelled=False)
    write_images(folder / "labelled", 40, seed=6, labelled=True)
    return write_classifier(folder, width=16, lopsided=True)


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


def lost(found: Conversion) -> dict[str, str]:
    return {
        " ".join(filter(None, (item.converter, item.precision, item.variant))): item.reason
        for item in (*found.dropped, *found.beaten)
    }


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
    assert "mended with 1 of 6 layers in float" in lost(found)["onnxruntime int8"]
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


def test_a_rescue_that_is_not_faster_than_float_is_not_kept(order: Order, project: Path) -> None:
    """The board that runs here is timed, and this int8 is made slow: what was mended must pay for itself."""
    write_target(project, "board")
    write_converter(project, "slow-int8", INT8, worker=SLOW_INT8)
    only_slow = replace(order, targets=("board",))
    found = convert(only_slow, catalog=only("onnxruntime", "slow-int8"))
    (kept,) = found.bundles
    reasons = lost(found)
    assert "mended with 1 of 6 layers in float" in reasons["slow-int8 int8"]
    assert kept.manifest.converter == "onnxruntime"
    reason = reasons["slow-int8 int8 mixed"]
    assert "slower than the source model" in reason or "of its time" in reason


def test_what_no_layer_mends_stays_dropped_after_one_evaluation(order: Order, project: Path) -> None:
    write_converter(project, "wrong-int8", INT8, worker=WRONG_INT8)
    said: list[str] = []
    catalog = only("wrong-int8")
    found = convert(order, catalog=catalog, advance=lambda done, total, doing: said.append(doing))
    assert found.bundles == ()
    assert "not mended by" in lost(found)["wrong-int8 int8"]
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


_QDQ = """
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


def same(value):
    return {{"name": value.name, "source": value.name, "transpose": None, "dtype": "float32"}}


def convert(request):
    model = onnx.load(request["source"])
    graph = model.graph
    last = next(node for node in graph.node if node.output[0] == "y")
    last.output[0] = "y_before"
{spoil}
    onnx.save(model, Path(request["out_dir"]) / "model.onnx")
    return {{
        "artifact": "model.onnx",
        "files": ["model.onnx"],
        "io": {{"inputs": [same(graph.input[0])], "outputs": [same(graph.output[0])]}},
        "tools": [{{"tool": "a tool", "version": "1", "arguments": {{}}}}],
        "notes": [],
    }}
"""
SLOW_INT8 = _QDQ.format(
    spoil="""
    # wide convolutions whose sum is added to the answer times nothing
    rng, x, channels = np.random.default_rng(0), "x", 3
    for layer in range(6):
        weight = rng.standard_normal((64, channels, 3, 3)).astype(np.float32) * 0.01
        graph.initializer.append(numpy_helper.from_array(weight, f"slow_w{layer}"))
        graph.node.append(helper.make_node("Conv", [x, f"slow_w{layer}"], [f"slow{layer}"], pads=[1] * 4))
        x, channels = f"slow{layer}", 64
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))
    graph.node.append(helper.make_node("ReduceMean", [x], ["slow_mean"], keepdims=0))
    graph.node.append(helper.make_node("Mul", ["slow_mean", "nothing"], ["slow_zero"]))
    graph.node.append(helper.make_node("Add", ["y_before", "slow_zero"], ["y"]))
"""
)
WRONG_INT8 = _QDQ.format(spoil='    graph.node.append(helper.make_node("Neg", ["y_before"], ["y"]))')
