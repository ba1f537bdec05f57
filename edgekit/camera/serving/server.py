"""A thread a connection, so many at most, and an end that waits for none of them."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
from typing import Any

from edgekit.camera.serving.address import Address
from edgekit.camera.serving.requests import Requests
from edgekit.camera.serving.site import Site
from edgekit.errors import CameraError

_MOST_CONNECTIONS = 32
"""A browser holds up to six."""
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LOOK_S = 0.1
"""How often it is looked whether the server is to end."""
_JOIN_S = 2.0


class Server(ThreadingMixIn, TCPServer):
    """Listens from the beginning, and serves a site from ``start`` to ``stop``."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: Address) -> None:
        """CameraError where the port cannot be had."""
        self.address_family = address.family
        self._connections: dict[socket.socket, threading.Thread] = {}
        try:
            super().__init__((address.ip, address.port), BaseRequestHandler)
        except OSError as error:
            raise CameraError(_why(address, error)) from None
        self.port = int(self.server_address[1])
        self._accepting = threading.Thread(target=self.serve_forever, args=(_LOOK_S,), daemon=True)

    @property
    def connections(self) -> int:
        return len(self._connections)

    def start(self, site: Site) -> None:
        self.RequestHandlerClass = partial(Requests, site)
        self._accepting.start()

    def stop(self) -> None:
        """Close the port and every connection, in the middle of whatever goes over it."""
        self.shutdown()
        self._accepting.join(_JOIN_S)
        self.server_close()
        open_still = list(self._connections.items())
        for connection, _ in open_still:
            with suppress(OSError):  # closed by its own thread meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        until_s = time.perf_counter() + _JOIN_S
        for _, thread in open_still:
            thread.join(max(0.0, until_s - time.perf_counter()))

    def process_request(self, request: Any, client_address: Any) -> None:
        if len(self._connections) >= _MOST_CONNECTIONS:
            self._refuse(request)
            return
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._connections[request] = thread
        try:
            thread.start()
        except RuntimeError:  # the system grants no more of them
            del self._connections[request]
            self._refuse(request)

    def _refuse(self, request: socket.socket) -> None:
        with suppress(OSError):
            request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that goes in the middle of an answer is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _why(address: Address, error: OSError) -> str:
    where = f"--serve: port {address.port} of {address.ip}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is in use; end what listens there, or give another port (0: any that is free)"
        case errno.EACCES:
            return f"{where} is for the administrator alone; give one from 1024 on"
        case errno.EADDRNOTAVAIL:
            return f"{where}: this machine does not have that address; 0.0.0.0 is each one that it has"
        case _:
            return f"{where}: {error.strerror}"
