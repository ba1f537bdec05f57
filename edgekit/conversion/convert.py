"""``convert``: plan, build, compare with the source, time in turn with it, keep the best, hand it out with evidence.

With ``trial`` and ``serve`` the one place that reaches over the rooms after conversion: bundles, devices and
profiling do the measuring.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.catalog import load_catalog
from edgekit.conversion.order import Intake, Order, take_in
from edgekit.conversion.pace import Paces
from edgekit.conversion.places import output_staging
from edgekit.conversion.plan import plan
from edgekit.conversion.results import Conversion
from edgekit.conversion.serve import Progress, Server, given_up, open_ones, why_none
from edgekit.conversion.targets import runs_here, threads_on
from edgekit.errors import ConversionError
from edgekit.paths import cache_dir
from edgekit.staging import staging_folder

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Target
    from edgekit.conversion.candidates import Candidate
    from edgekit.progress import Advance

__all__ = ["Conversion", "Order", "convert", "plan_order"]

Plans = dict[str, tuple["Candidate", ...]]


def plan_order(order: Order, catalog: Catalog | None = None) -> Plans:
    """The candidates of each target, those given up with their reason; nothing is built or written."""
    return _plans(order, catalog or load_catalog(), take_in(order))


def convert(order: Order, *, catalog: Catalog | None = None, advance: Advance | None = None) -> Conversion:
    """Make the best bundle for each target of the order.

    Raises EdgekitError where the order cannot be served at all; a target for which nothing holds stands in
    ``Conversion.without``. Writes below ``order.out`` and the cache only; a bundle appears whole or not at all.
    """
    catalog = catalog or load_catalog()
    intake = take_in(order)
    plans = _plans(order, catalog, intake)
    if not any(open_ones(candidates) for candidates in plans.values()):
        raise ConversionError(_nothing_to_build(plans))
    names = [f"{intake.model.name}-{target}" for target in plans]
    progress = Progress.over(plans.values(), advance)
    with ExitStack() as stack:
        staging = stack.enter_context(output_staging(order.out, names, force=order.force))
        work = work_folder(stack)
        server = Server.open(order, catalog, intake, plans.values(), staging, work, progress)
        outcomes = [server.serve(catalog.target(target), candidates) for target, candidates in plans.items()]
        return server.conversion(outcomes)


def _plans(order: Order, catalog: Catalog, intake: Intake) -> Plans:
    host = catalog.target("host")
    targets = [catalog.target(target) for target in dict.fromkeys(order.targets)]
    elsewhere = [target.id for target in targets if not runs_here(target, host) and not target.foretold]
    if order.latency_ms is not None and elsewhere:
        raise ConversionError(
            f"--latency cannot be checked for {', '.join(elsewhere)}: this machine is none. "
            "Leave it out, or convert there"
        )
    return {target.id: _plan(order, catalog, intake, target, host) for target in targets}


def _plan(
    order: Order, catalog: Catalog, intake: Intake, target: Target, host: Target
) -> tuple[Candidate, ...]:
    """All candidates; what predictions say is too slow is given up."""
    threads = threads_on(target, host, order.threads)
    paces = Paces.on(catalog.profile(target.profile), intake.model, most_threads=threads)
    kept = paces.keeping_to(order.latency_ms, plan(catalog, target, intake.wish))
    return paces.without_outpaced(kept, order.precisions)


def _nothing_to_build(plans: Plans) -> str:
    reasons = "".join(f"\n  {target}: {why_none(given_up(found))}" for target, found in plans.items())
    return f"nothing can be built:{reasons}"


def work_folder(stack: ExitStack) -> Path:
    """A folder for what is not kept, removed with ``stack``. ConversionError where it cannot be made."""
    place = cache_dir() / "work"
    try:
        return stack.enter_context(staging_folder(place))
    except OSError as error:
        raise ConversionError(
            f"{place}: cannot be written: {error.strerror}. EDGEKIT_CACHE names another cache folder"
        ) from error
