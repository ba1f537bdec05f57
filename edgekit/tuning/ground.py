"""What is searched: the ways to one target that this machine can time, planned before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.conversion.order import take_in
from edgekit.conversion.pace import Paces
from edgekit.conversion.plan import PRECISIONS, plan
from edgekit.conversion.serve import given_up, why_none
from edgekit.conversion.targets import runs_here, threads_on
from edgekit.errors import ConversionError
from edgekit.tuning.space import Space

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Target
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.order import Intake, Order
    from edgekit.vocabulary import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is searched."""

    target: Target
    intake: Intake
    plan: tuple[Candidate, ...]
    """Of all precisions, so that a search for some of them goes on with the same trials."""
    candidates: tuple[Candidate, ...]
    """Of the plan; given up are those of a precision that was not asked for, and those that the latency limit leaves no
    hope for, by prediction. A slower one within it stays: it may take less memory."""
    space: Space
    threads: int
    """Of the source model, and the most that are tried."""

    @property
    def bundle_name(self) -> str:
        return f"{self.intake.model.name}-{self.target.id}"


def survey(order: Order, catalog: Catalog) -> Ground:
    """Read the order's files and plan. EdgekitError where there is nothing to search."""
    (target_id,) = order.targets
    target, host = catalog.target(target_id), catalog.target("host")
    if not runs_here(target, host):
        raise ConversionError(
            f"tune takes times, and this machine is no {target.id}. Run it there, or: edgekit convert -t {target.id}"
        )
    intake = take_in(order)
    every = plan(catalog, target, replace(intake.wish, precisions=PRECISIONS))
    threads = threads_on(target, host, None)
    paces = Paces.on(catalog.profile(target.profile), intake.model, most_threads=threads)
    wanted = tuple(_asked_for(candidate, order.precisions) for candidate in every)
    candidates = paces.keeping_to(order.latency_ms, wanted)
    space = Space.over(candidates, threads)
    if not space.points:
        raise ConversionError(f"{target.id}: nothing can be built: {why_none(given_up(candidates))}")
    return Ground(
        target=target, intake=intake, plan=every, candidates=candidates, space=space, threads=threads
    )


def _asked_for(candidate: Candidate, precisions: Sequence[Precision]) -> Candidate:
    """The candidate, given up where its precision is not wanted; fp32 remains, as in every plan."""
    if candidate.reason or candidate.precision in ("fp32", *precisions):
        return candidate
    return candidate.without(f"{candidate.precision} was not asked for (--precision)")
