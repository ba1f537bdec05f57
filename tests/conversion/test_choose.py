"""The choice among verified candidates: never slower, never worse, and everybody else gets a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundles.manifest import Accuracy, Fidelity, Timing
from edgekit.catalog import Catalog, load_catalog
from edgekit.conversion.candidates import Candidate, Link
from edgekit.conversion.choose import Choice, Entrant, choose, drop_problem
from edgekit.conversion.plan import PRECISIONS
from edgekit.profiling.statistics import ratio_ci
from edgekit.vocabulary import Precision

CATALOG: Catalog = load_catalog()
ROUNDS = 24


def candidate(converter: str, precision: Precision, target: str = "raspberry-pi-4") -> Candidate:
    made_by, wanted = CATALOG.converter(converter), CATALOG.target(target)
    variant = next(item for item in made_by.variants if item.precision == precision)
    runtime = next(item for item in wanted.runtimes if item.id == made_by.runtime)
    return Candidate(target=wanted, runtime=runtime, chain=(Link(converter=made_by, variant=variant),))


def fidelity(sqnr_db: float = 30, agreement: float = 1.0) -> Fidelity:
    return Fidelity(samples=100, sqnr_db=sqnr_db, cosine=0.99, agreement=agreement, data="photos")


def entrant(
    converter: str, precision: Precision, ratio: float | None, *, sqnr_db: float = 30, noise: float = 0.01
) -> Entrant:
    """``ratio``: of the source's time of 10 ms; None where nothing was timed."""
    made = Entrant(
        candidate=candidate(converter, precision),
        folder=Path(f"{converter}-{precision}"),
        fidelity=fidelity(sqnr_db),
        accuracy=None,
        size_bytes=1000,
    )
    if ratio is None:
        return made
    seed = len(converter) * 100 + PRECISIONS.index(precision)
    source = np.full(ROUNDS, 10.0)
    times = 10 * ratio * np.exp(np.random.default_rng(seed).normal(0, noise, ROUNDS))
    middle, low, high = ratio_ci(list(times), list(source))
    timing = Timing(
        p50_ms=float(np.median(times)),
        source_p50_ms=10.0,
        ratio=middle,
        ratio_ci_low=low,
        ratio_ci_high=high,
        rounds=ROUNDS,
        threads=1,
        machine="a machine",
    )
    return made.timed(list(times), timing)


def kept(choice: Choice) -> str:
    return choice.kept.candidate.label


def reason_of(choice: Choice, label: str) -> str:
    return next(why for item, why in (*choice.dropped, *choice.beaten) if item.candidate.label == label)


def test_the_fastest_that_is_worth_its_error_is_kept() -> None:
    found = choose(
        [entrant("onnxruntime", "fp32", 1.0, sqnr_db=130), entrant("onnxruntime", "int8", 0.5)], PRECISIONS
    )
    assert kept(found) == "onnxruntime int8"
    assert "takes 0.50 of its time" in reason_of(found, "onnxruntime fp32")
    assert not found.dropped


def test_what_is_slower_than_the_source_is_dropped_with_the_ratio() -> None:
    found = choose([entrant("onnxruntime", "fp32", 1.0), entrant("onnxruntime", "int8", 1.5)], PRECISIONS)
    assert kept(found) == "onnxruntime fp32"
    assert [item.candidate.label for item, _ in found.dropped] == ["onnxruntime int8"]
    assert "slower than the source model: 1.5" in reason_of(found, "onnxruntime int8")


def test_what_is_less_exact_but_not_faster_is_not_kept() -> None:
    found = choose([entrant("onnxruntime", "fp32", 0.9), entrant("onnxruntime", "fp16", 0.895)], PRECISIONS)
    assert kept(found) == "onnxruntime fp32"
    assert "not faster than the more exact onnxruntime fp32" in reason_of(found, "onnxruntime fp16")


def test_a_gain_that_the_noise_could_make_is_none() -> None:
    found = choose(
        [entrant("onnxruntime", "fp32", 1.0, noise=0.3), entrant("onnxruntime", "int8", 0.93, noise=0.3)],
        PRECISIONS,
    )
    assert kept(found) == "onnxruntime fp32"


def test_of_one_precision_the_more_exact_comes_first() -> None:
    close = [
        entrant("litert", "int8", 0.50, sqnr_db=20),
        entrant("onnxruntime", "int8", 0.49, sqnr_db=15),
        entrant("onnxruntime", "fp32", 1.0, sqnr_db=130),
    ]
    assert kept(choose(close, PRECISIONS)) == "litert int8"


def test_the_more_exact_comes_first_whatever_its_precision_is_called() -> None:
    close = [
        entrant("openvino", "int8", 0.50, sqnr_db=22),
        entrant("litert", "int8-dynamic", 0.49, sqnr_db=26),
        entrant("onnxruntime", "fp32", 1.0, sqnr_db=130),
    ]
    assert kept(choose(close, PRECISIONS)) == "litert int8-dynamic"


def test_something_comes_back_where_all_are_slower_and_says_so() -> None:
    found = choose([entrant("onnxruntime", "fp32", 1.1), entrant("onnxruntime", "int8", 3.0)], PRECISIONS)
    assert kept(found) == "onnxruntime fp32"
    assert "although slower than the source model: 1.1" in found.reason
    assert [item.candidate.label for item, _ in found.dropped] == ["onnxruntime int8"]


def test_what_was_asked_for_goes_before_what_is_faster() -> None:
    entrants = [
        entrant("onnxruntime", "fp32", 1.0, sqnr_db=130),
        entrant("onnxruntime", "fp16", 0.98, sqnr_db=60),
        entrant("litert", "int8", 0.4),
    ]
    found = choose(entrants, ("fp16",))
    assert kept(found) == "onnxruntime fp16"
    assert reason_of(found, "litert int8") == "kept in reserve: fp16 was asked for"


def test_fp32_comes_back_where_what_was_asked_for_is_slower() -> None:
    found = choose([entrant("onnxruntime", "fp32", 1.0), entrant("onnxruntime", "int8", 2.0)], ("int8",))
    assert kept(found) == "onnxruntime fp32"
    assert "slower" in reason_of(found, "onnxruntime int8")
    assert found.reason.startswith("nothing of what was asked for (int8) held; takes 1.0")


def test_where_nothing_asked_for_holds_no_rule_is_given_as_the_reason() -> None:
    """int8 was dropped before the choice, for a board that cannot be timed here."""
    found = choose([entrant("onnxruntime", "fp32", None)], ("int8",))
    assert found.reason == "nothing of what was asked for (int8) held; not timed"


def test_who_is_out_of_the_final_keeps_its_reason() -> None:
    slow = entrant("onnxruntime", "fp32", 1.0, sqnr_db=130)
    slow = replace(slow, out_of_final="too slow")
    found = choose([slow, entrant("onnxruntime", "int8", 0.5)], PRECISIONS)
    assert kept(found) == "onnxruntime int8"
    assert reason_of(found, "onnxruntime fp32") == "too slow"


def test_the_latency_asked_for_drops_the_slow_ones() -> None:
    entrants = [entrant("onnxruntime", "fp32", 1.0), entrant("onnxruntime", "int8", 0.5)]
    found = choose(entrants, ("fp32",), latency_ms=6)
    assert kept(found) == "onnxruntime int8"
    assert "more than the 6 ms asked for" in reason_of(found, "onnxruntime fp32")


@pytest.mark.parametrize(
    ("entrants", "expected"),
    [
        ([("litert", "fp32"), ("litert", "int8"), ("onnxruntime", "int8")], "litert int8"),
        ([("onnxruntime", "fp32"), ("onnxruntime", "fp16")], "onnxruntime fp32"),
        ([("litert", "int8-dynamic"), ("onnxruntime", "int8")], "onnxruntime int8"),
        ([("litert", "fp32"), ("litert", "int8-dynamic")], "litert int8-dynamic"),
    ],
)
def test_without_times_the_rule_decides(entrants: list[tuple[str, Precision]], expected: str) -> None:
    found = choose([entrant(converter, precision, None) for converter, precision in entrants], PRECISIONS)
    assert kept(found) == expected
    assert "not timed" in found.reason
    assert len(found.beaten) == len(entrants) - 1


def accuracy(source: float, artifact: float, samples: int = 200) -> Accuracy:
    return Accuracy(metric="top-1", source=source, artifact=artifact, samples=samples, data="labelled")


def test_a_lost_point_is_allowed_and_no_more() -> None:
    assert drop_problem(fidelity(), accuracy(0.90, 0.89), None) is None
    problem = drop_problem(fidelity(), accuracy(0.90, 0.885), None)
    assert problem is not None
    assert "top-1 falls from 90.0% to 88.5% on 200 samples" in problem
    assert drop_problem(fidelity(), accuracy(0.90, 0.885), 0.02) is None


def test_of_few_samples_one_may_be_lost_unless_the_user_says_otherwise() -> None:
    assert drop_problem(fidelity(), accuracy(0.90, 0.85, samples=20), None) is None
    problem = drop_problem(fidelity(), accuracy(0.90, 0.84, samples=20), None)
    assert problem
    assert "at most 5.0% may be lost" in problem
    assert drop_problem(fidelity(), accuracy(0.90, 0.85, samples=20), 0.01)


def test_a_gain_in_accuracy_is_no_loss() -> None:
    assert drop_problem(fidelity(agreement=0.9), accuracy(0.90, 0.92), 0.0) is None


def test_without_labels_agreement_is_held_to_what_the_user_says() -> None:
    assert drop_problem(fidelity(agreement=0.9), None, None) is None
    problem = drop_problem(fidelity(agreement=0.9), None, 0.01)
    assert problem is not None
    assert "agree with the source's on 90.0% of 100 samples" in problem
