"""Short real clips and streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from edgekit.camera.frames import Source
from edgekit.camera.synthetic import draw_scene
from edgekit.contracts.types import Image
from edgekit.data.capture import quiet

Send = Callable[[Image], None]


def scenes(count: int, size: tuple[int, int] = (160, 120)) -> list[Image]:
    return [draw_scene(size, index) for index in range(count)]


def write_clip(path: Path, images: Sequence[Image], fps: float = 20.0) -> Path:
    """Motion JPEG in .avi, MPEG-4 in .mp4."""
    quiet()
    code = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), code, fps, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


def drain(source: Source, most: int = 1000) -> int:
    """Read until the end, an error, or ``most`` frames; how many there were."""
    return next((index for index in range(most) if source.read() is None), most)


def moving_crop(photo: Image, count: int, size: tuple[int, int]) -> list[Image]:
    """What a camera sees that pans over a photograph; ``size`` is (width, height), smaller than the photo."""
    height, width = photo.shape[:2]
    frames = []
    for index in range(count):
        share = index / max(1, count - 1)
        left, top = round((width - size[0]) * share), round((height - size[1]) * share / 2)
        frames.append(photo[top : top + size[1], left : left + size[0]].copy())
    return frames


@contextmanager
def mjpeg_server(serve: Callable[[int, Send], None]) -> Iterator[str]:
    """The address of a Motion JPEG stream; ``serve(n, send)`` is what the n-th connection gets."""
    connections = iter(range(10**6))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()

            def send(image: Image) -> None:
                content = cv2.imencode(".jpg", image)[1].tobytes()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content)
                self.wfile.write(head + content + b"\r\n")
                time.sleep(0.02)

            try:
                serve(next(connections), send)
            except OSError:  # the reader has gone
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream"
    finally:
        server.shutdown()
        server.server_close()
