"""What an effort allows, and how many samples fit into memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.quantization.calibration import FEWEST_FITTED
from edgekit.quantization.effort import EFFORTS, effort_of
from tests.graphs import tiny_cnn
from tests.quantization.small import inferred


def test_more_effort_tries_no_less() -> None:
    fast, normal, most = (EFFORTS[effort] for effort in ("fast", "normal", "max"))
    assert set(fast.methods) < set(normal.methods) < set(most.methods)
    assert fast.samples < normal.samples < most.samples
    assert (fast.fits, normal.fits, most.fits) == (None, "best", "all")
    # what `quantize` grades beside as that of the lowest effort
    assert {bounds.methods[0] for bounds in (fast, normal, most)} == set(fast.methods)
    assert {bounds.exponents[0] for bounds in (fast, normal, most)} == set(fast.exponents)


@pytest.mark.parametrize(("options", "effort"), [({}, "normal"), ({"effort": "max"}, "max")])
def test_options_name_an_effort(options: dict[str, str], effort: str) -> None:
    assert effort_of(dict(options)) == effort


def test_samples_keep_to_memory() -> None:
    model = inferred(tiny_cnn())
    bounds = EFFORTS["normal"]
    assert bounds.samples_for(model) == bounds.samples
    # three maps of 40x16x16 floats are alive at once, and in int8 beside them
    each = 3 * 40 * 16 * 16 * 4 * 5 // 4
    assert replace(bounds, memory_bytes=20 * each).samples_for(model) in range(16, 24)
    assert replace(bounds, memory_bytes=1).samples_for(model) == FEWEST_FITTED
