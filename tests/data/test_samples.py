"""Subsets: always the same, spread out, each class in proportion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from edgekit.data import Sample, Samples
from edgekit.errors import DataError


def samples(labels: Sequence[str | None]) -> Samples:
    return Samples("data", tuple(Sample(str(i), lambda: "x", label) for i, label in enumerate(labels)))


def test_a_subset_is_spread_over_all_and_keeps_the_order() -> None:
    subset = samples([None] * 100).subset(4)
    assert [item.id for item in subset] == ["12", "37", "62", "87"]
    again = samples([None] * 100).subset(4)
    assert [item.id for item in again] == [item.id for item in subset]


def test_classes_stay_in_proportion() -> None:
    mixed = samples(["a"] * 10 + ["b"] * 60 + ["c"] * 30)
    assert Counter(mixed.subset(10).labels) == {"a": 1, "b": 6, "c": 3}
    shuffled = samples(["abbbccabbb"[i % 10] for i in range(100)])
    assert Counter(shuffled.subset(10).labels) == {"a": 2, "b": 6, "c": 2}


@pytest.mark.parametrize("limit", [None, 3, 4])
def test_no_more_than_there_are(limit: int | None) -> None:
    assert len(samples(["a"] * 3).subset(limit)) == 3


@pytest.mark.parametrize("limit", range(1, 8))
def test_every_limit_is_met_without_repeats(limit: int) -> None:
    ids = [item.id for item in samples(["b", "a", "b", "a", "c", "b", "a"]).subset(limit)]
    assert len(set(ids)) == limit
    assert ids == sorted(ids)


def test_no_samples_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="at least 1"):
        samples(["a"]).subset(0)


def test_slices_are_samples() -> None:
    part = samples(["a", "b", None])[:2]
    assert isinstance(part, Samples)
    assert part.labelled
    assert not samples(["a", None]).labelled
    assert not samples([]).labelled
