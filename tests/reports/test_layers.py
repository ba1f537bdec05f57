"""What is said of a bundle's layers, from its table and from times by operator."""

from __future__ import annotations

import re

import pytest

from edgekit.profiling.record import OperatorTime
from edgekit.quantization.table import InFloat, LayerSensitivity, Sensitivity
from edgekit.reports.layers import CONVERSIONS, LAYOUT, REST, Times, Why, explain, shared_out
from edgekit.reports.page import render_why
from tests.reports.evidence import bundle_of, manifest


def layer(node: str, macs: int, sqnr_db: float | None, in_float: InFloat = "") -> LayerSensitivity:
    return LayerSensitivity(node=node, op="Conv", macs=macs, in_float=in_float, sqnr_db=sqnr_db)


def ran(name: str, ms: float, op: str = "Conv") -> OperatorTime:
    return OperatorTime(name=name, op=op, ms=ms)


TABLE = Sensitivity(
    schema=1,
    samples=8,
    unseen=True,
    layers=(
        layer("stem", 100, 40.0),
        layer("bad", 300, 5.25, "rescue"),
        layer("<b>scores</b>", 100, None, "attention"),
    ),
)
TIMES = Times(
    operators=(ran("stem,relu", 1.0), ran("bad", 5.0), ran("x_QuantizeLinear", 1.5, "QuantizeLinear")),
    kind="measured",
    where="a CPU, 1 thread(s)",
    how="its profile",
)


def why(*, missing: tuple[str, ...] = ()) -> Why:
    return explain(bundle_of(manifest()), TABLE.layers, table=TABLE, times=TIMES, missing=missing)


def test_each_layer_has_its_precision_error_and_shares() -> None:
    facts = why().facts()
    stem, bad, scores = facts["layers"]
    assert (stem["precision"], stem["alone_sqnr_db"], stem["macs_share"]) == ("int8", 40.0, 0.2)
    assert (bad["precision"], bad["reason"], bad["alone_sqnr_db"]) == ("float", "kept by the rescue", 5.25)
    assert (scores["reason"], scores["alone_sqnr_db"], scores["ms"]) == ("attention", None, 0.0)
    assert bad["time_share"] == pytest.approx(5 / 7.5, abs=1e-5)
    assert facts["other"] == [{"name": CONVERSIONS, "ms": 1.5, "time_share": 0.2}]


def test_a_float_artifact_has_no_errors_and_no_reasons() -> None:
    record = manifest()
    fp32 = record.model_copy(update={"artifact": record.artifact.model_copy(update={"precision": "fp32"})})
    rows = explain(bundle_of(fp32), TABLE.layers, table=None, times=None).rows
    assert {(row.precision, row.reason, row.sqnr_db, row.ms) for row in rows} == {("fp32", "", None, None)}


def test_without_a_table_nobody_knows_what_is_in_int8() -> None:
    rows = explain(bundle_of(manifest()), TABLE.layers, table=None, times=None).rows
    assert {row.precision for row in rows} == {""}


def test_time_is_shared_out_to_layers_and_the_rest_by_kind() -> None:
    spent, other = shared_out(
        [
            ran("a,relu", 2.0),
            ran("a,b", 4.0),
            ran("n,o", 1.0),  # a name with a comma of its own
            ran("a/in_float", 0.5, "Max"),
            ran("Reorder (layout change by onnxruntime)", 0.25, "ReorderInput"),
            ran("sum", 0.125, "Add"),
        ],
        ["a", "b", "n,o"],
    )
    assert spent == {"a": 4.0, "b": 2.0, "n,o": 1.0}
    assert other == {CONVERSIONS: 0.5, LAYOUT: 0.25, REST: 0.125}


def test_the_page_says_the_same_and_escapes_names() -> None:
    page = re.sub(r"<script.*?</script>", "", render_why(why(missing=("the weather",))), flags=re.DOTALL)
    for fact in ("5.2 dB", "kept by the rescue", "66.67 %", "Not known: the weather", CONVERSIONS):
        assert fact in page
    assert "<b>scores" not in page
