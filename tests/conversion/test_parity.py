"""Figures of known noise, and a verdict for every way an artifact can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.conversion.parity import CAP_DB, LIMITS, Fidelity, fidelity, judge
from edgekit.vocabulary import Precision

RNG = np.random.default_rng(1)
SOURCE = [{"y": RNG.standard_normal((1, 200)).astype(np.float32)} for _ in range(5)]


def noisy(share: float) -> list[dict[str, np.ndarray]]:
    """SOURCE with noise of ``share`` of its power."""
    rng = np.random.default_rng(2)
    return [
        {"y": outputs["y"] + np.sqrt(share) * rng.standard_normal(outputs["y"].shape)} for outputs in SOURCE
    ]


def verdict(found: Fidelity) -> str | None:
    return judge(found, "int8", limits=LIMITS["int8"])


def test_equal_outputs_reach_the_cap() -> None:
    found = fidelity(SOURCE, SOURCE)
    assert (found.sqnr_db, found.first.equal, found.samples) == (CAP_DB, 1.0, 5)
    assert found.cosine == pytest.approx(1)
    assert judge(found, "fp32") is None


@pytest.mark.parametrize("decibels", [10.0, 30.0, 60.0])
def test_sqnr_is_the_power_of_the_noise(decibels: float) -> None:
    # 1000 values: the noise's own power is known within a few percent, 0.5 dB
    assert fidelity(SOURCE, noisy(10 ** (-decibels / 10))).sqnr_db == pytest.approx(decibels, abs=0.5)


def test_cosine_is_that_of_the_worst_sample() -> None:
    artifact = [*SOURCE[:-1], {"y": -SOURCE[-1]["y"]}]
    assert fidelity(SOURCE, artifact).cosine == pytest.approx(-1.0)


def test_an_undecided_sample_has_no_direction_to_lose() -> None:
    decided = [{"y": np.array([[3.0, -3.0]])}, {"y": np.array([[-2.5, 2.5]])}]
    undecided, turned = {"y": np.array([[0.05, -0.05]])}, {"y": np.array([[-0.05, 0.05]])}
    assert fidelity([*decided, undecided], [*decided, turned]).cosine == pytest.approx(1.0)
    flipped = {"y": -decided[1]["y"]}
    assert fidelity([*decided, undecided], [decided[0], flipped, undecided]).cosine == pytest.approx(-1.0)


def test_the_reason_gives_figures_and_limits() -> None:
    reason = verdict(fidelity(SOURCE, noisy(0.4)))
    assert reason is not None
    assert "output 'y': SQNR 3." in reason
    assert "int8 needs 7 dB" in reason


def test_the_reason_says_which_figure_failed() -> None:
    turned = [{"y": -SOURCE[0]["y"]}, *SOURCE[1:]]
    found = fidelity(SOURCE * 8, [*turned, *SOURCE * 7])
    assert found.sqnr_db > 7
    assert verdict(found) == (
        f"output 'y': worst cosine -1.0000, int8 needs 0.8 (SQNR {found.sqnr_db:.1f} dB is enough)"
    )


def test_every_float_output_is_judged_not_only_the_first() -> None:
    source = [{"first": outputs["y"], "second": outputs["y"]} for outputs in SOURCE]
    artifact = [{"first": a["y"], "second": b["y"]} for a, b in zip(SOURCE, noisy(2.0), strict=True)]
    reason = verdict(fidelity(source, artifact))
    assert reason is not None
    assert "output 'second'" in reason
    assert "output 'first'" not in reason


def test_integers_are_left_to_the_decoded_answers() -> None:
    source = [{"scores": outputs["y"], "index": np.array([[3]])} for outputs in SOURCE]
    artifact = [{"scores": outputs["y"], "index": np.array([[4]])} for outputs in SOURCE]
    found = fidelity(source, artifact, agreements=[1, 0, 0, 0, 0])
    assert found.outputs[1].equal == 0.0
    assert verdict(found) == "answers agree on 20.0%, int8 needs 80%"


def test_good_figures_with_wrong_answers_are_refused() -> None:
    assert verdict(fidelity(SOURCE, SOURCE, agreements=[1, 1, 0, 0, 0])) is not None


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({}, "is missing"),
        ({"y": np.zeros((1, 100), np.float32)}, "has shape [1, 100], [1, 200] in the source"),
        ({"y": np.full((1, 200), np.nan, np.float32)}, "is not finite where the source is"),
    ],
)
def test_what_cannot_be_compared_is_refused(broken: dict[str, np.ndarray], words: str) -> None:
    reason = judge(fidelity(SOURCE, [*SOURCE[:-1], broken]), "fp32")
    assert reason == f"output 'y' {words}"


def test_infinities_of_the_source_are_kept_and_do_not_count() -> None:
    masked = [{"y": np.where(outputs["y"] > 1, -np.inf, outputs["y"])} for outputs in SOURCE]
    assert judge(fidelity(masked, masked), "fp32") is None
    assert judge(fidelity(masked, SOURCE), "fp32") == "output 'y' is finite where the source is not"


def test_all_zero_outputs() -> None:
    zeros = [{"y": np.zeros((1, 4))}]
    assert judge(fidelity(zeros, zeros), "fp32") is None
    assert judge(fidelity(zeros, [{"y": np.ones((1, 4))}]), "int8") is not None
    assert judge(fidelity([{"y": np.ones((1, 4))}], zeros), "int8") is not None


@pytest.mark.parametrize("precision", ["int8", "int8-dynamic", "fp16"])
def test_an_artifact_without_a_quantized_weight_is_refused(precision: Precision) -> None:
    found = fidelity(SOURCE, SOURCE)
    reason = judge(found, precision, weights={"float32": 1000})
    assert reason is not None
    assert reason.startswith("nothing was quantized")
    assert judge(found, precision, weights={"float32": 1000, "int8": 10, "float16": 10}) is None


def test_samples_must_pair_up() -> None:
    with pytest.raises(ValueError, match="5 answers of the source, 4 of the artifact"):
        fidelity(SOURCE, SOURCE[1:])


def test_between_integers_are_no_distances() -> None:
    """One index of a hundred is wrong by 1 or by 90: the same error, 20 dB; the worst sample says how many hold."""
    for wrong in (1, 90):
        source = [{"y": np.arange(100)[None]}, {"y": np.arange(100)[None]}]
        found = fidelity(source, [{"y": np.where(source[0]["y"] < 2, wrong + 5, source[0]["y"])}, source[1]])
        assert found.sqnr_db == pytest.approx(20.0)
        assert found.cosine == pytest.approx(0.98)
    assert fidelity(source, source).sqnr_db == CAP_DB
