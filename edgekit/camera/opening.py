"""From what the user wrote to a source of frames."""

from __future__ import annotations

from pathlib import Path

from edgekit.camera.clips import Clip, Folder, RealTime
from edgekit.camera.frames import Source
from edgekit.camera.live import SCHEMES, TIMEOUT_S, Stream, V4l2Camera
from edgekit.camera.picamera import PREFIX as PICAMERA
from edgekit.camera.picamera import PiCamera
from edgekit.camera.synthetic import PREFIX, Synthetic
from edgekit.errors import CameraError


def open_source(spec: str, *, realtime: bool = False, timeout_s: float = TIMEOUT_S) -> Source:
    """A camera (a number, ``/dev/videoN``, ``picamera2``), an rtsp or http address, ``synthetic:WxH@FPS``, a video file
    or a folder of images.

    ``realtime``: play a file or folder at its own rate. ``timeout_s``: longest wait for a frame of a camera or stream.
    CameraError where it gives no frames.
    """
    if is_stored(spec):
        source = _stored(spec)
        return RealTime(source) if realtime else source
    if spec.startswith(PREFIX):
        return Synthetic(spec)
    if spec.startswith(PICAMERA):
        return PiCamera(spec, timeout_s)
    if spec.startswith(SCHEMES):
        return Stream(spec, timeout_s)
    return V4l2Camera(Path(f"/dev/video{spec}" if spec.isdecimal() else spec), timeout_s)


def is_stored(spec: str) -> bool:
    """Whether a file or folder is meant, be it there or not."""
    return not (spec.startswith((PREFIX, PICAMERA, "/dev/", *SCHEMES)) or spec.isdecimal())


def open_stored(path: Path) -> Source:
    """A video file or folder of images, every frame in order; CameraError for anything else."""
    return _stored(str(path))


def _stored(spec: str) -> Source:
    path = Path(spec)
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Clip(path)
    raise CameraError(
        f"{spec}: no such file or folder; a source is a video file, a folder of images, a camera (0 or "
        "/dev/video0), an rtsp:// or http:// address, or synthetic:640x480@30"
    )
