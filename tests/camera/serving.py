"""A real pipeline with its live page, in this process, for as long as a test needs it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from edgekit.camera.frames import Frame, Source
from edgekit.camera.opening import open_source, open_stored
from edgekit.camera.pipeline import Pipeline
from edgekit.camera.serving import LivePage, read_address
from edgekit.camera.work import OpenWork, Work

PATIENCE_S = 30.0
"""Of a machine that is busy with other tests."""


class Repeated:
    """A clip as a camera: at its own rate, over and over, times going on."""

    live, patience_s = True, None
    gaps: tuple[float, ...] = ()

    def __init__(self, clip: Path, rate_fps: float) -> None:
        self.name, self.rate_fps = clip.name, rate_fps
        self._clip = clip
        self._frames = open_stored(clip)
        self._count = 0
        self._started_s = self._due_s = perf_counter()

    def read(self) -> Frame:
        frame = self._frames.read()
        if frame is None:
            self._frames = open_stored(self._clip)
            frame = self._frames.read()
        assert frame is not None
        # a camera does not catch up on what a busy machine made it miss
        self._due_s = max(self._due_s, perf_counter() - 1 / self.rate_fps)
        time.sleep(max(0.0, self._due_s - perf_counter()))
        self._due_s += 1 / self.rate_fps
        index, self._count = self._count, self._count + 1
        now_s = perf_counter()
        return Frame(
            image=frame.image, index=index, time_ms=(now_s - self._started_s) * 1000, captured_s=now_s
        )

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Served:
    """What a test asks and looks into."""

    pipeline: Pipeline
    page: LivePage
    url: str

    @property
    def port(self) -> int:
        return int(self.url.partition("//")[2].partition("/")[0].rpartition(":")[2])

    def ask(
        self,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """GET, or POST where there is a body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            content = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request("GET" if content is None else "POST", path, content, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


@contextmanager
def served(
    bundle: Path,
    source: str | Source,
    *,
    scene: Path | None = None,
    edit: bool = False,
    serve: str = "0",
    rung: int | None = None,
) -> Iterator[Served]:
    """From the first frame on, until the test has what it wants; errors of the pipeline are the test's."""
    there = scene if scene and scene.exists() else None
    opened = open_source(source) if isinstance(source, str) else source
    pipeline = OpenWork(Work(bundle=bundle, track=scene is not None, scene=there, rung=rung)).pipeline(opened)
    told: list[str] = []
    failures: list[BaseException] = []

    def run(page: LivePage) -> None:
        try:
            for result in pipeline:
                page.write(result)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    with LivePage(read_address(serve), pipeline, edited=scene if edit else None, told=told.append) as page:
        thread = threading.Thread(target=run, args=(page,))
        thread.start()
        try:
            wait_for(lambda: pipeline.put_out or failures)
            yield Served(pipeline, page, told[0].removeprefix("live page: "))
        finally:
            pipeline.stop()
            thread.join(PATIENCE_S)
    assert not failures, failures


def wait_for(what: Callable[[], Any]) -> Any:
    """The first true answer."""
    until_s = time.monotonic() + PATIENCE_S
    while not (answer := what()):
        assert time.monotonic() < until_s, "it did not happen"
        time.sleep(0.02)
    return answer
