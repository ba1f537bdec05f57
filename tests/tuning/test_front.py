"""The front, the choice on it, and the nearest where none keeps to the limits."""

from __future__ import annotations

from edgekit.tuning.front import front, misses, pick
from edgekit.tuning.record import Limits
from tests.tuning.trials import trial


def numbers(trials: tuple[object, ...]) -> list[int]:
    return [getattr(item, "number", -1) for item in trials]


def test_the_front_holds_what_no_other_beats() -> None:
    fast = trial(1, ratio=0.4, megabytes=120, accuracy=0.940)
    small = trial(2, ratio=0.6, megabytes=60, accuracy=0.940)
    exact = trial(3, ratio=0.9, megabytes=120, accuracy=0.950)
    beaten = trial(4, ratio=0.7, megabytes=130, accuracy=0.930)
    broken = trial(5, reason="crashed")
    assert numbers(front([exact, beaten, small, fast, broken])) == [1, 2, 3]


def test_noise_makes_no_front() -> None:
    """A quarter of a percent of the time, some pages, a fraction of a sample."""
    one = trial(1, ratio=0.400, megabytes=100.1, accuracy=0.9400, threads=2)
    same = trial(2, ratio=0.401, megabytes=100.2, accuracy=0.9402, threads=1)
    assert numbers(front([one, same])) == [2], "of equal ones that on fewer threads"


def test_without_labels_decibels_count() -> None:
    coarse = trial(1, accuracy=None, sqnr_db=18, ratio=0.5)
    fine = trial(2, accuracy=None, sqnr_db=25, ratio=0.6)
    worse = trial(3, accuracy=None, sqnr_db=17, ratio=0.7)
    assert numbers(front([coarse, fine, worse])) == [1, 2]


def test_the_fastest_that_keeps_to_all_limits() -> None:
    trials = [
        trial(1, ratio=0.3, accuracy=0.90),
        trial(2, ratio=0.4, megabytes=300),
        trial(3, ratio=0.5, accuracy=0.945),
        trial(4, ratio=0.8, accuracy=0.95),
    ]
    found = pick(trials, Limits(memory_bytes=200_000_000))
    assert found.chosen is trials[2]
    assert numbers(found.front) == [3, 4]
    assert found.nearest is None
    assert "0.50 of the source model's time: the fastest" in found.reason


def test_of_equally_fast_ones_the_most_accurate() -> None:
    trials = [trial(1, ratio=0.500, accuracy=0.941), trial(2, ratio=0.510, accuracy=0.949)]
    found = pick(trials, Limits())
    assert found.chosen is trials[1]
    assert found.chosen in found.front
    assert "as onnxruntime int8, 1 thread does (0.50)" in found.reason


def test_what_is_slower_than_the_source_says_so() -> None:
    found = pick([trial(1, ratio=0.5, megabytes=200), trial(2, ratio=1.2)], Limits(memory_bytes=150_000_000))
    assert "takes 1.20 of the source model's time: slower than the source" in found.reason


def test_the_nearest_where_none_keeps_to_the_limits() -> None:
    trials = [
        trial(1, ratio=0.5, megabytes=150),
        trial(2, ratio=0.6, megabytes=101),
        trial(3, reason="crashed"),
    ]
    found = pick(trials, Limits(latency_ms=5.5, memory_bytes=100_000_000))
    assert found.chosen is None
    assert found.nearest is trials[1]
    assert "takes 6.00 ms (p50), more than 5.5 ms; takes 101.0 MB, more than 100 MB" in found.reason
    assert numbers(found.front) == [1, 2]


def test_a_point_of_accuracy_is_the_most_where_nothing_is_said() -> None:
    lossy = trial(1, accuracy=0.93)
    assert [miss.limit for miss in misses(lossy, Limits())] == ["max-drop"]
    assert misses(lossy, Limits(max_drop=0.02)) == ()
    unlabelled = trial(2, accuracy=None, agreement=0.9)
    assert misses(unlabelled, Limits()) == ()
    assert [miss.limit for miss in misses(unlabelled, Limits(max_drop=0.05))] == ["max-drop"]


def test_what_was_asked_for_goes_before_what_is_faster() -> None:
    trials = [trial(1, ratio=0.3, precision="int8"), trial(2, ratio=0.9, precision="fp32", megabytes=50)]
    assert pick(trials, Limits(precisions=("fp32",))).chosen is trials[1]
    assert numbers(pick(trials, Limits(precisions=("fp32",))).front) == [2]
    asked = Limits(precisions=("int8",), memory_bytes=60_000_000)
    found = pick(trials, asked)
    assert found.chosen is trials[1]
    assert found.reason.startswith("nothing of what was asked for (int8) keeps to the limits; takes 0.90")
    none = pick(trials, Limits(precisions=("int8",), memory_bytes=10_000_000))
    assert none.nearest is trials[0], "not fp32, which would be nearer"


def test_nothing_sound() -> None:
    found = pick([trial(1, reason="crashed"), trial(2, reason="crashed")], Limits())
    assert (found.front, found.chosen, found.nearest, found.reason) == ((), None, None, "crashed")
