"""Speeds that are taken over from another chip: as good as the documentation says, on the chips that were measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pytest

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Profile, Transfer
from edgekit.errors import DataError
from edgekit.simulation.published import published
from edgekit.simulation.terms import macs_of
from edgekit.simulation.transferring import transferred, tried_by_peaks, tried_by_rows
from edgekit.vocabulary import PredictedRuntime

CARD = "atlas-300i-pro"
DEV_KIT = "atlas-200i-a2"
PHONE = "kirin-990"


@pytest.fixture(scope="module")
def profiles() -> Mapping[str, Profile]:
    return load_catalog().profiles


def transfer(runtime: PredictedRuntime = "cann", board: str = CARD) -> Transfer:
    return Transfer(runtime=runtime, profile=board, of_runtime="cann")


def pace_per_mac(board: str) -> float:
    points = next(points for series, points in published().items() if series.board == board)
    return float(np.median([point.latency_ms / macs_of(point.terms) for point in points]))


def test_by_peaks_each_measured_chip_comes_out(profiles: Mapping[str, Profile]) -> None:
    """Neither the chip nor the family took part; a time per MAC, by the same peak rates, is at least twice as far off."""
    found = defaultdict(list)
    for board, entry in tried_by_peaks(transfer(), profiles):
        found[board].append(entry)
    assert set(found) == {"atlas-300i", "atlas-200i-a2-20t"}
    pace, peak = pace_per_mac(CARD), profiles[CARD].accelerators[0].peak_fp16_ops_per_s or 0
    for board, entries in found.items():
        slower = peak / (profiles[board].accelerators[0].peak_fp16_ops_per_s or 1)
        off = float(np.median([entry.error for entry in entries]))
        plain = [
            abs(pace * slower * macs_of(entry.point.terms) / entry.point.latency_ms - 1) for entry in entries
        ]
        assert off <= 0.27
        assert off * 2 <= np.median(plain)


def test_by_a_few_rows_the_others_come_out() -> None:
    """Of a chip without a peak rate two models were timed; two others than the predicted, on chips with many."""
    found = [entry for _, entry in tried_by_rows(transfer(), 2)]
    assert len(found) > 1000
    assert np.median([entry.error for entry in found]) <= 0.38


def test_the_phone_s_own_two_models_agree(profiles: Mapping[str, Profile]) -> None:
    """Either is predicted from the other within the interval, on each of the three phones that were timed."""
    _, calibration, _ = transferred(profiles[PHONE], transfer("hiai"), profiles)
    constants = np.array(list(calibration.constants_ps.values())) / 1e9
    for series, points in published().items():
        if series.runtime == "hiai":
            first, second = (point.latency_ms / (point.terms @ constants) for point in points)
            assert abs(np.log(first / second)) < np.log(calibration.interval_factor)


@pytest.mark.parametrize(
    ("board", "runtime"), [(DEV_KIT, "cann"), (PHONE, "hiai"), ("atlas-200i-a2-20t", "cann")]
)
def test_a_profile_says_what_a_transfer_says_today(
    profiles: Mapping[str, Profile], board: str, runtime: PredictedRuntime
) -> None:
    stated = next(speed for speed in profiles[board].speeds if speed.runtime == runtime)
    series, found, used = transferred(profiles[board], transfer(runtime), profiles)
    assert series.board == board
    assert stated.transferred_from == found.transferred_from == CARD
    assert stated.constants_ps == pytest.approx(dict(found.constants_ps), rel=1e-3)
    assert stated.interval_factor == pytest.approx(found.interval_factor, rel=1e-3)
    assert (stated.error_pct.median, stated.error_pct.p90) == pytest.approx(
        (found.median_pct, found.p90_pct), abs=0.1
    )
    # none of the chip's own was needed where both state peaks
    assert {item.board for item in used} == ({CARD, board} if board == PHONE else {CARD})


def test_four_of_five_lie_in_the_interval_of_transfers(profiles: Mapping[str, Profile]) -> None:
    _, found, _ = transferred(profiles[DEV_KIT], transfer(), profiles)
    off = [abs(entry.log_ratio) for _, entry in tried_by_peaks(transfer(), profiles)]
    assert np.mean(np.array(off) <= np.log(found.interval_factor)) >= 0.8


@pytest.mark.parametrize(
    ("wanted", "entry", "words"),
    [
        ("intel-n100", transfer(), "profile 'intel-n100': speeds are taken over by peak rates"),
        (DEV_KIT, transfer(board="raspberry-pi-4"), "nothing was published of 'raspberry-pi-4' with cann"),
    ],
)
def test_what_cannot_be_taken_over_is_said(
    profiles: Mapping[str, Profile], wanted: str, entry: Transfer, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        transferred(profiles[wanted], entry, profiles)
