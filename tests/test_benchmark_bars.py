"""The bars of ``benchmarks/quantization.py`` are missed by what should miss them."""

from __future__ import annotations

import pytest

from benchmarks.bars import CANDIDATE, CHOICE, Bar, Outcome, judge
from benchmarks.trials import SOURCE, Closeness
from edgekit.bundles.manifest import Accuracy, Fidelity
from edgekit.conversion.answers import Verdict

OURS, ORT, NNCF = f"{CANDIDATE}openvino int8 qdq", "onnxruntime int8", "OpenVINO + NNCF int8"


def near(sqnr_db: float, cosine: float = 0.999, lost: float | None = None) -> Closeness:
    told = {"metric": "top-1", "source": 0.9, "artifact": 0.9 - (lost or 0), "samples": 9, "data": "eval"}
    accuracy = None if lost is None else Accuracy.model_validate(told)
    fidelity = Fidelity(sqnr_db=sqnr_db, cosine=cosine, agreement=1.0, data="eval: 9 samples", samples=9)
    return Closeness(verdict=Verdict(fidelity=fidelity, accuracy=accuracy, reason=None), mean_cosine=cosine)


def outcome(
    model: str, found: dict[str, Closeness], times: dict[str, float], *, convolutional: bool = True
) -> Outcome:
    return Outcome(
        model=model, convolutional=convolutional, choice="litert fp32", found={SOURCE: near(200), **found},
        times={name: [ms * (1 + 0.001 * turn) for turn in range(8)] for name, ms in {SOURCE: 10.0, **times}.items()},
    )  # fmt: skip


def missed(*outcomes: Outcome) -> list[str]:
    bars: list[Bar] = list(judge(outcomes))
    return [bar.what for bar in bars if not bar.passed]


@pytest.mark.parametrize(
    ("sqnr_db", "ms", "passes"), [(19.1, 2.0, True), (18.9, 2.0, False), (30.0, 2.2, False)]
)
def test_six_decibels_above_the_nearest_peer_count_only_where_it_is_no_slower(
    sqnr_db: float, ms: float, passes: bool
) -> None:
    found = {OURS: near(sqnr_db), CHOICE: near(sqnr_db), ORT: near(10.0), NNCF: near(13.0)}
    what = missed(outcome("net", found, {OURS: ms, CHOICE: ms, ORT: 4.0, NNCF: 2.0}))
    assert any("SQNR above OpenVINO + NNCF int8" in line for line in what) is not passes


def test_a_float_choice_that_is_faster_counts_and_is_named() -> None:
    found = {OURS: near(14.0), CHOICE: near(130.0), NNCF: near(13.0)}
    (bar, *_) = judge([outcome("net", found, {OURS: 3.0, CHOICE: 1.0, NNCF: 2.0})])
    assert bar.passed
    assert "litert fp32" in bar.what


def test_a_choice_slower_than_the_fastest_peer_is_missed() -> None:
    found = {OURS: near(30.0), CHOICE: near(30.0), ORT: near(10.0), NNCF: near(13.0)}
    what = missed(outcome("net", found, {OURS: 2.0, CHOICE: 2.1, ORT: 4.0, NNCF: 2.0}))
    assert any(line.startswith("choice's time") for line in what)
    assert any("geometric mean" in line for line in what)


def test_models_with_bars_of_their_own() -> None:
    lite0 = {OURS: near(21.9), CHOICE: near(21.9), NNCF: near(13.0)}
    ghost = {OURS: near(35.0, lost=0.004), CHOICE: near(35.0), NNCF: near(13.0)}
    mini = {CHOICE: near(26.0, cosine=0.994), NNCF: near(22.0)}
    times = {OURS: 1.0, CHOICE: 1.0, NNCF: 2.0}
    what = missed(
        outcome("efficientnet-lite0", lite0, times),
        outcome("ghostnet-fashion-mnist", ghost, times),
        outcome("minilm", mini, {CHOICE: 1.0, NNCF: 2.0}, convolutional=False),
    )
    assert what == [
        f"{OURS}: SQNR", f"{OURS}: points of labelled accuracy lost", "smallest sentence cosine of the choice",
    ]  # fmt: skip
