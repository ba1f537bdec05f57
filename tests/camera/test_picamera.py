"""Cameras through picamera2. Its package is only on Raspberry Pis: a stand-in of its interface is all that runs here."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.camera.opening import is_stored, open_source
from edgekit.errors import CameraError


class StandIn:
    """As much of ``Picamera2`` 0.3 as is used."""

    in_use = False
    calls: tuple[str, ...] = ()

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [{"Model": "imx708", "Num": 0}]

    def __init__(self, number: int) -> None:
        if self.in_use:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.shown = number

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        assert not wanted["queue"]
        self.size = wanted["main"]["size"]

    def start(self) -> None:
        StandIn.calls += ("start",)

    def capture_array(self, name: str) -> Any:
        assert name == "main"
        return np.full((self.size[1], self.size[0], 3), 7, np.uint8)

    def stop(self) -> None:
        StandIn.calls += ("stop",)

    def close(self) -> None:
        StandIn.calls += ("close",)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=StandIn))
    monkeypatch.setattr(StandIn, "calls", ())


@pytest.mark.usefixtures("package")
def test_frames_are_counted_and_the_camera_let_go() -> None:
    source = open_source("picamera2")
    assert source.live
    frames = [source.read() for _ in range(3)]
    assert [frame.index for frame in frames if frame] == [0, 1, 2]
    assert frames[0]
    assert frames[0].image.shape == (720, 1280, 3)
    source.close()
    assert StandIn.calls == ("start", "stop", "close")


@pytest.mark.usefixtures("package")
def test_what_is_wrong_with_a_camera_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CameraError, match="picamera2:3: no such camera; libcamera knows: 0: imx708"):
        open_source("picamera2:3")
    with pytest.raises(CameraError, match="write picamera2, or picamera2:1"):
        open_source("picamera2:front")
    monkeypatch.setattr(StandIn, "in_use", True)
    with pytest.raises(CameraError, match="cannot be opened, is it in use"):
        open_source("picamera2")


def test_without_the_package_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match="sudo apt install python3-picamera2"):
        open_source("picamera2")
    assert not is_stored("picamera2:1")
