"""Agreement of boxes by two thresholds: a score that falls from just above the contract's to just below is no other answer.

As in hysteresis thresholding (Canny, "A Computational Approach to Edge Detection", 1986): what one side finds by the
contract's threshold counts as found by the other from a lower one on. The strict measure, in which any two scores on
either side of the threshold are a miss and a false alarm, is :func:`edgekit.contracts.agreement.agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekit.contracts.agreement import count_matches, same_class_iou
from edgekit.contracts.predictions import Box, Boxes, Prediction
from edgekit.contracts.schema import BoxesOutput

if TYPE_CHECKING:
    from edgekit.contracts.loading import LoadedContract

SCORE_BAND = 0.05
"""How far the lower threshold is below the contract's, at most half of that."""


@dataclass(frozen=True, slots=True)
class BoxesByTwo:
    """The boxes of one sample by either threshold."""

    sure: Boxes
    possible: Boxes
    """From the lower threshold on, those of ``sure`` among them."""


def lower_threshold(contract: LoadedContract) -> LoadedContract | None:
    """``contract`` with the lower threshold; None where answers are no boxes."""
    output = contract.schema.output
    if not isinstance(output, BoxesOutput):
        return None
    lower = max(output.score_threshold - SCORE_BAND, output.score_threshold / 2)
    output = output.model_copy(update={"score_threshold": lower})
    return contract.reading(output)


def by_two(sure: Sequence[Prediction], possible: Sequence[Prediction]) -> tuple[BoxesByTwo, ...]:
    """Of each sample what the two contracts read; () where that is nothing with boxes."""
    pairs = zip(sure, possible, strict=True) if possible else ()
    return tuple(BoxesByTwo(a, b) for a, b in pairs if isinstance(a, Boxes) and isinstance(b, Boxes))


def hysteresis_agreement(ours: Sequence[BoxesByTwo], theirs: Sequence[BoxesByTwo]) -> float | None:
    """Mean over the samples of the share of both sides' sure boxes that are possible ones of the other side.

    A match has IoU >= 0.5 and the same class. With one threshold for both it is F1. None without samples.
    """
    shares = [_share(a, b) for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean(shares)) if shares else None


def _share(a: BoxesByTwo, b: BoxesByTwo) -> float:
    sure = len(a.sure.boxes) + len(b.sure.boxes)
    found = _found(a.sure.boxes, b.possible.boxes) + _found(b.sure.boxes, a.possible.boxes)
    return found / sure if sure else 1.0


def _found(sure: Sequence[Box], possible: Sequence[Box]) -> int:
    return count_matches(sure, possible, same_class_iou)[0]
