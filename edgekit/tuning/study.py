"""The search itself: Optuna proposes, and its journal keeps every finished trial.

A trial is one line of the journal, written when it is finished: a run that is killed leaves whole trials and nothing
else. What comes next depends on the finished ones alone, so that a run that goes on does what the killed one would
have done.
"""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from edgekit.errors import EdgekitError
from edgekit.quantization.observers import RangeMethod
from edgekit.tuning.front import MEGABYTE, misses
from edgekit.tuning.record import Final, Limits, Trial, numbered
from edgekit.tuning.space import Point, Rounding, Space

DIRECTIONS = (StudyDirection.MINIMIZE, StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE)
"""Of the ratio of latencies, of megabytes, of the quality."""
ASKS = 64
"""How often the sampler is asked for a point that was not tried yet, before the next in order is taken."""
_NAME, _RECORD, _JOURNAL = "tune", "record", "journal.log"


@dataclass(slots=True, kw_only=True)
class Study:
    """The finished trials of one search."""

    space: Space
    journal: optuna.Study
    done: dict[Point, Trial] = field(default_factory=dict)
    """Of all points that were ever tried, also where the space holds fewer today."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those of the space's points, in their order."""
        points = set(self.space.points)
        return tuple(trial for trial in numbered(self.done) if trial.point in points)

    def keep(self, trial: Trial) -> None:
        """Write a finished trial down."""
        found = _frozen(self.space.names, self.space.threads, trial, _values(trial, ()))
        self.journal.add_trial(found)
        self.done[trial.point] = trial

    def keep_final(self, final: Final) -> None:
        """Write a final down."""
        numbers = [finalist.trial for finalist in final.finalists]
        self.journal.set_user_attr(_final_of(numbers), final.model_dump_json())

    def final_of(self, numbers: Iterable[int]) -> Final | None:
        """The final of the trials ``numbers``, where it was held."""
        kept = self.journal.user_attrs.get(_final_of(numbers))
        return Final.model_validate_json(kept) if kept else None

    def next_point(self, limits: Limits, *, trials: int, seed: int) -> Point | None:
        """What to try next; None where ``trials`` are done, or all points.

        Where trials suffice for all points they are gone through in the order of the seed. Else each candidate
        comes once, then Optuna's TPE proposes from what is known of latency, memory, quality and limits.
        """
        left = [point for point in self.space.in_order(seed) if point not in self.done]
        finished = len(self.space.points) - len(left)
        if finished >= trials or not left:
            return None
        untried = self.space.candidates.keys() - {point.candidate for point in self.done}
        if trials >= len(self.space.points) or untried:
            return left[0]
        return self._proposed(limits, seed + finished) or left[0]

    def _proposed(self, limits: Limits, seed: int) -> Point | None:
        """What the sampler draws of the points that were not tried; None where it insists on others."""
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0)
        study = optuna.create_study(directions=DIRECTIONS, sampler=sampler)
        names = tuple(self.space.candidates)
        known = self.trials
        for trial in known:
            values, excesses = _values(trial, known), _excesses(trial, limits)
            study.add_trial(_frozen(names, self.space.threads, trial, values, excesses))
        for _ in range(ASKS):
            asked = study.ask()
            point = _suggested(self.space, asked)
            if point not in self.done:
                return point
            study.tell(asked, _values(self.done[point], known))
        return None


@contextmanager
def open_study(folder: Path, space: Space) -> Iterator[Study]:
    """The search kept in ``folder`` (made where absent), for one process at a time. EdgekitError where another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _held(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        path = folder / _JOURNAL
        _cut_torn_line(path)
        storage = optuna.storages.JournalStorage(
            JournalFileBackend(str(path), lock_obj=_AlreadyHeld(str(path)))
        )
        journal = optuna.create_study(
            storage=storage, study_name=_NAME, directions=DIRECTIONS, load_if_exists=True
        )
        records = [Trial.model_validate_json(trial.user_attrs[_RECORD]) for trial in journal.trials]
        yield Study(space=space, journal=journal, done={trial.point: trial for trial in records})


def _final_of(numbers: Iterable[int]) -> str:
    return " ".join(["final of", *map(str, sorted(numbers))])


class _AlreadyHeld(JournalFileOpenLock):
    """No lock: Optuna's outlive a killed process; the folder's, which dies with it, is enough."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EdgekitError(
                f"{folder}: another `edgekit tune` is at work here. Wait for it, or choose another -o"
            ) from None
        yield
    finally:
        os.close(handle)


def _cut_torn_line(path: Path) -> None:
    """A process that dies while it writes leaves a line without an end, to which the next would be appended."""
    if not path.exists():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        os.truncate(path, whole)


def _frozen(
    names: Sequence[str],
    counts: Sequence[int],
    trial: Trial,
    values: tuple[float, ...],
    constraints: dict[str, float] | None = None,
) -> FrozenTrial:
    """The trial in Optuna's terms, as failed where it has no values; ``names`` and ``counts`` are what can be chosen."""
    spread = _choices(names, counts)
    wanted = {
        "candidate": trial.candidate, "ranges": trial.ranges, "rounding": trial.rounding, "threads": trial.threads,
    }  # fmt: skip
    params = {name: value for name, value in wanted.items() if value is not None}
    return create_trial(
        state=TrialState.COMPLETE if values else TrialState.FAIL,
        params=params,
        distributions={name: CategoricalDistribution(spread[name]) for name in params},
        values=list(values) or None,
        user_attrs={_RECORD: trial.model_dump_json()},
        constraints=constraints,
    )


def _choices(names: Sequence[str], counts: Sequence[int]) -> dict[str, tuple[str | int, ...]]:
    return {
        "candidate": tuple(names),
        "ranges": get_args(RangeMethod),
        "rounding": get_args(Rounding),
        "threads": tuple(counts),
    }


def _values(trial: Trial, others: tuple[Trial, ...]) -> tuple[float, ...]:
    """Latency, memory and quality; of a trial that has none the worst of ``others``, or nothing."""
    if trial.sound:
        assert trial.timing is not None
        assert trial.peak_bytes is not None
        return trial.timing.ratio, trial.peak_bytes / MEGABYTE, trial.quality
    rows = [_values(other, ()) for other in others if other.sound]
    if not rows:
        # any figures will do: that nothing was sound the sampler learns from the constraint
        return (1.0, 1000.0, 0.0) if others else ()
    return max(row[0] for row in rows), max(row[1] for row in rows), min(row[2] for row in rows)


def _excesses(trial: Trial, limits: Limits) -> dict[str, float]:
    """By how much each limit is broken; 0 where it is kept."""
    broken: Mapping[str, float] = (
        {miss.limit: miss.by for miss in misses(trial, limits)} if trial.sound else {"sound": 1.0}
    )
    return {name: broken.get(name, 0.0) for name in ("latency", "memory", "max-drop", "sound")}


def _suggested(space: Space, asked: optuna.Trial) -> Point:
    spread = _choices(tuple(space.candidates), space.threads)
    wanted = {"candidate": asked.suggest_categorical("candidate", spread["candidate"])}
    like = next(point for point in space.points if point.candidate == wanted["candidate"])
    for name in ("ranges", "rounding", "threads") if like.ranges else ("threads",):
        wanted[name] = asked.suggest_categorical(name, spread[name])
    return next(
        point
        for point in space.points
        if all(getattr(point, name) == value for name, value in wanted.items())
    )
