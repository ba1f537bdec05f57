"""Down at once when answers get old or the board hot, up only after a while, and not to and fro."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from edgekit.camera.ladder import CALM_S, LONGEST_CALM_S, LOOK_S, Ladder, Limits

Age = Callable[[int], float]
"""How old an answer is on a rung."""


def climb(
    ladder: Ladder, seconds: float, age: Age, temperature: Age = lambda _: 40.0, begin: float = 0.0
) -> list[tuple[float, int]]:
    """Ten answers a second; when it changed to which rung."""
    changes = []
    for tick in range(round(seconds * 10)):
        now = begin + tick / 10
        if change := ladder.look(now, age(ladder.rung), temperature(ladder.rung)):
            changes.append((round(now, 1), change.rung))
    return changes


def test_nothing_happens_where_all_is_well() -> None:
    assert climb(Ladder(3, Limits(age_ms=100, temperature_c=80)), 100, lambda _: 50) == []


def test_it_goes_down_rung_by_rung_as_far_as_it_must() -> None:
    ages = [300.0, 200.0, 90.0, 10.0]
    ladder = Ladder(4, Limits(age_ms=100))
    assert climb(ladder, 60, lambda rung: ages[rung]) == [(LOOK_S, 1), (2 * LOOK_S, 2)]
    assert ladder.rung == 2  # 90 ms is not well enough to try the one above, which takes 200


def test_the_last_rung_is_the_last() -> None:
    assert climb(Ladder(2, Limits(age_ms=100)), 60, lambda _: 300) == [(LOOK_S, 1)]


def test_a_single_slow_answer_is_no_trouble() -> None:
    answers = iter([50.0] * 60 + [5000.0] + [50.0] * 1000)
    assert climb(Ladder(2, Limits(age_ms=100)), 30, lambda _: next(answers)) == []


def test_it_goes_up_when_the_load_has_gone() -> None:
    ladder = Ladder(2, Limits(age_ms=100))
    assert climb(ladder, 10, lambda _: 300) == [(LOOK_S, 1)]
    # all is well once the old ages are out of the window
    ((at, rung),) = climb(ladder, 60, lambda _: 20, begin=10)
    assert rung == 0
    assert 10 + CALM_S <= at <= 10 + CALM_S + LOOK_S


def test_a_rung_that_does_not_last_is_tried_less_and_less_often() -> None:
    ladder = Ladder(2, Limits(age_ms=100))
    changes = climb(ladder, 3 * 3600, lambda rung: (300.0, 20.0)[rung])
    tries = [at for at, rung in changes if rung == 0]
    pauses = [later - at for at, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert LONGEST_CALM_S <= pauses[-1] <= LONGEST_CALM_S + 3 * LOOK_S
    assert len(tries) < 30


def test_heat_counts_too() -> None:
    ladder = Ladder(2, Limits(temperature_c=80))
    assert climb(ladder, 20, lambda _: 50, lambda rung: (85.0, 78.0)[rung]) == [(LOOK_S, 1)]
    assert (
        climb(ladder, 100, lambda _: 50, lambda _: 78.0, begin=20) == []
    )  # cool enough to stay, not to go up
    ((_, rung),) = climb(ladder, 60, lambda _: 50, lambda _: 70.0, begin=120)
    assert rung == 0


def test_the_reason_is_said() -> None:
    ladder = Ladder(2, Limits(age_ms=100))
    ladder.look(0, 300, None)
    change = ladder.look(LOOK_S, 300, None)
    assert change
    assert change.reason == "answers are 300 ms old, 100 are allowed"


def test_it_can_be_pinned() -> None:
    ladder = Ladder(3, Limits(age_ms=100), pinned=1)
    assert climb(ladder, 60, lambda _: 300) == []
    assert ladder.rung == 1
