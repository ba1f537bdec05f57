"""Find the fewest layers that must stay in float where plain int8 loses too much.

Layers are put in the order of what their error costs against what they cost in float; then the length of the beginning
that is needed is halved until it is known. Every evaluation is a whole candidate, compared like all others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edgekit.models import graph_facts
from edgekit.quantization.placement import WEIGHTED

if TYPE_CHECKING:
    from edgekit.conversion.candidates import Candidate
    from edgekit.models import Model
    from edgekit.quantization.table import LayerSensitivity, Sensitivity

Found = TypeVar("Found")

MOST_FLOAT = 0.5
"""Share of the MACs that a rescue may keep in float. int8 computes two to four times as fast: beyond it, and with the
conversions at every border, too little is left of what int8 saves."""
BORDER = 0.01
"""What a layer in float costs beside its arithmetic, as a share of the whole: conversions on both sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """How an int8 candidate was mended."""

    lost: str
    """Why plain int8 was dropped."""
    kept: tuple[LayerSensitivity, ...]
    """The layers in float, the one that loses most first."""
    macs_share: float

    @property
    def note(self) -> str:
        """For the user."""
        shown = ", ".join(f"'{layer.node}' ({layer.sqnr_db:.1f} dB alone)" for layer in self.kept[:3])
        more = f" and {len(self.kept) - 3} more" if len(self.kept) > 3 else ""
        count = f"{len(self.kept)} layer{'s' if len(self.kept) > 1 else ''}"
        return (
            f"kept in float: {count} with {self.macs_share:.1%} of the MACs: {shown}{more}, because of plain int8: "
            f"{self.lost}"
        )


def is_own_int8(candidate: Candidate) -> bool:
    """Whether edgekit's quantization made it, whose ranges are known."""
    variant = candidate.quantizer.variant
    return variant.quantized_by == "edgekit" and variant.precision == "int8"


def can_be_rescued(candidate: Candidate) -> bool:
    """Whether edgekit says what leaves int8, and the target has more: float, or activations of 16 bits."""
    if not is_own_int8(candidate) or candidate.kept_float or candidate.wide_products:
        return False
    return not candidate.integers_alone or "int16x8" in candidate.runtime.precisions


def most_evaluations(candidate: Candidate, model: Model) -> int:
    """How many candidates a rescue may have to make and compare; announced before anything is done."""
    if candidate.integers_alone:
        return 1
    operators = graph_facts(model).operators
    return evaluations(sum(operators.get(name, 0) for name in WEIGHTED))


def evaluations(layers: int) -> int:
    """Of a search for how many of ``layers`` are needed: all of them first, then halving."""
    return 1 + math.ceil(math.log2(layers)) if layers > 0 else 0


def in_order(table: Sensitivity) -> tuple[LayerSensitivity, ...]:
    """The layers that may stay in float, the one whose float saves most error for its cost first.

    Together they hold at most ``MOST_FLOAT`` of the MACs; what would go beyond it is left out.
    """
    tried = [layer for layer in table.layers if layer.sqnr_db is not None]
    ordered = sorted(tried, key=lambda layer: -layer.noise / (table.share(layer) + BORDER))
    chosen, share = [], 0.0
    for layer in ordered:
        if share + table.share(layer) <= MOST_FLOAT:
            share += table.share(layer)
            chosen.append(layer)
    return tuple(chosen)


def fewest(longest: int, attempt: Callable[[int], Found | None]) -> tuple[Found | None, int]:
    """The result of the smallest length for which ``attempt`` gave one, and how many attempts were made.

    At most ``evaluations(longest)``, on the assumption that what helps with n layers also helps with more.
    """
    if longest < 1 or (best := attempt(longest)) is None:
        return None, min(longest, 1)
    made, too_few, enough = 1, 0, longest
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        made += 1
        if (found := attempt(middle)) is None:
            too_few = middle
        else:
            best, enough = found, middle
    return best, made


def as_option(names: Sequence[str]) -> str:
    """``names`` as the quantization's option ``float_nodes``."""
    return json.dumps(list(names))
