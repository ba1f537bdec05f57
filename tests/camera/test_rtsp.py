"""Cameras on the network, through the RTSP client that FFmpeg has, against a server of our own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from edgekit.camera.opening import open_source
from edgekit.camera.synthetic import draw_scene
from edgekit.errors import CameraError
from tests.camera.making import drain, scenes
from tests.camera.rtsp import Rtp, rtsp_server
from tests.camera.test_command import edgekit

SIZE = (320, 240)


def test_every_frame_comes_and_is_the_one_that_was_sent() -> None:
    def play(connection: int, rtp: Rtp) -> None:
        for index in range(200):
            rtp.send(draw_scene(SIZE, index))

    with rtsp_server(play) as url:
        source = open_source(url)
        frames = [source.read() for _ in range(40)]
        source.close()
    assert getattr(source, "rate_fps", None) == 25
    sent = scenes(41, SIZE)
    for index, frame in enumerate(frames):
        assert frame
        losses = [abs(frame.image.astype(float) - image).mean() for image in sent]
        # what H.264 takes from a frame is less than what moves from one to the next
        assert losses[index] == min(losses)


def test_one_that_breaks_off_is_connected_again_and_the_gap_told(classifier: Path, tmp_path: Path) -> None:
    def play(connection: int, rtp: Rtp) -> None:
        for index in range(60 if connection == 0 else 1000):
            rtp.send(draw_scene(SIZE, index))

    with rtsp_server(play) as url:
        words = ("--source", url, "--frames", "90", "--events", "seen.jsonl", "--json")
        done = edgekit("camera", "run", classifier, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    # what came while the connection was looked at comes all at once, and the newest wins
    assert summary["captured"] == summary["frames"] + summary["dropped"] == 90
    assert len((tmp_path / "seen.jsonl").read_text().splitlines()) == summary["frames"]
    (gap_s,) = summary["gaps_s"]
    assert 0.25 <= gap_s < 20


def test_one_that_stalls_in_the_middle_of_a_frame_ends_with_a_line() -> None:
    def play(connection: int, rtp: Rtp) -> None:
        if connection == 0:
            for index in range(60):
                rtp.send(draw_scene(SIZE, index))
            rtp.send_half(draw_scene(SIZE, 60))
        time.sleep(60)

    with rtsp_server(play) as url:
        source = open_source(url, timeout_s=4)
        started_s = time.perf_counter()
        with pytest.raises(CameraError, match=r"no frame for .* connecting again did not help"):
            drain(source)
    assert source.patience_s
    # the frames before it, and what is waited for in all
    assert time.perf_counter() - started_s < 3 + source.patience_s + 10


def test_frames_of_another_size_are_scaled_to_the_first_ones() -> None:
    def play(connection: int, rtp: Rtp) -> None:
        for index in range(1000):
            rtp.send(draw_scene(SIZE if index < 60 else (640, 480), index))

    with rtsp_server(play) as url:
        source = open_source(url)
        frames = [source.read() for _ in range(90)]
        source.close()
    assert source.gaps == ()
    assert {frame.image.shape for frame in frames if frame} == {(240, 320, 3)}
    last = frames[-1]
    assert last
    # the picture goes on, and is not the last one of the old size
    assert abs(last.image.astype(float) - draw_scene(SIZE, 59)).mean() > 1


def test_a_name_that_the_server_does_not_have_is_one_line_without_the_password() -> None:
    with rtsp_server(lambda connection, rtp: None) as url:
        address = url.replace("//", "//user:secret@").replace("door", "garden")
        with pytest.raises(CameraError, match="no stream: nothing answers there within") as caught:
            open_source(address, timeout_s=3)
    assert "secret" not in str(caught.value)
