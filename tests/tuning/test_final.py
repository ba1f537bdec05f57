"""Who meets in the final, and who is handed out after it."""

from __future__ import annotations

from edgekit.tuning.final import MOST, finalists, retimed
from edgekit.tuning.front import pick
from edgekit.tuning.record import Final, Finalist, Limits, Trial
from tests.tuning.trials import trial

SOURCE = tuple(10 + 0.1 * (index % 3) for index in range(24))


def ran(number: int, ratio: float, spread: float = 0.0) -> Finalist:
    """Times that are ``ratio`` of the source's, every other one by ``spread`` more or less."""
    times = tuple(ms * (ratio + spread * (-1) ** index) for index, ms in enumerate(SOURCE))
    return Finalist(trial=number, times_ms=times)


def after(trials: list[Trial], *ran_again: Finalist) -> tuple[list[Trial], Final]:
    final = Final(source_ms=SOURCE, finalists=ran_again)
    return list(retimed(trials, final)), final


def test_whose_interval_overlaps_that_of_the_fastest() -> None:
    """Intervals of the trials here reach one percent up and down."""
    front = [trial(1, ratio=0.500), trial(2, ratio=0.508), trial(3, ratio=0.6)]
    assert finalists(front) == tuple(front[:2])
    assert finalists(front[1:]) == ()
    assert finalists(front[:1]) == finalists([]) == ()


def test_those_between_which_accuracy_decides() -> None:
    front = [trial(1, ratio=0.500), trial(2, ratio=0.514)]
    assert finalists(front) == tuple(front)


def test_four_at_most() -> None:
    front = [trial(number, ratio=0.5 + number / 10_000) for number in range(1, 8)]
    assert finalists(front) == tuple(front[:MOST])


def test_the_final_s_times_go_before_the_trials_own() -> None:
    trials = [trial(1, ratio=0.50, accuracy=0.941), trial(2, ratio=0.51, accuracy=0.945)]
    again, final = after(trials, ran(1, 0.52), ran(2, 0.45))
    first, second = again
    assert second.timing is not None
    assert (second.timing.ratio, second.timing.machine) == (0.45, "a machine")
    assert second.search_timing == trials[1].timing
    found = pick(again, Limits(), final)
    assert found.chosen is second
    assert found.front == (second,), "faster and more accurate"
    assert (
        "0.45 of the source model's time: the fastest that keeps to all limits, timed in one run"
        in found.reason
    )
    assert first.search_timing == trials[0].timing


def test_a_less_accurate_one_must_be_faster_with_its_whole_interval() -> None:
    trials = [trial(1, ratio=0.50, accuracy=0.941), trial(2, ratio=0.51, accuracy=0.949)]
    again, final = after(trials, ran(1, 0.505, spread=0.02), ran(2, 0.515))
    found = pick(again, Limits(), final)
    assert found.chosen is again[1]
    assert "onnxruntime int8, 1 thread takes 0.98 of its time (0.9" in found.reason
    assert "and is less accurate" in found.reason
    surely, final = after(trials, ran(1, 0.49), ran(2, 0.515))
    assert pick(surely, Limits(), final).chosen is surely[0]


def test_who_was_not_in_the_final_does_not_win_by_its_own_times() -> None:
    trials = [trial(1, ratio=0.50), trial(2, ratio=0.505, accuracy=0.949), trial(3, ratio=0.55, megabytes=50)]
    again, final = after(trials, ran(1, 0.60), ran(2, 0.61))
    assert pick(again, Limits(), final).chosen is again[1]


def test_limits_hold_for_the_final_s_times() -> None:
    trials = [trial(1, ratio=0.50, megabytes=50), trial(2, ratio=0.505, accuracy=0.949)]
    again, final = after(trials, ran(1, 0.50), ran(2, 0.53))
    found = pick(again, Limits(latency_ms=5.2), final)
    assert found.chosen is again[0]


def test_who_failed_in_the_final_is_out() -> None:
    trials = [trial(1, ratio=0.50), trial(2, ratio=0.505, accuracy=0.949)]
    again, final = after(trials, ran(1, 0.50), Finalist(trial=2, reason="crashed"))
    assert again[1].reason == "crashed"
    assert pick(again, Limits(), final).chosen is again[0]
