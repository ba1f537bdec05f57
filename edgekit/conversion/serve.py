"""Serve one target after the other: build its candidates, try them, choose, hand out."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.manifest import Dropped, IsaCheck
from edgekit.bundles.write import ARTIFACT
from edgekit.conversion.ahead import Ahead
from edgekit.conversion.choose import Choice, Entrant, choose, drop_problem
from edgekit.conversion.isa import emulated_target, isa_note, try_on
from edgekit.conversion.order import Intake, Order
from edgekit.conversion.parity import CAP_DB, NOTHING_QUANTIZED
from edgekit.conversion.places import write_bundle
from edgekit.conversion.rescue import Rescue, can_be_rescued, evaluations, fewest, in_order, is_own_int8
from edgekit.conversion.results import Conversion, KeptBundle
from edgekit.conversion.targets import memory_problem, runs_here, target_notes, threads_on
from edgekit.conversion.trial import (
    Tried,
    Yardstick,
    integers_note,
    make_yardstick,
    time_in_turn,
    try_candidate,
)
from edgekit.conversion.workshop import Built, Workshop
from edgekit.devices import LocalDevice
from edgekit.digest import digests
from edgekit.errors import ContractError, ConversionError, DeviceError, EnvironmentSetupError, WorkerError

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Manifest
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Target
    from edgekit.conversion.candidates import Candidate
    from edgekit.progress import Advance


@dataclass(slots=True)
class Progress:
    """Counts steps: one for the source, two a candidate, one a target."""

    total: int
    advance: Advance | None
    done: int = 0
    _doing: str = ""
    _hears: bool = True
    _heard: int | None = None
    """Thread whose word is passed on: of two builds under way one is heard until the next step."""

    @classmethod
    def over(cls, plans: Iterable[Sequence[Candidate]], advance: Advance | None) -> Progress:
        return cls(1 + sum(1 + 2 * len(open_ones(candidates)) for candidates in plans), advance)

    def step(self, doing: str, *, hears: bool = True) -> None:
        """Say what begins now. hears: :meth:`within` has something to say of it."""
        if self.advance:
            self.advance(self.done, self.total, doing)
        self.done += 1
        self._doing, self._hears, self._heard = doing, hears, None

    def within(self, part: float, doing: str) -> None:
        """Say how far the step under way is, 0 to 1."""
        if self._heard is None:
            self._heard = threading.get_ident()
        if self.advance and self._hears and self._heard == threading.get_ident():
            self.advance(self.done - 1 + part, self.total, f"{self._doing}: {doing}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one target."""

    target: str
    kept: KeptBundle | None
    dropped: tuple[Dropped, ...]
    beaten: tuple[Dropped, ...] = ()
    why_none: str = ""


@dataclass(slots=True, kw_only=True)
class Server:
    """What all targets of an order share."""

    order: Order
    catalog: Catalog
    host: Target
    intake: Intake
    staging: Path
    work: Path
    workshop: Workshop
    yardstick: Yardstick
    progress: Progress
    said: list[str] = field(default_factory=list)
    """What ``convert`` says of the targets, beside what the bundles keep."""
    _tried: dict[Path, Tried] = field(default_factory=dict)
    _notes: dict[Path, str] = field(default_factory=dict)
    """How the candidate in a folder was rescued."""
    _isa: dict[Path, IsaCheck] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        order: Order,
        catalog: Catalog,
        intake: Intake,
        plans: Iterable[Sequence[Candidate]],
        staging: Path,
        work: Path,
        progress: Progress,
    ) -> Server:
        """Ask the source model and encode the calibration data, once for all targets."""
        threads = order.threads or os.cpu_count() or 1
        candidates = [item for plan in plans for item in (*open_ones(plan), *in_reserve(plan))]
        progress.step("asking the source model")
        yardstick = make_yardstick(intake, LocalDevice(), work, threads=threads)
        workshop = Workshop.open(
            catalog, intake, candidates, work, threads=threads, effort=order.effort, told=progress.within
        )
        return cls(
            order=order,
            catalog=catalog,
            host=catalog.target("host"),
            intake=intake,
            staging=staging,
            work=work,
            workshop=workshop,
            yardstick=yardstick,
            progress=progress,
        )

    def serve(self, target: Target, candidates: Sequence[Candidate]) -> Outcome:
        """Make the target's bundle and put it in its place."""
        entrants, dropped = self._try_all(open_ones(candidates))
        if not entrants and (reserve := in_reserve(candidates)):
            self.progress.total += 2 * len(reserve)
            entrants, more = self._try_all(reserve)
            candidates = [candidate for candidate in candidates if not candidate.in_reserve]
            dropped += more
        dropped = [*given_up(candidates), *dropped]
        self.progress.step(f"{target.id}: choosing among {len(entrants)}")
        if entrants and runs_here(target, self.host):
            entrants, lost = self._timed(target, entrants)
            dropped += [_lost(entrant, reason) for entrant, reason in lost]
        if not entrants:
            return Outcome(target=target.id, kept=None, dropped=tuple(dropped), why_none=why_none(dropped))
        choice = choose(entrants, self.order.precisions, latency_ms=self.order.latency_ms)
        while problem := self._isa_problem(choice.kept):
            dropped.append(_lost(choice.kept, problem))
            entrants = [entrant for entrant in entrants if entrant is not choice.kept]
            if not entrants:
                return Outcome(
                    target=target.id, kept=None, dropped=tuple(dropped), why_none=why_none(dropped)
                )
            choice = choose(entrants, self.order.precisions, latency_ms=self.order.latency_ms)
        return self._hand_out(target, choice, dropped)

    def conversion(self, outcomes: Sequence[Outcome]) -> Conversion:
        """Everything that came of the order."""
        self.workshop.cache.prune()
        return Conversion(
            bundles=tuple(outcome.kept for outcome in outcomes if outcome.kept),
            dropped=tuple(entry for outcome in outcomes for entry in outcome.dropped),
            beaten=tuple(entry for outcome in outcomes for entry in outcome.beaten),
            without=tuple((outcome.target, outcome.why_none) for outcome in outcomes if outcome.why_none),
            reused_steps=self.workshop.reused,
            made_steps=self.workshop.made,
            data=self.intake.evaluation.data,
            notes=(*self.intake.notes, *self.said),
        )

    def _try_all(self, candidates: Sequence[Candidate]) -> tuple[list[Entrant], list[Dropped]]:
        """Those that hold, rescued where that helps, and those that do not."""
        entrants: list[Entrant] = []
        dropped: list[Dropped] = []
        with Ahead(self.workshop, candidates) as ahead:
            for candidate in candidates:
                result = self._try(candidate, ahead.build)
                if isinstance(result, Dropped) and can_be_rescued(candidate) and _is_too_far(result):
                    rescue = self._widen if candidate.integers_alone else self._rescue
                    result, rescued = rescue(candidate, result)
                    entrants += rescued
                if isinstance(result, Entrant):
                    entrants.append(result)
                else:
                    dropped.append(result)
        return entrants, dropped

    def _try(
        self, candidate: Candidate, build: Callable[[Candidate], Built], what: str = ""
    ) -> Entrant | Dropped:
        """Build the candidate and compare it with the source; why it is dropped where it does not hold."""
        name = f"{candidate.target.id}: {candidate.label}{what}"
        folder = self.work / f"{candidate.target.id}-{self.progress.done}"
        try:
            self.progress.step(f"{name}: building")
            built = build(candidate)
            self.progress.step(f"{name}: comparing with the source", hears=False)
            tried = try_candidate(self.yardstick, candidate, built, folder)
        except (ConversionError, EnvironmentSetupError) as error:
            return _dropped(candidate, str(error))
        except (DeviceError, ContractError) as error:
            return _dropped(candidate, f"its artifact does not run as it should: {error}")
        verdict = tried.verdict
        problem = (
            verdict.reason
            or drop_problem(verdict.fidelity, verdict.accuracy, self.order.max_drop)
            or memory_problem(tried.manifest.prediction, candidate.target)
        )
        if problem:
            shutil.rmtree(folder)
            return _dropped(candidate, problem, tried)
        self._tried[folder] = tried
        return Entrant(
            candidate=candidate,
            folder=folder,
            fidelity=verdict.fidelity,
            accuracy=verdict.accuracy,
            size_bytes=_artifact_bytes(folder, tried.manifest),
            prediction=tried.manifest.prediction,
        )

    def _rescue(self, candidate: Candidate, lost: Dropped) -> tuple[Dropped, list[Entrant]]:
        """The candidate with the fewest layers in float that make it hold; ``lost`` says what came of it."""
        self.progress.total += 1
        self.progress.step(f"{candidate.target.id}: {candidate.label}: error by layer")
        try:
            table = self.workshop.sensitivity(candidate)
        except WorkerError as error:
            return _more(lost, f"no layer could be found to keep in float: {error}"), []
        ordered = in_order(table)
        most, number = evaluations(len(ordered)), 0

        def attempt(length: int) -> Entrant | None:
            nonlocal number
            number += 1
            self.progress.total += 2
            mixed = candidate.keeping(tuple(layer.node for layer in ordered[:length]))
            result = self._try(
                mixed,
                self.workshop.build,
                f", {length} of {len(table.layers)} layers in float ({number} of {most})",
            )
            return result if isinstance(result, Entrant) else None

        found, _ = fewest(len(ordered), attempt)
        if found is None:
            share = sum(map(table.share, ordered))
            return _more(lost, f"not mended by {len(ordered)} layers in float ({share:.0%} of the MACs)"), []
        kept = tuple(layer for layer in ordered if layer.node in found.candidate.kept_float)
        rescue = Rescue(lost=lost.reason, kept=kept, macs_share=sum(map(table.share, kept)))
        self._notes[found.folder] = rescue.note
        return _more(lost, f"mended with {len(kept)} of {len(table.layers)} layers in float"), [found]

    def _widen(self, candidate: Candidate, lost: Dropped) -> tuple[Dropped, list[Entrant]]:
        """The same where there is no float: products and sums that int8 does not hold in 16 bits."""
        self.progress.total += 2
        what = "products and sums in 16 bits"
        found = self._try(candidate.widened(), self.workshop.build, f", {what}")
        if not isinstance(found, Entrant):
            return _more(lost, f"not mended by {what}: {found.reason}"), []
        self._notes[found.folder] = f"{what}, because of plain int8: {lost.reason}"
        return _more(lost, f"mended by {what}"), [found]

    def _timed(
        self, target: Target, entrants: Sequence[Entrant]
    ) -> tuple[list[Entrant], list[tuple[Entrant, str]]]:
        threads = threads_on(target, self.host, self.order.threads)
        return time_in_turn(self.yardstick, entrants, self.order.precisions, threads=threads)

    def _isa_problem(self, kept: Entrant) -> str | None:
        """Why the artifact does not hold on its target's instruction set; None where it does, or cannot be tried."""
        device = emulated_target(kept.candidate.target, kept.precision, self.catalog)
        if device is None or kept.folder in self._isa:
            return None
        self.progress.total += 1
        self.progress.step(f"{kept.candidate.target.id}: {kept.candidate.label} on {device.name}")
        try:
            self._isa[kept.folder] = try_on(device, kept.folder)
        except DeviceError as error:
            said = str(error).removeprefix(f"{kept.folder.name} on {device.name}: ")
            return f"does not hold on {device.name}: {said}"
        return None

    def _hand_out(self, target: Target, choice: Choice, dropped: Sequence[Dropped]) -> Outcome:
        lost = [*dropped, *(_lost(entrant, reason) for entrant, reason in choice.dropped)]
        beaten = tuple(_lost(entrant, reason) for entrant, reason in choice.beaten)
        kept, limit = choice.kept, self.order.latency_ms
        if limit is not None and kept.latency_ms is not None and kept.latency_ms > limit:
            lost.append(_lost(kept, choice.reason))
            reason = f"nothing keeps to {limit:g} ms; the nearest, {kept.candidate.label}, {choice.reason}"
            return Outcome(target=target.id, kept=None, dropped=tuple(lost), beaten=beaten, why_none=reason)
        tried = self._tried[kept.folder]
        manifest = tried.manifest.model_copy(
            update={
                "fidelity": kept.fidelity,
                "accuracy": kept.accuracy,
                "timing": kept.timing,
                "isa": self._isa.get(kept.folder),
                "calibration": self.workshop.calibration_of(kept.candidate, synthetic=self.order.data_free),
                "dropped": tuple(lost),
                "candidates": beaten,
            }
        )
        rescued = self._notes.get(kept.folder)
        reason = f"{choice.reason}; {rescued}" if rescued else choice.reason
        table, missing = self._sensitivity(kept)
        integers = integers_note(kept.candidate, tried, self.intake.model)
        if integers:
            self.said.append(integers)
        calibration = manifest.calibration
        notes = (
            *manifest.notes,
            f"kept: {reason}",
            *missing,
            *target_notes(target, self.host, isa_note(manifest.isa) if manifest.isa else ""),
            *([calibration.says] if calibration and calibration.synthetic else []),
            *filter(None, [integers]),
        )
        manifest = manifest.model_copy(update={"notes": notes, "sensitivity": table})
        bundle = write_bundle(
            kept.folder,
            manifest,
            self.staging,
            self.order,
            reason=reason,
            size_bytes=kept.size_bytes,
        )
        return Outcome(target=target.id, kept=bundle, dropped=tuple(lost), beaten=beaten)

    def _sensitivity(self, kept: Entrant) -> tuple[str | None, list[str]]:
        """Write what each layer loses into the bundle: the file's name, or a note on why there is none."""
        rescued = kept.folder in self._notes
        if not is_own_int8(kept.candidate) or not (rescued or self.order.effort != "fast"):
            return None, []
        self.progress.total += 1
        self.progress.step(f"{kept.candidate.target.id}: error by layer")
        try:
            table = self.workshop.sensitivity(kept.candidate)
        except WorkerError as error:
            return None, [f"error by layer is not known: {error}"]
        return table.write(kept.folder).name, []


def open_ones(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that nothing speaks against so far."""
    return [candidate for candidate in candidates if candidate.reason is None]


def in_reserve(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those given up for their predicted time alone, as they are built where nothing else holds."""
    return [candidate.reopened() for candidate in candidates if candidate.in_reserve]


def given_up(candidates: Sequence[Candidate]) -> list[Dropped]:
    """Those that the plan gave up."""
    return [_dropped(candidate, candidate.reason) for candidate in candidates if candidate.reason]


def why_none(dropped: Sequence[Dropped]) -> str:
    """One line on a target that gets no bundle."""
    return "; ".join(
        dict.fromkeys(f"{entry.converter} {entry.precision}: {entry.reason}" for entry in dropped)
    )


def _artifact_bytes(folder: Path, manifest: Manifest) -> int:
    """What goes onto the device: a reference beside the artifact does not."""
    reference = manifest.reference.path if manifest.reference else None
    files = digests(folder / ARTIFACT)
    return sum(file.size_bytes for file in files if f"{ARTIFACT}/{file.path}" != reference)


def _is_too_far(lost: Dropped) -> bool:
    """Whether the candidate ran and answered, only not near enough."""
    # the other end of the scale stands for answers of another shape, or that are no numbers
    answered = lost.fidelity is not None and lost.fidelity.sqnr_db > -CAP_DB
    return answered and NOTHING_QUANTIZED not in lost.reason


def _more(lost: Dropped, reason: str) -> Dropped:
    return lost.model_copy(update={"reason": f"{lost.reason}; {reason}"})


def _dropped(candidate: Candidate, reason: str, tried: Tried | None = None) -> Dropped:
    return Dropped(
        target=candidate.target.id,
        converter=candidate.converter,
        precision=candidate.precision or "any",
        variant=candidate.variant,
        reason=reason,
        fidelity=tried.verdict.fidelity if tried else None,
        accuracy=tried.verdict.accuracy if tried else None,
    )


def _lost(entrant: Entrant, reason: str) -> Dropped:
    return Dropped(
        target=entrant.candidate.target.id,
        converter=entrant.candidate.converter,
        precision=entrant.precision,
        variant=entrant.candidate.variant,
        reason=reason,
        fidelity=entrant.fidelity,
        accuracy=entrant.accuracy,
        timing=entrant.timing,
    )
