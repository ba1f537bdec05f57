"""A camera on the network: an RTSP server (RFC 2326) of one H.264 stream, which FFmpeg encodes and packs for RTP."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import av
import numpy as np

from edgekit.contracts.types import Image

_RATE_FPS = 25
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)
_NAME = "/door"
_NOT_FOUND = b"RTSP/1.0 404 Not Found\r\nCSeq: %s\r\n\r\n"
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"


@contextmanager
def rtsp_server(play: Callable[[int, Rtp], None]) -> Iterator[str]:
    """Its address; ``play(n, rtp)`` is what the n-th connection gets, which then ends.

    RTP goes over the same connection as the requests.
    """
    connections = iter(range(10**6))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                while request := _request(self.rfile.readline):
                    method, number, here = request
                    self.wfile.write(_answer(method, number) if here else _NOT_FOUND % number.encode())
                    if method == "PLAY":
                        with Rtp(self.connection) as rtp:
                            play(next(connections), rtp)
                        return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{server.server_address[1]}{_NAME}"
        finally:
            server.shutdown()
            thread.join()


def _request(readline: Callable[[], bytes]) -> tuple[str, str, bool] | None:
    """Method and number of the next one, and whether it is for the stream; None when there is no more."""
    first, number = readline().decode().split(), "0"
    if not first:
        return None
    while line := readline().decode().strip():
        name, _, value = line.partition(":")
        if name.lower() == "cseq":
            number = value.strip()
    return first[0], number, _NAME in first[1]


def _answer(method: str, number: str) -> bytes:
    head = [f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1"]
    if method == "OPTIONS":
        head.append(f"Public: {_METHODS}")
    if method == "SETUP":
        head.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    body = _SDP if method == "DESCRIBE" else ""
    if body:
        head.append(f"Content-Type: application/sdp\r\nContent-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


class Rtp:
    """FFmpeg sends packets to a port of our own; from there they go into the connection, framed (RFC 2326, 10.12)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._packets.bind(("127.0.0.1", 0))
        self._packets.setblocking(False)
        self._output: av.container.OutputContainer | None = None
        self._size = (0, 0)
        self._count = self._next = 0

    def __enter__(self) -> Rtp:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._packets.close()

    def _end(self) -> None:
        if self._output:
            self._output.close()

    def send(self, image: Image) -> None:
        """One frame at the stream's rate; of another size than the last one, the codec begins anew within the stream."""
        self._connection.sendall(self._packed(image))
        time.sleep(1 / _RATE_FPS)

    def send_half(self, image: Image) -> None:
        """A frame whose end does not come."""
        packed = self._packed(image)
        self._connection.sendall(packed[: len(packed) // 2])

    def _packed(self, image: Image) -> bytes:
        """Its packets, each with the head that it has in the connection."""
        height, width = image.shape[:2]
        if (width, height) != self._size:
            self._begin(width, height)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        frame.pts = self._count
        self._count += 1
        assert self._output
        for packet in self._stream.encode(frame):
            self._output.mux(packet)
        packed = b""
        with suppress(BlockingIOError):
            while True:
                content = self._packets.recv(65536)
                packed += struct.pack(">cBH", b"$", 0, len(content)) + content
                self._next = int.from_bytes(content[2:4], "big") + 1 & 0xFFFF
        return packed

    def _begin(self, width: int, height: int) -> None:
        port = self._packets.getsockname()[1]
        self._end()
        # numbers and times of packets go on where another size begins
        options = {"ssrc": "1", "seq": str(self._next), "fflags": "bitexact"}
        self._output = av.open(
            f"rtp://127.0.0.1:{port}?rtcpport={port + 1}", "w", format="rtp", options=options
        )
        self._stream = self._output.add_stream("libx264", rate=_RATE_FPS)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        # without looking ahead, and with a whole picture four times a second
        self._stream.options = {"tune": "zerolatency", "preset": "ultrafast", "g": "6"}
        self._size = (width, height)
