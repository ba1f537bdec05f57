"""Real servers on the loopback: a broker, and a web server that keeps what it was sent."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

# Debian has the broker where only root looks
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="no mosquitto; apt-get install --no-install-recommends mosquitto"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait; AssertionError where it takes too long."""
    ends_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that it has given itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with; apt-get install openssl")
    paths = folder / "cert.pem", folder / "key.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(words, check=True, capture_output=True)
    return paths


class Broker:
    """mosquitto, which remembers over a restart who has subscribed to what."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port, self._folder = free_port(), folder
        self._config = folder / "mosquitto.conf"
        settings = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        # as root it would become another user, who may not write there
        self._config.write_text("\n".join([*settings, "user root", *(lines or ["allow_anonymous true"]), ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)], stdout=log, stderr=log)
        until(self._answers)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
        self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def broker(folder: Path, *lines: str) -> Iterator[Broker]:
    running = Broker(folder, *lines)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def subscriber(port: int, topic: str) -> Iterator[list[dict[str, Any]]]:
    """What comes in, as it comes; the broker keeps for it what it misses."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    received: list[dict[str, Any]] = []
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id="test", clean_session=False)
    client.reconnect_delay_set(1, 1)
    client.on_message = lambda _client, _data, message: received.append(json.loads(message.payload))
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topic, qos=1)
    assert subscribed.wait(10)
    try:
        yield received
    finally:
        client.disconnect()
        client.loop_stop()


class WebServer:
    """Keeps what is posted to it; ``answers`` are the codes of the next answers, then 204."""

    def __init__(self, port: int = 0, secured: tuple[Path, Path] | None = None) -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self._connections: list[socket.socket] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def setup(self) -> None:
                super().setup()
                kept._connections.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = kept.answers.pop(0) if kept.answers else 204
                if code == 204:
                    kept.received.append(json.loads(body))
                    kept.headers.append({**self.headers, "path": self.path})
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if secured:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*secured)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        # looks this often whether it is to stop
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """As the end of its process: connections that clients keep are broken."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def web_server(port: int = 0, secured: tuple[Path, Path] | None = None) -> Iterator[WebServer]:
    server = WebServer(port, secured)
    try:
        yield server
    finally:
        server.stop()
