"""What is sent to a server: a message at the start, one for each thing that happens or each frame, one at the end."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from edgekit.camera.events import event_facts
from edgekit.camera.outbox import Outbox, Transport
from edgekit.camera.pipeline import Result
from edgekit.errors import EdgekitError


class MessageSink:
    """Sends to one server. Each message has its ``run``, its ``number`` in it from 0 on, and when it was (``at``, UTC).

    What comes twice has the same run and number, and what was lost is a gap in the numbers.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        every_frame: bool,
        about: dict[str, Any],
        told: Callable[[str], None],
    ) -> None:
        """``about`` stands in the first message; ``every_frame``: send frames, with what happened on each in it."""
        self._outbox = Outbox(transport, told)
        self._name, self._every_frame, self._about = transport.name, every_frame, about
        self._run = secrets.token_hex(8)
        self._numbered = self._frames = 0

    def __enter__(self) -> Self:
        """CameraError where the server cannot be reached."""
        will = json.dumps({"run": self._run, "event": "lost"})
        self._outbox.open(self._message("started", time.time(), self._about), will)
        return self

    def write(self, result: Result) -> None:
        self._frames += 1
        frame, time_ms = result.frame.index, round(result.frame.time_ms, 3)
        # when the frame was there, not when its answer is sent
        at_s = time.time() - (time.perf_counter() - result.frame.captured_s)
        if self._every_frame:
            self._outbox.put(self._message("frame", at_s, event_facts(result)))
            return
        for happening in result.analysis.happenings if result.analysis else ():
            facts = {**happening.facts(), "frame": frame, "time_ms": time_ms}
            if result.camera:
                facts["camera"] = result.camera
            self._outbox.put(self._message(happening.event, at_s, facts))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the text of an error of ours is made for others to read
        why = str(error) if isinstance(error, EdgekitError) else kind and kind.__name__
        self._outbox.put(self._message("ended", time.time(), {"frames": self._frames, "error": why}))
        self._outbox.close()

    def facts(self) -> dict[str, Any]:
        """``to``, and how many messages have been ``sent`` and ``lost``."""
        return {"to": self._name, "sent": self._outbox.sent, "lost": self._outbox.lost}

    def _message(self, event: str, at_s: float, facts: dict[str, Any]) -> str:
        at = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"run": self._run, "number": self._numbered, "at": at, "event": event}
        self._numbered += 1
        return json.dumps({**facts, **head}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
