"""One request after the other of a connection, each judged before it is looked at."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import Any
from urllib.parse import parse_qs

from edgekit.camera.serving.metrics import CONTENT_TYPE, metrics_text
from edgekit.camera.serving.site import Site

_PATIENCE_S = 10.0
"""A connection that takes or gives nothing for so long is closed."""
_FRAME_S = 5.0
"""A viewer that waits for a frame hears after that that there is none."""
_MOST_BYTES = 64 * 1024
"""Of a body: a scene of a thousand points."""
_UNSENT_BYTES = 64 * 1024
"""Of a stream; the kernel would keep seconds of old frames for a slow viewer."""
_ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE_S
    disable_nagle_algorithm = True

    def __init__(self, site: Site, connection: socket.socket, address: Any, server: BaseServer) -> None:
        self._site = site
        super().__init__(connection, address, server)

    def do_GET(self) -> None:
        self._answer(
            {
                "/": self._page,
                "/facts": self._facts,
                "/frame.jpg": self._frame,
                "/metrics": self._metrics,
                "/scene": lambda: self._send_json(HTTPStatus.OK, self._site.desk.facts()),
                "/stream.mjpg": self._stream,
            }
        )

    def do_POST(self) -> None:
        self._answer(
            {
                "/scene/check": lambda: self._take(self._site.desk.check),
                "/scene/save": lambda: self._take(self._site.desk.save),
            }
        )

    def _answer(self, routes: dict[str, Callable[[], None]]) -> None:
        path, _, query = self.path.partition("?")
        self._query = parse_qs(query)
        refusal = self._site.access.refusal(self.command, self.headers, self._query)
        if refusal is None and path in routes:
            routes[path]()
        else:
            self.send_error(refusal or HTTPStatus.NOT_FOUND)

    def _page(self) -> None:
        page, cookie = self._site.page, self._site.access.set_cookie()
        more = {"Content-Security-Policy": page.policy, **({"Set-Cookie": cookie} if cookie else {})}
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.content, more)

    def _facts(self) -> None:
        facts = {**self._site.figures.facts(), "scene_version": self._site.desk.version}
        self._send_json(HTTPStatus.OK, facts)

    def _metrics(self) -> None:
        self._send(HTTPStatus.OK, CONTENT_TYPE, metrics_text(self._site.figures.facts()).encode())

    def _frame(self) -> None:
        """The newest frame; with ``after`` a newer one than that, and 204 where none comes."""
        after = self._query.get("after", ["0"])[0]
        if not (after.isascii() and after.isdecimal() and len(after) < 20):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        shot = self._site.screen.newest(int(after), _FRAME_S)
        if shot is None:
            self._send(HTTPStatus.NO_CONTENT, None, b"")
        else:
            self._send(HTTPStatus.OK, "image/jpeg", shot.jpeg, {"X-Frame": str(shot.number)})

    def _stream(self) -> None:
        """Motion JPEG, for players and other programs, until one side goes."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT_BYTES)
        self._head(HTTPStatus.OK, {"Content-Type": "multipart/x-mixed-replace; boundary=frame"})
        number = 0
        while not self._site.screen.closed:
            # without a new one the last is sent again: whether a viewer has gone shows when it is sent to
            shot = self._site.screen.newest(number, _FRAME_S) or self._site.screen.newest(0, 0)
            if shot:
                number = shot.number
                length = len(shot.jpeg)
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % length
                self.wfile.write(head + shot.jpeg + b"\r\n")

    def _take(self, work: Callable[[bytes], tuple[HTTPStatus, dict[str, Any]]]) -> None:
        """Read the body, whose length has to be said beforehand, and answer with what ``work`` makes of it."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > 9 or int(length) > _MOST_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._send_json(*work(self.rfile.read(int(length))))

    def _send_json(self, status: HTTPStatus, facts: dict[str, Any]) -> None:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
        self._send(status, "application/json", text.encode())

    def _send(
        self, status: HTTPStatus, kind: str | None, content: bytes, more: dict[str, str] | None = None
    ) -> None:
        length = {} if status == HTTPStatus.NO_CONTENT else {"Content-Length": str(len(content))}
        self._head(status, {**({"Content-Type": kind} if kind else {}), **length, **(more or {})})
        self.wfile.write(content)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        closing = {"Connection": "close"} if self.close_connection else {}
        for key, value in {**headers, **_ALWAYS, **closing}.items():
            self.send_header(key, value)
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The number alone; what is left unread of the request goes with the connection."""
        self.close_connection = True
        self._send(HTTPStatus(code), None, b"")

    def log_message(self, *_: object) -> None:
        """Nothing: a request's address may hold the token."""
