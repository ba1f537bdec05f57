"""The journal of a search: what is proposed next, what a killed run leaves, and who may use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.tuning.record import Final, Finalist, Limits, Trial
from edgekit.tuning.space import Point, Space
from edgekit.tuning.study import open_study
from tests.tuning.test_space import FLOAT, OURS
from tests.tuning.trials import trial

SPACE = Space.over([FLOAT, OURS], threads=2)
ALL = len(SPACE.points)


def measured(point: Point, number: int) -> Trial:
    """More threads are faster, mse is the most accurate, floats are slow; one point crashes."""
    ratio = (0.9 if point.ranges is None else 0.5) / point.threads
    accuracy = 0.95 if point.ranges is None else 0.94 + 0.005 * (point.ranges == "mse")
    crash = point.ranges == "entropy" and point.rounding == "nearest"
    return trial(
        number,
        ratio=ratio,
        accuracy=accuracy,
        candidate=point.candidate,
        ranges=point.ranges,
        rounding=point.rounding,
        threads=point.threads,
        reason="crashed" if crash else None,
    )


def search(folder: Path, *, trials: int, most: int | None = None, seed: int = 0) -> list[Point]:
    """Go on in ``folder`` for at most ``most`` trials; the points in their order."""
    found: list[Point] = []
    with open_study(folder, SPACE) as study:
        while (most is None or len(found) < most) and (
            point := study.next_point(Limits(), trials=trials, seed=seed)
        ):
            study.keep(measured(point, len(study.done) + 1))
            found.append(point)
    return found


def test_trials_that_suffice_go_through_every_point_once_in_the_order_of_the_seed(tmp_path: Path) -> None:
    found = search(tmp_path, trials=ALL, seed=3)
    assert tuple(found) == SPACE.in_order(3)
    assert search(tmp_path, trials=1000, seed=3) == []


def test_fewer_are_proposed_without_a_repetition(tmp_path: Path) -> None:
    found = search(tmp_path, trials=12)
    assert len(found) == len(set(found)) == 12
    assert {point.candidate for point in found[:2]} == {FLOAT.label, OURS.label}


@pytest.mark.parametrize("trials", [12, ALL], ids=["proposed", "all points"])
def test_a_search_that_goes_on_does_what_an_undisturbed_one_does(tmp_path: Path, trials: int) -> None:
    undisturbed = search(tmp_path / "a", trials=trials)
    parts = [search(tmp_path / "b", trials=trials, most=5) for _ in range(5)]
    assert [point for part in parts for point in part] == undisturbed


def test_trials_come_back_as_they_were(tmp_path: Path) -> None:
    search(tmp_path, trials=ALL)
    with open_study(tmp_path, SPACE) as study:
        assert len(study.done) == ALL
        for number, point in enumerate(SPACE.in_order(0), start=1):
            assert study.done[point] == measured(point, number)


def test_a_final_comes_back_for_the_very_same_trials(tmp_path: Path) -> None:
    held = Final(
        source_ms=(1.0, 1.1),
        finalists=(Finalist(trial=3, times_ms=(0.5, 0.6)), Finalist(trial=1, reason="crashed")),
    )
    with open_study(tmp_path, SPACE) as study:
        assert study.final_of([1, 3]) is None
        study.keep_final(held)
    with open_study(tmp_path, SPACE) as study:
        assert study.final_of([1, 3]) == study.final_of([3, 1]) == held
        assert study.final_of([1]) is None
        assert study.final_of([1, 2, 3]) is None


def test_a_line_that_was_torn_by_a_kill_is_dropped(tmp_path: Path) -> None:
    first = search(tmp_path, trials=ALL, most=3)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    rest = search(tmp_path, trials=ALL)
    assert rest[0] == first[2], "the torn trial was not finished"
    assert len(rest) == ALL - 2
    assert journal.read_bytes().startswith(whole[: whole[:-1].rfind(b"\n")])


def test_a_candidate_that_can_be_built_only_now_is_added(tmp_path: Path) -> None:
    with open_study(tmp_path, Space.over([FLOAT, OURS.without("no environment")], threads=2)) as study:
        while point := study.next_point(Limits(), trials=ALL, seed=0):
            study.keep(measured(point, len(study.done) + 1))
        assert len(study.done) == 2
    assert len(search(tmp_path, trials=ALL)) == ALL - 2


def test_a_part_of_the_space_has_the_same_trials_and_counts_its_own(tmp_path: Path) -> None:
    search(tmp_path, trials=ALL)
    part = Space.over([FLOAT, OURS.without("not asked for")], threads=2)
    with open_study(tmp_path, part) as study:
        assert {trial.candidate for trial in study.trials} == {FLOAT.label}
        assert len(study.done) == ALL
        assert study.next_point(Limits(), trials=1, seed=0) is None
    assert search(tmp_path, trials=ALL) == []


def test_trials_that_were_not_asked_for_are_not_counted(tmp_path: Path) -> None:
    part = Space.over([FLOAT, OURS.without("not asked for")], threads=2)
    with open_study(tmp_path, part) as study:
        while point := study.next_point(Limits(), trials=2, seed=0):
            study.keep(measured(point, len(study.done) + 1))
    other = Space.over([FLOAT.without("not asked for"), OURS], threads=2)
    with open_study(tmp_path, other) as study:
        assert study.next_point(Limits(), trials=2, seed=0) is not None


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        open_study(tmp_path, SPACE),
        pytest.raises(EdgekitError, match="another `edgekit tune` is at work here"),
        open_study(tmp_path, SPACE),
    ):
        pass
