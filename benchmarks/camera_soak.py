"""Half an hour of a camera whose stream is killed and comes back: memory, age of the picture, events, and a clean end.

    python -m benchmarks.camera_soak [--minutes 30] [--restarts 20] [--model blazeface] [--json FILE]

`edgekit camera run` answers a Motion JPEG stream at 30 frames a second, serves its page, writes its events, and posts
every frame to a server here. Each frame bears the time at which it was sent, in black and white fields that JPEG leaves
readable: a viewer reads them off the page's picture, so that the age is that of what is seen, from sender to viewer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from benchmarks.camera import bundle_of
from benchmarks.trials import quiet_home
from edgekit.contracts.types import Image
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo import resolve

FPS, WIDTH, HEIGHT = 30.0, 640, 480
FIELD, BITS = 16, 32
"""Pixels of a field, in the lowest rows; fields of a frame."""
SETTLED_S = 60.0
"""Before it memory and ages do not count: models load, caches fill."""
BACK_S = 3.0
"""After a restart the ages do not count for so long."""
FLAT, STALE_MS = 1.02, 1000.0


def main() -> None:
    options = _options()
    with quiet_home() as scratch, tempfile.TemporaryDirectory(prefix="edgekit-soak-") as folder:
        model = resolve(options.model, lambda *_: None)
        bundle = bundle_of(model, Path(folder), "onnxruntime", "fp32")
        photo = read_image(find_images(model.parent / "eval")[2])
        found = soak(bundle, cv2.resize(photo, (WIDTH, HEIGHT)), scratch, options)
    report(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def soak(bundle: Path, photo: Any, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    seconds, source, page = options.minutes * 60, free_port(), free_port()
    events = scratch / "events.jsonl"
    with Hook() as hook:
        sender = start_sender(source, photo)
        command = [str(Path(sys.executable).with_name("edgekit")), "camera", "run", str(bundle)]
        command += ["--source", f"http://127.0.0.1:{source}/", "--events", str(events), "--serve", str(page)]
        command += ["--webhook", hook.url, "--every-frame", "--timeout", "30", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watched = Watched(psutil.Process(process.pid), page)
        try:
            begun_s = time.time()
            for number in range(options.restarts + 1):
                watched.until(begun_s + seconds * (number + 1) / (options.restarts + 1))
                if number < options.restarts:
                    os.kill(sender.pid or 0, signal.SIGKILL)
                    sender.join()
                    watched.until(time.time() + 1 + number % 5)
                    sender = start_sender(source, photo)
                    watched.came_back_s = time.time()
            ended_s = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            output, said = process.communicate(timeout=60)
            took_s = time.perf_counter() - ended_s
        finally:
            process.kill()
            sender.kill()
            watched.stop()
        facts = json.loads(output)
        lines = [json.loads(line)["frame"] for line in events.read_text().splitlines()]
    memory = [rss for at_s, rss in watched.memory if at_s > begun_s + SETTLED_S]
    part = max(1, len(memory) // 10)
    return {
        "minutes": options.minutes,
        "restarts": options.restarts,
        "gaps": len(facts["gaps_s"]),
        "exit_code": process.returncode,
        "end_s": took_s,
        "frames": facts["frames"],
        "captured": facts["captured"],
        "frames_per_s": facts["frames_per_s"],
        "event_lines": len(lines),
        "in_order": lines == sorted(set(lines)),
        "messages": facts["messages"],
        "messages_received": len(hook.received),
        "messages_missing": hook.missing(),
        "resident_bytes": {"begin": statistics.median(memory[:part]), "end": statistics.median(memory[-part:]),
                           "largest": max(memory)},
        "age_ms": {"p50": float(np.percentile(watched.ages_ms, 50)), "p99": float(np.percentile(watched.ages_ms, 99)),
                   "largest": max(watched.ages_ms), "seen": len(watched.ages_ms)},
        "said": said.splitlines()[-3:],
        "conditions": facts["context"],
    }  # fmt: skip


def report(found: dict[str, Any]) -> None:
    memory, age = found["resident_bytes"], found["age_ms"]
    growth = memory["end"] / memory["begin"]
    complete = found["event_lines"] == found["frames"] and found["in_order"] and not found["messages_missing"]
    bars = {
        f"every gap was bridged: {found['gaps']} of {found['restarts']}": found["gaps"] == found["restarts"],
        f"memory at the end: {growth:.3f} of that after a minute, {memory['end'] / 1e6:.0f} MB": growth
        <= FLAT,
        f"picture's age: {age['p50']:.0f} ms in the middle, p99 {age['p99']:.0f}, largest {age['largest']:.0f} "
        f"of {age['seen']}": age["largest"] <= STALE_MS,
        f"{found['event_lines']} events of {found['frames']} frames; {found['messages_received']} messages received, "
        f"{found['messages'][0]['lost']} lost": complete and not found["messages"][0]["lost"],
        f"SIGTERM: exit {found['exit_code']} after {found['end_s']:.1f} s": found["exit_code"] == 0,
    }
    print(f"{found['minutes']:g} minutes, {found['frames_per_s']:.1f} frames/s of {FPS:g}; load "
          f"{found['conditions']['load_average_1m']}")  # fmt: skip
    for bar, held in bars.items():
        print(f"{'pass' if held else 'MISS'}  {bar}")


class Watched:
    """Looks at the process and at its page, in threads of their own."""

    def __init__(self, process: psutil.Process, page: int) -> None:
        self.memory: list[tuple[float, int]] = []
        self.ages_ms: list[float] = []
        self.came_back_s = time.time() + SETTLED_S
        self._process, self._page, self._stopped = process, page, threading.Event()
        self._viewer = threading.Thread(target=self._view, daemon=True)
        self._viewer.start()

    def until(self, end_s: float) -> None:
        """Note the memory each second until then; RuntimeError where the process has ended."""
        while time.time() < end_s:
            if not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError("the camera has ended by itself")
            self.memory.append((time.time(), self._process.memory_info().rss))
            time.sleep(1)

    def stop(self) -> None:
        self._stopped.set()

    def _view(self) -> None:
        newest = 0
        while not self._stopped.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._page, timeout=10)
            try:
                while not self._stopped.is_set():
                    connection.request("GET", f"/frame.jpg?after={newest}")
                    answer = connection.getresponse()
                    content, now_s = answer.read(), time.time()
                    assert answer.status < 400, answer.status
                    if answer.status != 200:  # none came
                        continue
                    newest = int(answer.headers["X-Frame"])
                    sent_ms = read_time(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
                    if now_s > self.came_back_s + BACK_S:
                        self.ages_ms.append((round(now_s * 1000) - sent_ms) % 2**BITS)
            except (OSError, http.client.HTTPException):
                time.sleep(0.5)
            finally:
                connection.close()


class Hook:
    """A web server that takes messages."""

    def __init__(self) -> None:
        self.received: set[int] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                # a regular expression, since half an hour of frames is a lot to parse
                found = re.search(rb'"number":(\d+)', body)
                assert found
                outer.received.add(int(found[1]))
                self.send_response(204)
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def missing(self) -> int:
        """Numbers that were left out."""
        return max(self.received) + 1 - len(self.received)

    def __enter__(self) -> Hook:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def start_sender(port: int, photo: Image) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(target=send, args=(port, photo), daemon=True)
    process.start()
    return process


def send(port: int, photo: Image) -> None:
    """Motion JPEG to whoever connects, until it is killed."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            due_s = time.time()
            while True:
                content = cv2.imencode(".jpg", with_time(photo, round(time.time() * 1000)))[1].tobytes()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content)
                try:
                    self.wfile.write(head + content + b"\r\n")
                except OSError:
                    return
                due_s = max(due_s + 1 / FPS, time.time())
                time.sleep(max(0.0, due_s - time.time()))

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.serve_forever()


def with_time(image: Image, now_ms: int) -> Image:
    """A copy whose lowest rows say the time."""
    marked = image.copy()
    for bit in range(BITS):
        shade = 255 if now_ms >> bit & 1 else 0
        marked[-FIELD:, bit * FIELD : (bit + 1) * FIELD] = shade
    return marked


def read_time(image: Any) -> int:
    """Milliseconds, of which BITS bits are left."""
    middles = image[-FIELD // 2, FIELD // 2 : BITS * FIELD : FIELD].mean(axis=-1)
    return sum(1 << bit for bit, shade in enumerate(middles) if shade > 127)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--model", default="blazeface")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
