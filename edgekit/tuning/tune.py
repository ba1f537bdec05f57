"""``tune``: search the ways to one target under the user's limits, keep every trial, hand out the best.

Works as ``convert`` does, and with its parts: the same plan, workers, step cache, comparison and clock.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import __version__
from edgekit.catalog import load_catalog
from edgekit.conversion.convert import work_folder
from edgekit.conversion.order import Order
from edgekit.conversion.places import output_staging, writing
from edgekit.conversion.serve import open_ones
from edgekit.conversion.trial import make_yardstick
from edgekit.conversion.workshop import Workshop
from edgekit.devices import LocalDevice
from edgekit.errors import EdgekitError
from edgekit.host import detect
from edgekit.host.extras import how_to_install
from edgekit.tuning.bench import Bench
from edgekit.tuning.final import finalists, retimed, run_final
from edgekit.tuning.front import Pick, pick
from edgekit.tuning.ground import Ground, survey
from edgekit.tuning.handout import hand_out
from edgekit.tuning.identity import search_id
from edgekit.tuning.kept import KeptAnswers
from edgekit.tuning.record import Final, Limits, Trial, TuneRecord, numbered
from edgekit.tuning.space import Space

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.conversion.results import KeptBundle
    from edgekit.conversion.workers import Told
    from edgekit.progress import Advance
    from edgekit.tuning.study import Study

RECORD = "tune.json"
KEPT = ".tune"
"""Folder beside the bundle where a search keeps its trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOrder:
    """One ``edgekit tune``."""

    order: Order
    """For one target; its latency, drop and precisions are limits of the search, its threads are not looked at."""
    memory_bytes: int | None = None
    """Highest resident memory of the runner allowed."""
    trials: int
    """At most so many, those of earlier runs included."""
    seed: int = 0

    @property
    def limits(self) -> Limits:
        return Limits(
            latency_ms=self.order.latency_ms,
            memory_bytes=self.memory_bytes,
            max_drop=self.order.max_drop,
            precisions=self.order.precisions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What came of a search."""

    record: TuneRecord
    pick: Pick
    bundle: KeptBundle | None
    """None where no trial keeps to the limits."""
    place: Path
    """Of the record."""
    folder: Path
    """Where the trials are kept."""
    measured: int
    """Trials of this run."""
    held_final: bool
    """Whether this run held the final of the record; else an earlier one had, or there is none."""
    made_steps: int
    reused_steps: int
    given_up: tuple[tuple[str, str], ...]
    """Candidates that were not tried, and why."""
    notes: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """As ``tune --json`` prints it."""
        record = self.record.model_dump(mode="json", by_alias=True)
        return {
            **record,
            "trials": [trial.facts() for trial in self.record.trials],
            "bundle": self.bundle.facts() if self.bundle else None,
            "record": str(self.place),
            "measured_trials": self.measured,
            "reused_trials": len(self.record.trials) - self.measured,
            "held_final": self.held_final,
            "made_steps": self.made_steps,
            "reused_steps": self.reused_steps,
            "given_up": [{"candidate": name, "reason": reason} for name, reason in self.given_up],
            "notes": list(self.notes),
        }


def tune(order: TuneOrder, *, catalog: Catalog | None = None, advance: Advance | None = None) -> Tuning:
    """Search, write ``tune.json`` and, where a trial keeps to all limits, its bundle.

    EdgekitError where there is nothing to search. Writes below ``order.out`` and the cache only.
    """
    _need_optuna()
    catalog = catalog or load_catalog()
    ground = survey(order.order, catalog)
    with ExitStack() as stack:
        staging = stack.enter_context(
            output_staging(order.order.out, [ground.bundle_name], force=order.order.force)
        )
        if advance:
            advance(0, 1, "asking the source model")
        bench, folder = _bench(order, catalog, ground, stack)
        study = _open(stack, folder, ground.space)
        measured = _search(order, study, bench, advance)
        trials = study.trials
        picked = pick(trials, order.limits)
        final, held = _final(order, study, bench, picked, advance)
        if final:
            trials = retimed(trials, final)
            picked = pick(trials, order.limits, final)
        bundle = hand_out(order.order, bench, picked, staging, trials) if picked.chosen else None
        record = _record(order, ground, trials, final, picked, bundle)
        place = order.order.out / RECORD
        with writing(order.order.out):
            record.write(place)
        bench.workshop.cache.prune()
    return Tuning(
        record=record,
        pick=picked,
        bundle=bundle,
        place=place,
        folder=folder,
        measured=measured,
        held_final=held,
        made_steps=bench.workshop.made,
        reused_steps=bench.workshop.reused,
        given_up=tuple((item.label, item.reason) for item in ground.candidates if item.reason),
        notes=ground.intake.notes,
    )


def _search(order: TuneOrder, study: Study, bench: Bench, advance: Advance | None) -> int:
    """Try points until there are trials enough; how many this run tried."""
    total = min(order.trials, len(study.space.points))
    measured = 0
    while point := study.next_point(order.limits, trials=order.trials, seed=order.seed):
        number = 1 + max((trial.number for trial in study.done.values()), default=0)
        finished = len(study.trials)
        doing = f"trial {finished + 1} of {total}: {point.label}"
        if advance:
            advance(finished, total, doing)
            bench.workshop.told = _within(advance, finished, total, doing)
        found = bench.measure(point, number, numbered(study.done))
        with writing(order.order.out):
            study.keep(found)
        measured += 1
    return measured


def _final(
    order: TuneOrder, study: Study, bench: Bench, picked: Pick, advance: Advance | None
) -> tuple[Final | None, bool]:
    """The final of the front, where it needs one, and whether it was held now: what is kept is not repeated."""
    trials = finalists(picked.front) if picked.chosen else ()
    if not trials:
        return None, False
    if kept := study.final_of(trial.number for trial in trials):
        return kept, False
    if advance:
        done = len(study.trials)
        advance(done, done, f"final: {len(trials)} of the front in turn")
    final = run_final(bench, trials)
    with writing(order.order.out):
        study.keep_final(final)
    return final, True


def _within(advance: Advance, done: int, total: int, doing: str) -> Told:
    return lambda part, what: advance(done + part, total, f"{doing}: {what}")


def _open(stack: ExitStack, folder: Path, space: Space) -> Study:
    from edgekit.tuning.study import open_study

    with writing(folder):
        return stack.enter_context(open_study(folder, space))


def _bench(order: TuneOrder, catalog: Catalog, ground: Ground, stack: ExitStack) -> tuple[Bench, Path]:
    """Ask the source model and encode the data; the bench, and the folder that the search is kept in."""
    work, threads = work_folder(stack), ground.threads
    yardstick = make_yardstick(ground.intake, LocalDevice(), work, threads=threads)
    workshop = Workshop.open(
        catalog, ground.intake, open_ones(ground.plan), work, threads=threads, effort=order.order.effort
    )
    identity = search_id(catalog, ground.target, ground.plan, workshop, yardstick, threads=threads)
    folder = order.order.out / KEPT / identity[:16]
    kept = KeptAnswers(folder / "answers")
    yardstick.known.update(kept.all())
    bench = Bench(
        space=ground.space,
        workshop=workshop,
        yardstick=yardstick,
        work=work,
        kept=kept,
        stack=stack,
        source_threads=threads,
    )
    return bench, folder


def _record(
    order: TuneOrder,
    ground: Ground,
    trials: tuple[Trial, ...],
    final: Final | None,
    picked: Pick,
    bundle: KeptBundle | None,
) -> TuneRecord:
    return TuneRecord(
        schema=1,
        edgekit=__version__,
        model=ground.intake.model.name,
        target=ground.target.id,
        machine=detect().cpu,
        source_threads=ground.threads,
        data=ground.intake.evaluation.data,
        limits=order.limits,
        points=len(ground.space.points),
        trials=trials,
        front=tuple(trial.number for trial in picked.front),
        final=final,
        chosen=picked.chosen.number if picked.chosen else None,
        reason=picked.reason,
        nearest=picked.nearest.number if picked.nearest else None,
        bundle=bundle.path.name if bundle else None,
    )


def _need_optuna() -> None:
    if line := how_to_install("optuna", extra="tune", requirement="optuna>=5"):
        raise EdgekitError(f"tune searches with Optuna, which is not installed. Install it: {line}")
