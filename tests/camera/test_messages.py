"""What happens arrives at a real broker and a real web server, also when they go away for a while."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.camera.analysis import Analysis
from edgekit.camera.frames import Frame
from edgekit.camera.happenings import Happening
from edgekit.camera.messages import MessageSink
from edgekit.camera.mqtt import Mqtt
from edgekit.camera.outbox import Outbox, Transport, UnreachableError
from edgekit.camera.pipeline import Result
from edgekit.camera.webhook import Webhook
from edgekit.contracts import Boxes
from edgekit.data.images import read_image
from edgekit.errors import CameraError
from edgekit.models.zoo.store import resolve
from tests.camera.making import moving_crop, scenes, write_clip
from tests.camera.servers import (
    broker,
    certificate,
    free_port,
    needs_mosquitto,
    subscriber,
    until,
    web_server,
)
from tests.camera.test_command import SCENE, camera

IMAGE = np.zeros((4, 4, 3), np.uint8)


def crossing(index: int) -> Result:
    """A frame on which something crossed a line, taken just now."""
    frame = Frame(image=IMAGE, index=index, time_ms=40.0 * index, captured_s=time.perf_counter())
    event = Happening("crossed", "door", index, "person", direction="in")
    return Result(frame, Boxes(()), Analysis((), (event,), None, {}))


def sink(transport: Transport, told: Callable[[str], None] = print, every_frame: bool = False) -> MessageSink:
    about = {"bundle": "b.edgekit", "source": "clip.mp4"}
    return MessageSink(transport, every_frame=every_frame, about=about, told=told)


def numbers(received: Sequence[dict[str, Any]]) -> list[int]:
    """Of the messages that we sent; the broker's own is that we are lost."""
    return [message["number"] for message in received if message["event"] != "lost"]


def test_a_run_has_a_start_what_happens_and_an_end() -> None:
    with web_server() as server:
        url = f"http://me:s%20cret@127.0.0.1:{server.port}/hook?to=me"
        with sink(Webhook(url)) as messages:
            for index in range(3):
                messages.write(crossing(index))
        assert messages.facts() == {"to": f"http://127.0.0.1:{server.port}", "sent": 5, "lost": 0}
        start, *happened, end = server.received
    assert (start["event"], start["bundle"], start["source"]) == ("started", "b.edgekit", "clip.mp4")
    assert (end["event"], end["frames"], end["error"]) == ("ended", 3, None)
    assert numbers(server.received) == list(range(5))
    assert len({message["run"] for message in server.received}) == 1
    assert [message["frame"] for message in happened] == [0, 1, 2]
    crossed = {key: happened[1][key] for key in ("event", "place", "direction", "label", "track", "time_ms")}
    assert crossed == {
        "event": "crossed",
        "place": "door",
        "direction": "in",
        "label": "person",
        "track": 1,
        "time_ms": 40.0,
    }
    for message in server.received:
        assert message["at"].endswith("Z")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(message["at"])) < timedelta(seconds=30)
    assert server.headers[0]["Authorization"] == "Basic bWU6cyBjcmV0"  # me:s cret
    assert server.headers[0]["path"] == "/hook?to=me"
    assert server.headers[0]["Content-Type"] == "application/json"


def test_the_end_says_what_went_wrong() -> None:
    with web_server() as server:
        url = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(CameraError), sink(Webhook(url)):
            raise CameraError("cam: stalled")
        with pytest.raises(RuntimeError), sink(Webhook(url)):
            raise RuntimeError("internals that are of no use to others")
        assert [m["error"] for m in server.received if m["event"] == "ended"] == [
            "cam: stalled",
            "RuntimeError",
        ]


def test_the_time_is_that_of_the_frame_and_not_of_its_sending() -> None:
    with web_server() as server:
        result = crossing(0)
        time.sleep(0.5)
        with sink(Webhook(f"http://127.0.0.1:{server.port}/")) as messages:
            messages.write(result)
        start, crossed, _ = (datetime.fromisoformat(message["at"]) for message in server.received)
        assert start - crossed >= timedelta(seconds=0.45)


def test_a_web_server_that_restarts_misses_nothing() -> None:
    told: list[str] = []
    port = free_port()
    with web_server(port) as first:
        messages = sink(Webhook(f"http://127.0.0.1:{port}/"), told.append).__enter__()
        messages.write(crossing(0))
        until(lambda: messages.facts()["sent"] == 2)
    for index in range(1, 10):
        messages.write(crossing(index))
    until(lambda: bool(told))
    with web_server(port) as second:
        messages.__exit__(None, None, None)
        assert messages.facts()["lost"] == 0
    assert numbers(first.received) == [0, 1]
    assert numbers(second.received) == list(range(2, 12))
    name = f"http://127.0.0.1:{port}"
    assert told == [
        f"{name}: cannot be reached: Connection refused; messages wait, the newest 1000",
        f"{name}: answers again; 0 messages were lost",
    ]


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() -> None:
    told: list[str] = []
    with web_server() as server:
        with sink(Webhook(f"http://127.0.0.1:{server.port}/"), told.append) as messages:
            server.answers = [503, 429]
            messages.write(crossing(0))
            until(lambda: messages.facts()["sent"] == 2)
            server.answers = [410, 410]
            messages.write(crossing(1))
            messages.write(crossing(2))
            until(lambda: messages.facts()["lost"] == 2)
        assert numbers(server.received) == [0, 1, 4]
    name = f"http://127.0.0.1:{server.port}"
    assert told == [
        f"{name}: answers 503 Service Unavailable; messages wait, the newest 1000",
        f"{name}: answers again; 0 messages were lost",
        f"{name}: answers 410 Gone; such messages are lost",
    ]


def test_a_redirection_is_not_followed() -> None:
    """A POST that is sent on becomes a GET, and what it said is gone."""
    with web_server() as server:
        server.answers = [301]
        with (
            pytest.raises(CameraError, match="answers 301"),
            sink(Webhook(f"http://127.0.0.1:{server.port}/")),
        ):
            pass


class Held:
    """A server that takes nothing until it is let."""

    name, window = "held", 1

    def __init__(self) -> None:
        self.let = threading.Event()
        self.taken: list[str] = []

    def open(self, last_will: str) -> None: ...
    def close(self) -> None: ...
    def send(self, texts: Sequence[str]) -> None:
        if texts != ("first",) and not self.let.wait(0.05):
            raise UnreachableError("is held")
        self.taken += texts


def test_nobody_waits_for_a_server_and_the_oldest_make_room() -> None:
    held = Held()
    outbox = Outbox(held, lambda _: None, capacity=10)
    outbox.open("first", "will")
    started_s = time.perf_counter()
    for index in range(10_000):
        outbox.put(str(index))
    # a queue and nothing else: microseconds each; a single attempt at the server takes 50 ms
    assert time.perf_counter() - started_s < 2
    held.let.set()
    outbox.close()
    assert len(held.taken) == outbox.sent == 11
    assert outbox.lost == 10_000 - 10
    assert held.taken[-1] == "9999"
    # what was under way when the queue filled has its place among the ten
    assert held.taken[2:] == [str(index) for index in range(9991, 10_000)]


def test_what_has_not_arrived_at_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.camera.outbox.END_S", 0.5)
    held = Held()
    outbox = Outbox(held, lambda _: None)
    outbox.open("first", "will")
    for index in range(7):
        outbox.put(str(index))
    started_s = time.perf_counter()
    outbox.close()
    assert time.perf_counter() - started_s < 5
    assert (outbox.sent, outbox.lost) == (1, 7)


@needs_mosquitto
def test_a_broker_that_restarts_misses_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    with broker(tmp_path) as server, subscriber(server.port, "shop/door") as received:
        transport = Mqtt(f"mqtt://127.0.0.1:{server.port}/shop/door")
        with sink(transport, told.append) as messages:
            for index in range(50):
                messages.write(crossing(index))
            until(lambda: messages.facts()["sent"] > 20)
            server.stop()
            for index in range(50, 200):
                messages.write(crossing(index))
            until(lambda: bool(told))
            server.start()
            until(lambda: messages.facts()["sent"] == 201)
        assert messages.facts()["lost"] == 0
        until(lambda: len(set(numbers(received))) == 202)
    assert told == [
        f"{transport.name}: the connection is broken; messages wait, the newest 1000",
        f"{transport.name}: answers again; 0 messages were lost",
    ]
    # numbers of messages come again after 65 535; an old acknowledgement must not stand for a new message
    assert not transport._acknowledged
    # at least once each
    assert set(numbers(received)) == set(range(202))
    assert received[-1]["event"] == "ended"


@needs_mosquitto
def test_a_broker_tells_others_when_we_vanish(tmp_path: Path) -> None:
    with broker(tmp_path) as server, subscriber(server.port, "door") as received:
        transport = Mqtt(f"mqtt://127.0.0.1:{server.port}/door")
        messages = sink(transport).__enter__()
        until(lambda: len(received) == 1)
        client: Any = transport._client
        client.loop_stop()
        client.socket().close()  # as the end of a process does, without a word
        until(lambda: len(received) == 2)
        assert received[1] == {"run": received[0]["run"], "event": "lost"}
        messages._outbox.close()


@needs_mosquitto
def test_a_broker_with_passwords(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", users, "me", "right"], check=True, capture_output=True)
    with broker(tmp_path, "allow_anonymous false", f"password_file {users}") as server:
        with sink(Mqtt(f"mqtt://me:right@127.0.0.1:{server.port}/door")) as messages:
            pass
        assert messages.facts()["sent"] == 2
        wrong = sink(Mqtt(f"mqtt://me:secret@127.0.0.1:{server.port}/door"))
        with pytest.raises(
            CameraError, match=f":{server.port}/door: the broker refuses: Not authorized"
        ) as caught:
            wrong.__enter__()
        assert "secret" not in str(caught.value)


@pytest.fixture
def cert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Trusted, as OpenSSL is told everywhere."""
    pair = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    return pair


@needs_mosquitto
# paho-mqtt leaves the socket of a handshake that failed to the garbage collector
@pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_over_tls(cert: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("allow_anonymous true", f"certfile {cert[0]}", f"keyfile {cert[1]}")
    with broker(tmp_path, *lines) as server:
        url = f"mqtts://localhost:{server.port}/door"
        with sink(Mqtt(url)) as messages:
            messages.write(crossing(0))
        assert messages.facts() == {"to": url, "sent": 3, "lost": 0}
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(CameraError, match="certificate verify failed"):
            sink(Mqtt(url)).__enter__()


def test_a_web_server_over_tls(cert: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server(secured=cert) as server:
        url = f"https://localhost:{server.port}/"
        with sink(Webhook(url)) as messages:
            messages.write(crossing(0))
        assert messages.facts()["sent"] == len(server.received) == 3
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(CameraError, match="certificate verify failed"):
            sink(Webhook(url)).__enter__()


@needs_mosquitto
@pytest.mark.network
def test_what_happens_on_a_scene_reaches_both(blazeface: Path, tmp_path: Path) -> None:
    photo = read_image(resolve("blazeface").parent / "eval/face-00.jpg")
    write_clip(tmp_path / "clip.mp4", moving_crop(photo, 30, (288, 432)))
    (tmp_path / "scene.toml").write_text(SCENE)
    with (
        broker(tmp_path) as server,
        subscriber(server.port, "a/b") as received,
        web_server() as web,
    ):
        words = (
            "--mqtt",
            f"mqtt://127.0.0.1:{server.port}/a/b",
            "--webhook",
            f"http://127.0.0.1:{web.port}/",
        )
        done = camera(
            "run", blazeface, "--source", "clip.mp4", "--scene", "scene.toml", *words, "--json", cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, "")
        until(lambda: len(received) == 5)
    sent = [(one["sent"], one["lost"]) for one in json.loads(done.stdout)["messages"]]
    assert sent == [(5, 0), (5, 0)]
    for messages in (received, web.received):
        assert [one["event"] for one in messages] == ["started", "crossed", "entered", "dwelt", "ended"]
        assert messages[-1]["frames"] == 30


def test_every_frame_is_sent_where_that_is_asked_for(classifier: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", scenes(10, (64, 64)))
    with web_server() as server:
        url = f"http://127.0.0.1:{server.port}/"
        done = camera("run", classifier, "--source", clip, "--webhook", url, "--every-frame", cwd=tmp_path)
    assert done.returncode == 0
    assert f"http://127.0.0.1:{server.port}: 12 messages sent, 0 lost" in done.stdout
    frames = [message for message in server.received if message["event"] == "frame"]
    assert [message["frame"] for message in frames] == list(range(10))
    assert all(message["classes"] for message in frames)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--mqtt", "mqtt://me:secret@127.0.0.1:1/door"), 2, "give --scene, or --every-frame"),
        (
            ("--mqtt", "mqtt://me:secret@127.0.0.1:1/door", "--every-frame"),
            1,
            "mqtt://127.0.0.1:1/door: cannot be reached: Connection refused",
        ),
        (
            ("--webhook", "http://me:secret@127.0.0.1:1/secret", "--every-frame"),
            1,
            "http://127.0.0.1:1: cannot be reached: Connection refused",
        ),
        (
            ("--webhook", "ftp://me:secret@host/", "--every-frame"),
            1,
            "ftp://host/: no address that can be sent",
        ),
    ],
)
def test_a_server_that_is_not_there_is_one_line(
    classifier: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    clip = write_clip(tmp_path / "clip.avi", scenes(10, (64, 64)))
    done = camera("run", classifier, "--source", clip, *words, cwd=tmp_path)
    assert done.returncode == code
    assert told in " ".join(done.stderr.split())
    assert "secret" not in done.stdout + done.stderr
    assert code == 2 or done.stderr.count("\n") == 1
