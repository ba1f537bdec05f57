"""One bundle at work: what each request of the protocol does."""

from __future__ import annotations

import contextlib
import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .adapt import to_artifact, to_source
from .arrays import read_npz, write_npz
from .bundle import check_files, read_bundle
from .context import age_ms, busy_ms, read_context
from .failure import RunnerError
from .golden import Comparison, Golden, compare, read_golden, synthetic_inputs
from .memory import PhaseMemory
from .regions import counted
from .sessions import Array, OperatorTime, Session, import_runtime
from .yardstick import yardstick_ms

_YARDSTICK = "yardstick"


class Engine:
    """Holds one bundle, its imported runtime and, once loaded, a session."""

    def __init__(
        self, folder: Path, *, threads: int, at_once: int | None = None, reset_peaks: bool = True
    ) -> None:
        """``at_once``: inferences that :meth:`answer` may have under way at a time, each on ``threads`` threads; None: one,
        and nothing beside it, as is measured.
        """
        self._bundle = read_bundle(folder)
        self._runtime = import_runtime(self._bundle.runtime)
        self._threads, self._at_once = threads, at_once
        self._session: Session | None = None
        self._lanes: tuple[Session, ...] = ()
        self._golden: Golden | None = None
        self._feeds: dict[str, Array] = {}
        self._answered = False
        self._checked = False
        """Since it was loaded the artifact has reproduced its golden pair, or there is none."""
        self._memory = PhaseMemory(reset=reset_peaks)

    def context(self) -> dict[str, object]:
        """Conditions of what will be measured; closes the memory phase ``base``."""
        self._memory.begin()
        return {
            **read_context(self._threads),
            "runtime": self._runtime.name,
            "runtime_version": self._runtime.version,
            "runtime_options": dict(self._bundle.options),
        }

    def load(self) -> dict[str, object]:
        """Check the files and open the artifact. ``check_ms`` is the check, no application would repeat it.

        The golden pair is checked on the first inference, which answers its input anyway: one here would be the
        first, and neither start nor memory would be what an application sees.
        """
        self._checked = False
        started = time.perf_counter()
        check_files(self._bundle)
        self._golden = read_golden(self._bundle)
        checked = time.perf_counter()
        with self._memory.phase("load"):
            session = self._runtime.open(self._bundle, self._threads, self._at_once)
            self._session = session
            self._lanes = (session, *(session.beside() for _ in range((self._at_once or 1) - 1)))
        loaded = time.perf_counter()
        if self._golden is None:
            self._feeds = synthetic_inputs(self._session)
        else:
            self._feeds = to_artifact(self._bundle, self._session, self._golden.inputs)
        return {
            "check_ms": (checked - started) * 1000,
            "load_ms": (loaded - checked) * 1000,
            "has_golden": self._golden is not None and bool(self._golden.outputs),
        }

    def golden(self) -> dict[str, object]:
        """Answer the golden input again and compare."""
        self._loaded()
        if self._golden is None:
            raise RunnerError(f"{self._bundle.folder}: the bundle has no golden pair")
        found = self._compared(self._golden, self._answer(self._feeds))
        self._checked = self._checked or found.reproduced
        return found.facts()

    def run(self, runs: int, warmup: int) -> dict[str, object]:
        """Time ``runs`` inferences: the runtime's call alone, inputs as the artifact takes them.

        ``check_ms``: what comparing the first one with the golden pair took.
        """
        session = self._loaded()
        samples: list[tuple[float, float]] = []
        check_ms = 0.0
        if not self._checked and warmup + runs:
            outputs: dict[str, Array] = {}
            with self._memory.phase("steady" if self._answered else "first"):
                samples.append(_timed(lambda: outputs.update(session.run(self._feeds))))
            self._answered = True
            # between two inferences and outside every phase: no sample and no peak holds any of it
            started = time.perf_counter()
            self._check(outputs)
            check_ms = (time.perf_counter() - started) * 1000
        with self._memory.phase("steady"), _no_collection():
            while len(samples) < warmup:
                samples.append(_timed(lambda: session.run(self._feeds)))
            before, machine_before = resource.getrusage(resource.RUSAGE_SELF), busy_ms()
            while len(samples) < warmup + runs:
                samples.append(_timed(lambda: session.run(self._feeds)))
            after, machine_after = resource.getrusage(resource.RUSAGE_SELF), busy_ms()
        kept = samples[warmup:]
        return {
            "samples_ms": [wall for wall, _ in kept],
            "cpu_ms": [cpu for _, cpu in kept],
            "others_ms": max(0.0, machine_after - machine_before - sum(cpu for _, cpu in kept)),
            "preemptions": after.ru_nivcsw - before.ru_nivcsw,
            "waits": after.ru_nvcsw - before.ru_nvcsw,
            # of the whole process since its start: what a cold start would take undisturbed
            "process_cpu_ms": (after.ru_utime + after.ru_stime) * 1000,
            "check_ms": check_ms,
            "age_ms": age_ms(),
        }

    def infer(self, inputs: list[str], out: str) -> dict[str, object]:
        """Answer each .npz of source inputs with an .npz of source outputs in the folder ``out``."""
        session = self._checked_session()
        written = []
        for path in inputs:
            feeds = to_artifact(self._bundle, session, read_npz(Path(path)))
            target = Path(out) / Path(path).name
            write_npz(target, self._source_outputs(self._answer(feeds)))
            written.append(str(target))
        return {"outputs": written}

    def answer(self, inputs: Mapping[str, Array], lane: int = 0) -> dict[str, Array]:
        """Source outputs to source inputs of an application in this process; its memory is not watched.

        Several threads may ask at the same time, each in another of the ``at_once`` lanes, once :meth:`warm_up` has been
        there.
        """
        self._checked_session()
        session = self._lanes[lane]
        return self._source_outputs(session.run(to_artifact(self._bundle, session, inputs)))

    def warm_up(self) -> None:
        """Answer the golden (else a made up) input in every lane; RunnerError where it is not the recorded answer.

        In all at the same time, so that what memory they take together is taken from the beginning.
        """
        self._checked_session()
        # no board needs it before its first inference
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(self._lanes)) as threads:
            answers = list(threads.map(lambda session: session.run(self._feeds), self._lanes))
        for outputs in answers:
            self._check(outputs)

    def count(self, runs: int) -> dict[str, object]:
        """Instructions of each of ``runs`` inferences by class, where an emulator counts them; else none."""
        session = self._checked_session()
        with self._memory.phase("steady"), _no_collection():
            regions = [counted(lambda: session.run(self._feeds)) for _ in range(runs)]
        return {"regions": [region for region in regions if region]}

    def operators(self, runs: int) -> dict[str, object]:
        """Mean time by operator, in a session of its own."""
        self._checked_session()
        found: list[tuple[list[OperatorTime], str]] = []
        # where an emulator counts, its clock within a region is one of instructions
        counted(lambda: found.append(self._runtime.operators(self._bundle, self._threads, self._feeds, runs)))
        times, how = found[0]
        return {
            "operators": [{"name": time.name, "op": time.op, "ms": time.ms} for time in times],
            "how": how,
        }

    def second_session(self) -> dict[str, object]:
        """Load and first answer of another session in this running process."""
        self._checked_session()
        started = time.perf_counter()
        session = self._runtime.open(self._bundle, self._threads)
        session.run(self._feeds)
        return {"warm_start_ms": (time.perf_counter() - started) * 1000}

    def yardstick(self) -> dict[str, object]:
        """Time the fixed piece of work; its memory is no part of the bundle's."""
        with self._memory.phase(_YARDSTICK):
            return {"yardstick_ms": yardstick_ms()}

    def memory(self) -> dict[str, object]:
        """Peaks by phase so far, in bytes."""
        phases = {name: peak for name, peak in self._memory.peaks.items() if name != _YARDSTICK}
        return {"phases": phases, "peak": max(phases.values()), "method": self._memory.method}

    def _loaded(self) -> Session:
        if self._session is None:
            raise RunnerError("load first")
        return self._session

    def _checked_session(self) -> Session:
        """The session, after the golden pair was checked: before whatever is not an inference of its input."""
        session = self._loaded()
        if not self._checked:
            self._check(self._answer(self._feeds))
        return session

    def _check(self, outputs: Mapping[str, Array]) -> None:
        """Compare the artifact's answer to the golden input; RunnerError where it is not the recorded one."""
        if self._golden is not None:
            found = self._compared(self._golden, outputs)
            if not found.reproduced:
                raise RunnerError(
                    f"the golden pair does not reproduce here: {self._runtime.name} {self._runtime.version} does "
                    f"not answer the golden input as it did when the bundle was made: {found.words}. "
                    "Convert for this device"
                )
        self._checked = True

    def _compared(self, golden: Golden, outputs: Mapping[str, Array]) -> Comparison:
        return compare(golden, self._source_outputs(outputs), self._bundle.max_relative_error)

    def _answer(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        session = self._loaded()
        with self._memory.phase("steady" if self._answered else "first"):
            outputs = session.run(feeds)
        self._answered = True
        return outputs

    def _source_outputs(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        dtypes = self._golden.dtypes if self._golden else {}
        return to_source(self._bundle, self._loaded(), outputs, dtypes)


def _timed(infer: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time (of all threads) of one inference, in ms."""
    # the slower clock is read outside of what the other one times
    cpu_started = time.process_time()
    started = time.perf_counter()
    infer()
    wall = time.perf_counter() - started
    return wall * 1000, (time.process_time() - cpu_started) * 1000


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out of a timed block."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
