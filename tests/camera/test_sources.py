"""Frames from every kind of source, and one clear line where there are none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.camera.frames import Frame, Source
from edgekit.camera.live import V4l2Camera, why_no_frame
from edgekit.camera.opening import open_source
from edgekit.errors import CameraError, DataError
from tests.camera.making import Send, drain, mjpeg_server, scenes, write_clip


def read_all(source: Source) -> list[Frame]:
    frames = list(iter(source.read, None))
    source.close()
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_clip_gives_every_frame_in_order(tmp_path: Path, suffix: str) -> None:
    images = scenes(12)
    source = open_source(str(write_clip(tmp_path / f"clip{suffix}", images)))
    frames = read_all(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_ms for frame in frames] == pytest.approx([50.0 * i for i in range(12)])
    # lossy codecs: 4 grey levels in the mean, where neighbouring frames differ in whole shapes
    assert all(
        cv2.absdiff(frame.image, image).mean() < 4 for frame, image in zip(frames, images, strict=True)
    )
    assert not source.live


def test_a_folder_gives_its_images_by_name_whatever_their_size(tmp_path: Path) -> None:
    for name, size in (("b.png", (64, 48)), ("a.png", (32, 32))):
        cv2.imwrite(str(tmp_path / name), scenes(1, size)[0])
    frames = read_all(open_source(str(tmp_path)))
    assert [frame.image.shape[:2] for frame in frames] == [(32, 32), (48, 64)]
    assert [frame.time_ms for frame in frames] == [0.0, 1000.0]


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png"):
        open_source(str(tmp_path)).read()


def test_in_real_time_a_clip_takes_its_time(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "clip.avi", scenes(8))), realtime=True)
    frames = read_all(source)
    assert source.live
    # the last of 8 frames at 20 a second is due after 350 ms; never before, whatever the machine does
    assert frames[-1].captured_s - frames[0].captured_s >= 0.349


def test_synthetic_frames_are_the_same_every_time_and_move() -> None:
    first, second = (open_source("synthetic:96x64@200") for _ in range(2))
    frames = [source.read() for source in (first, first, second)]
    images = [frame.image for frame in frames if frame]
    assert images[0].shape == (64, 96, 3)
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])


def test_closing_ends_a_read_that_waits() -> None:
    source = open_source("synthetic:32x32@0.01")
    assert source.read()
    threading.Timer(0.05, source.close).start()
    started = time.perf_counter()
    assert source.read() is None
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("spec", ["synthetic:640", "synthetic:8x8@30", "synthetic:640x480@0", "synthetic:"])
def test_a_scene_that_cannot_be_drawn_shows_the_form(spec: str) -> None:
    with pytest.raises(CameraError, match="write synthetic:WIDTHxHEIGHT@FPS"):
        open_source(spec)


def test_what_is_nothing_lists_what_a_source_is() -> None:
    with pytest.raises(CameraError, match="no such file or folder; a source is a video file"):
        open_source("nothing.mp4")


@pytest.mark.parametrize("content", [b"", b"this is no video" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_video_is_one_line(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"clip\.mp4: no video that can be read, or damaged") as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_half_an_mp4_is_refused_and_half_an_avi_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    for suffix in (".mp4", ".avi"):
        path = write_clip(tmp_path / f"clip{suffix}", scenes(30))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CameraError, match="damaged"):
        open_source(str(tmp_path / "clip.mp4"))
    source = open_source(str(tmp_path / "clip.avi"))
    with pytest.raises(CameraError, match=r"clip\.avi: damaged: \d+ of its 30 frames") as caught:
        drain(source)
    assert 5 < int(str(caught.value).split()[2]) < 25


@pytest.mark.parametrize("spec", ["97", "/dev/video97"])
def test_no_camera_says_which_there_are(spec: str) -> None:
    with pytest.raises(CameraError, match=r"/dev/video97: no such camera; (there are|this machine has none)"):
        open_source(spec)


def test_what_is_no_camera_gives_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_bytes(b"")
    with pytest.raises(CameraError, match="video0: gives no frame: in use by another program, or"):
        V4l2Camera(path)


def test_who_holds_a_camera_is_named(tmp_path: Path) -> None:
    """A file stands for the device: /proc shows both alike."""
    path = tmp_path / "video0"
    path.touch()
    script = "import sys; held = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert f"(process {holder.pid}); end that first" in why_no_frame(path)
        assert holder.stdin
        holder.stdin.close()


def test_a_stream_that_breaks_off_is_connected_again_and_the_gap_told() -> None:
    def serve(connection: int, send: Send) -> None:
        for image in scenes(15 if connection == 0 else 500):
            send(image)

    with mjpeg_server(serve) as url:
        source = open_source(url, timeout_s=5)
        frames = [source.read() for _ in range(25)]
        source.close()
    assert [frame.index for frame in frames if frame] == list(range(25))
    assert len(source.gaps) == 1
    # at least the first pause
    assert 0.25 <= source.gaps[0] < 10
    assert source.live


def test_a_stream_that_stalls_ends_with_a_line_and_does_not_hang() -> None:
    def serve(connection: int, send: Send) -> None:
        for image in scenes(15 if connection == 0 else 0):
            send(image)
        time.sleep(20)

    with mjpeg_server(serve) as url:
        source = open_source(url, timeout_s=1)
        started = time.perf_counter()
        with pytest.raises(CameraError, match=r"no frame for .* connecting again did not help"):
            drain(source)
    assert source.patience_s
    assert time.perf_counter() - started < source.patience_s + 5


def test_nobody_at_the_address_is_one_line_without_the_password() -> None:
    with pytest.raises(CameraError, match="no stream: nothing answers there") as caught:
        open_source("http://user:secret@127.0.0.1:9/stream", timeout_s=1)
    assert "secret" not in str(caught.value)
