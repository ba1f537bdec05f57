"""A conversation with one runner, whatever carries it."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy.typing as npt

from edgekit.data.arrays import read_arrays, write_arrays
from edgekit.devices.transport import Process, Transport
from edgekit.errors import DeviceError

Tensors = Mapping[str, npt.NDArray[Any]]
READY_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenCheck:
    """How the artifact answered its golden input."""

    max_relative_error: float
    cosine: float
    allowed: float
    reproduced: bool
    equal_share: float
    """Of the golden values, those answered bit for bit, 0 to 1."""
    max_difference: float
    """``max|out - golden|``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRuns:
    """Inferences timed one after the other, and what the kernel counted meanwhile."""

    samples_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]
    """Processor time of each, over all threads."""
    others_ms: float
    """Processor time that everybody else on the device took meanwhile."""
    preemptions: int
    """How often somebody else was given the processor."""
    waits: int
    """How often a thread gave the processor up by itself."""
    process_cpu_ms: float
    """Processor time of the runner since its start."""
    check_ms: float
    """What the first run after loading took to compare with the golden pair, outside of every sample."""
    age_ms: float
    """Since the runner's start, by the device's own clock, in steps of 10 ms; 0 where it does not tell."""


class RunnerSession:
    """One bundle on one device. Every method raises DeviceError with the runner's own words when it fails."""

    def __init__(
        self,
        transport: Transport,
        process: Process,
        *,
        where: str,
        instructions_per_ms: float | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        """``instructions_per_ms``: of a device whose clock counts instructions."""
        self._instructions_per_ms = instructions_per_ms
        self._transport = transport
        self._process = process
        self._where = where
        self._batches = 0
        self._closed = False
        self.has_golden = False
        """Known once loaded."""
        try:
            self.ready: dict[str, Any] = self._reply(ready_timeout_s)["context"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def process(self) -> Process:
        """The runner's process, for who measures it from outside."""
        return self._process

    def load(self) -> dict[str, float]:
        """Check the bundle's files and open the artifact; ``load_ms`` and ``check_ms``."""
        reply = self.request({"op": "load"})
        self.has_golden = bool(reply["has_golden"])
        return {"load_ms": float(reply["load_ms"]), "check_ms": float(reply["check_ms"])}

    def golden(self) -> GoldenCheck:
        """Answer the bundle's golden input again and compare."""
        reply = self.request({"op": "golden"})
        return GoldenCheck(
            max_relative_error=float(reply["max_relative_error"]),
            cosine=float(reply["cosine"]),
            allowed=float(reply["allowed"]),
            reproduced=bool(reply["reproduced"]),
            equal_share=float(reply["equal_share"]),
            max_difference=float(reply["max_difference"]),
        )

    def run(self, runs: int, warmup: int = 0) -> list[float]:
        """Wall time in ms of ``runs`` inferences of the golden input, after ``warmup`` that are not kept."""
        return list(self.timed_runs(runs, warmup).samples_ms)

    def timed_runs(self, runs: int, warmup: int = 0) -> TimedRuns:
        """Like ``run``, with what the kernel counted meanwhile."""
        reply = self.request({"op": "run", "runs": runs, "warmup": warmup})
        return TimedRuns(
            samples_ms=tuple(float(sample) for sample in reply["samples_ms"]),
            cpu_ms=tuple(float(sample) for sample in reply["cpu_ms"]),
            others_ms=float(reply["others_ms"]),
            preemptions=int(reply["preemptions"]),
            waits=int(reply["waits"]),
            process_cpu_ms=float(reply["process_cpu_ms"]),
            check_ms=float(reply["check_ms"]),
            age_ms=float(reply["age_ms"]),
        )

    def infer(self, inputs: Sequence[Tensors]) -> list[dict[str, npt.NDArray[Any]]]:
        """Answer each input; names, layouts and dtypes of the source model on both sides."""
        self._batches += 1
        out = self._transport.folder(f"out-{self._batches}")
        sent = [
            self._send(tensors, f"in-{self._batches}-{index}.npz") for index, tensors in enumerate(inputs)
        ]
        reply = self.request({"op": "infer", "inputs": sent, "out": out})
        return [self._fetch(path) for path in reply["outputs"]]

    def count(self, runs: int) -> list[dict[str, int]]:
        """Instructions of each of ``runs`` inferences: ``total``, and by class where they are told apart.

        Empty where nobody counts them.
        """
        if self._instructions_per_ms is not None:
            return [{"total": round(sample * self._instructions_per_ms)} for sample in self.run(runs)]
        return [
            {str(name): int(value) for name, value in region.items()}
            for region in self.request({"op": "count", "runs": runs})["regions"]
        ]

    def operators(self, runs: int) -> tuple[list[dict[str, Any]], str]:
        """Mean time by operator (``name``, ``op``, ``ms``), and how it was obtained."""
        reply = self.request({"op": "operators", "runs": runs})
        return list(reply["operators"]), str(reply["how"])

    def second_session(self) -> float:
        """Load and first answer of another session in the running process, in ms."""
        return float(self.request({"op": "second_session"})["warm_start_ms"])

    def yardstick(self) -> float:
        """Time in ms of a fixed piece of work on one thread: how fast the device is just now."""
        return float(self.request({"op": "yardstick"})["yardstick_ms"])

    def memory(self) -> dict[str, Any]:
        """``phases`` (bytes by name), ``peak`` bytes and ``method``."""
        reply = self.request({"op": "memory"})
        return {key: reply[key] for key in ("phases", "peak", "method")}

    def request(self, request: Mapping[str, object], timeout_s: float = REQUEST_TIMEOUT_S) -> dict[str, Any]:
        """Send one request of the protocol and wait for its reply."""
        if self._closed:
            raise DeviceError(f"{self._where}: the session is closed; start another one")
        try:
            self._process.write_line(json.dumps(request))
        except BrokenPipeError:
            self._died()
        return self._reply(timeout_s)

    def close(self) -> None:
        """End the runner and remove what was sent to the device."""
        if self._closed:
            return
        self._closed = True
        try:
            self._process.stop()
        finally:
            self._transport.close()

    def _reply(self, timeout_s: float) -> dict[str, Any]:
        try:
            line = self._process.read_line(timeout_s)
        except TimeoutError:
            self._fail(f"the runner did not answer within {timeout_s:.0f} s and was stopped")
        if line is None:
            self._died()
        reply = json.loads(line)
        if not isinstance(reply, dict) or reply.get("ok") is False:
            raise DeviceError(f"{self._where}: {reply['error']}")
        return reply

    def _died(self) -> NoReturn:
        self._fail("the runner ended unexpectedly")

    def _fail(self, what: str) -> NoReturn:
        status = self._process.stop()
        cause = ""
        with contextlib.suppress(ValueError):
            cause = f" ({signal.Signals(-status).name})" if status < 0 else f" (status {status})"
        words = self._process.last_words().splitlines()[-5:]
        tail = "".join(f"\n  {line}" for line in words)
        self.close()
        raise DeviceError(f"{self._where}: {what}{cause}" + (f". Its last words:{tail}" if tail else ""))

    def _send(self, tensors: Tensors, name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write_arrays(path, tensors)
            return self._transport.send(path, name)

    def _fetch(self, remote: str) -> dict[str, npt.NDArray[Any]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.npz"
            self._transport.fetch(remote, path)
            return read_arrays(path)
