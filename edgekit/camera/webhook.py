"""Messages to a web server: each a POST of JSON, over a connection that is kept."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Sequence

from edgekit.camera.addresses import read_address
from edgekit.camera.outbox import RefusedError, UnreachableError

TIMEOUT_S = 10.0
"""Of each step of an exchange."""
_PORTS = {"http": 80, "https": 443}
_BUSY = (408, 425, 429)
"""Answers of a client's error that may be others in a while; of the server's errors all may."""
_READ_BYTES = 65_536
"""Of an answer; nobody looks at it, but a connection can only be kept when it has been read."""


class Webhook:
    """``http[s]://[user[:password]@]host[:port]/path``, the name and password as basic authentication."""

    window = 1

    def __init__(self, url: str) -> None:
        """CameraError where that is no such address."""
        self._to = read_address(url, _PORTS, example="https://host/path")
        # the path of a webhook is often its password
        self.name = f"{self._to.scheme}://{self._to.host}:{self._to.port}"
        self._headers = {"Content-Type": "application/json"}
        if self._to.user is not None:
            pair = f"{self._to.user}:{self._to.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        self._kept: http.client.HTTPConnection | None = None

    def open(self, last_will: str) -> None:
        """The first message connects; HTTP knows no last will."""

    def send(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._post(text.encode())

    def _post(self, body: bytes) -> None:
        kept = self._kept is not None
        try:
            status, reason = self._exchange(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # servers close what is idle, which one finds out by using it
            if kept and not isinstance(error, TimeoutError):
                return self._post(body)
            raise UnreachableError(f"cannot be reached: {_why(error)}") from None
        if status in _BUSY or status >= 500:
            raise UnreachableError(f"answers {status} {reason}")
        if not 200 <= status < 300:
            raise RefusedError(f"answers {status} {reason}")
        return None

    def _exchange(self, body: bytes) -> tuple[int, str]:
        connection = self._kept or self._connect()
        connection.request("POST", self._to.path, body, self._headers)
        answer = connection.getresponse()
        answer.read(_READ_BYTES)
        self._kept = connection
        if not answer.isclosed():
            self.close()
        return answer.status, answer.reason

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._to.host, self._to.port
        if self._to.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)

    def close(self) -> None:
        if self._kept:
            self._kept.close()
        self._kept = None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
