"""The live page over HTTP: figures, frames for slow and fast viewers, and an end that waits for none."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import cv2
import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgekit.camera.serving.metrics import metrics_text
from edgekit.camera.serving.requests import Requests
from edgekit.data.images import read_image
from edgekit.errors import CameraError
from edgekit.models.zoo.store import resolve
from tests.camera.making import moving_crop, write_clip
from tests.camera.serving import PATIENCE_S, Repeated, Served, served, wait_for
from tests.camera.test_command import EDGEKIT, SCENE, camera

SYNTHETIC = "synthetic:640x480@40"


def face_camera(folder: Path) -> Repeated:
    """Pans over a photograph with a face, there and back."""
    photo = read_image(resolve("blazeface").parent / "eval/face-00.jpg")
    there = moving_crop(photo, 20, (288, 432))
    return Repeated(write_clip(folder / "face.mp4", [*there, *reversed(there)]), 20.0)


@pytest.mark.network
def test_figures_are_the_pipelines(blazeface: Path, tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_text(SCENE)
    with served(blazeface, face_camera(tmp_path), scene=tmp_path / "scene.toml") as site:
        wait_for(lambda: site.ask("/facts").json()["counts"]["left"]["entered"])
        before = site.pipeline.put_out
        time.sleep(1)  # facts are gathered once a second at most
        facts, text = wait_for(lambda: _at_one_time(site))
        after = site.pipeline.put_out
    assert before <= facts["answered"] <= after
    assert facts["answered"] + facts["dropped"] <= facts["captured"]
    assert facts["size"] == {"width": 288, "height": 432}
    assert facts["source"] == "face.mp4"
    assert 0 < facts["frames_per_s"] < 30
    assert facts["age_ms"]["p50"] > facts["stages_ms"]["inference"]["p50"] > 0
    assert facts["resident_bytes"] > 50 * 2**20
    assert {"entered", "crossed"} <= {item["event"] for item in facts["happenings"]}
    assert facts["happenings"][-1]["at_s"] == pytest.approx(time.time(), abs=PATIENCE_S)

    def sample(family: str, suffix: str = "", **labels: str) -> float:
        name = families[family].name + suffix
        return next(
            one.value for one in families[family].samples if one.name == name and one.labels == labels
        )

    # the same facts, in base units
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert sample("edgekit_camera_answered_frames", "_total") == facts["answered"]
    assert sample("edgekit_camera_captured_frames", "_total") == facts["captured"]
    assert sample("edgekit_camera_dropped_frames", "_total") == facts["dropped"]
    assert sample("edgekit_camera_age_seconds", quantile="0.5") == facts["age_ms"]["p50"] / 1000
    inference = facts["totals"]["inference"]
    assert sample("edgekit_camera_stage_seconds", "_count", stage="inference") == inference["samples"]
    assert sample("edgekit_camera_stage_seconds", "_sum", stage="inference") == inference["seconds"]
    assert sample("process_resident_memory_bytes") == facts["resident_bytes"]
    door, left = facts["counts"]["door"], facts["counts"]["left"]
    assert sample("edgekit_camera_crossings", "_total", line="door", direction="out") == door["out"]
    assert sample("edgekit_camera_zone_events", "_total", zone="left", event="entered") == left["entered"]
    assert sample("edgekit_camera_zone_inside", zone="left") == left["inside"]
    kinds = {name: family.type for name, family in families.items()}
    assert kinds["edgekit_camera_answered_frames"] == "counter"
    assert kinds["edgekit_camera_stage_seconds"] == "summary"
    assert kinds["edgekit_camera_zone_inside"] == "gauge"


def _at_one_time(site: Served) -> tuple[dict[str, Any], str] | None:
    """Facts and metrics, where they were not gathered anew between the two."""
    facts, text = site.ask("/facts").json(), site.ask("/metrics").body.decode()
    return (facts, text) if site.ask("/facts").json() == facts else None


def test_labels_and_sensors_stand_in_the_metrics_as_they_are_named() -> None:
    nothing = {"samples": 0, "seconds": 0.0}
    name = 'the "back\\slash"\ndoor'
    text = metrics_text(
        {
            "captured": 0, "answered": 0, "dropped": 0, "age_ms": None, "stages_ms": {"capture": None},
            "totals": {"age": nothing, "capture": nothing}, "gaps": {"count": 2, "seconds": 1.5},
            "counts": {name: {"in": 1, "out": 2}}, "resident_bytes": 1, "rung": None,
            "temperatures": [{"zone": 0, "kind": "cpu-thermal", "celsius": 51.5}],
            "bundle": "b", "task": "t", "runtime": "r", "source": "s",
        }
    )  # fmt: skip
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    found = {(one.name, *one.labels.values()): one.value for one in samples}
    assert found["edgekit_camera_crossings_total", name, "out"] == 2
    assert found["edgekit_camera_temperature_celsius", "0", "cpu-thermal"] == 51.5
    assert found["edgekit_camera_gap_seconds_total",] == 1.5
    assert not any(one.name.endswith("_seconds") for one in samples), "no quantiles of nothing"


def test_the_rung_of_the_ladder_is_told(classifier: Path) -> None:
    with served(classifier, SYNTHETIC, rung=1) as site:
        rung, text = site.ask("/facts").json()["rung"], site.ask("/metrics").body.decode()
    assert rung == {"number": 1, "way": f"{classifier.name}, 1 frame in 2"}
    assert "\nedgekit_camera_rung 1\n" in text
    with served(classifier, SYNTHETIC) as site:
        assert site.ask("/facts").json()["rung"] is None
        assert "edgekit_camera_rung" not in site.ask("/metrics").body.decode()


def test_nothing_is_encoded_for_nobody_and_each_frame_once_for_all(classifier: Path) -> None:
    with served(classifier, SYNTHETIC) as site:
        screen = site.page.screen
        wait_for(lambda: site.pipeline.put_out > 20)
        assert screen.encoded == 0
        numbers: list[list[int]] = [[], [], []]

        def view(seen: list[int]) -> None:
            while len(seen) < 12:
                reply = site.ask(f"/frame.jpg?after={seen[-1] if seen else 0}")
                image = cv2.imdecode(np.frombuffer(reply.body, np.uint8), cv2.IMREAD_COLOR)
                assert image is not None
                assert image.shape == (480, 640, 3)
                seen.append(int(reply.headers["X-Frame"]))

        viewers = [threading.Thread(target=view, args=(seen,)) for seen in numbers]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join(PATIENCE_S)
        different = {number for seen in numbers for number in seen}
        assert all(len(seen) == 12 and seen == sorted(set(seen)) for seen in numbers), "newer each time"
        assert screen.encoded == len(different)
        # of a frame that an earlier run counted
        assert site.ask("/frame.jpg?after=123456789").status == 200
        assert site.ask("/frame.jpg?after=-1").status == 400


def test_a_viewer_that_stalls_slows_nobody_and_is_let_go(
    classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Requests, "timeout", 1.5)
    with served(classifier, SYNTHETIC) as site:
        stalled = [_open_stream(site) for _ in range(4)]
        try:
            wait_for(lambda: site.page.screen.encoded > 3)
            resident = psutil.Process().memory_info().rss
            before = site.pipeline.put_out
            # somebody else looks, and gets new frames all the while
            numbers = [int(site.ask("/frame.jpg?after=0").headers["X-Frame"])]
            while site.pipeline.put_out < before + 80:
                reply = site.ask(f"/frame.jpg?after={numbers[-1]}")
                numbers.append(int(reply.headers["X-Frame"]))
            assert numbers[-1] > before + 70
            # a frame is 0.9 MB; had each been kept for each viewer, it were 288 MB
            assert psutil.Process().memory_info().rss - resident < 60 * 2**20
            output = site.pipeline.times.stages_ms()["output"]
            # to hand over a reference; a viewer that is waited for costs its time-out of 1500 ms
            assert output is not None
            assert float(output["mean"] or 0) < 50
            wait_for(lambda: site.page.connections == 0)
        finally:
            for one in stalled:
                one.close()


def _open_stream(site: Served) -> socket.socket:
    """A viewer that asks and never reads, with as little room as the kernel grants."""
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    viewer.connect(("127.0.0.1", site.port))
    viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return viewer


def test_players_read_the_stream(classifier: Path) -> None:
    with served(classifier, SYNTHETIC) as site:
        capture = cv2.VideoCapture(f"{site.url}stream.mjpg", cv2.CAP_FFMPEG)
        images = [capture.read() for _ in range(5)]
        capture.release()
        assert all(ok and image.shape == (480, 640, 3) for ok, image in images)
        assert any((images[0][1] != image).any() for _, image in images[1:]), "it moves"
        wait_for(lambda: site.page.connections == 0)


def test_more_viewers_than_there_is_room_for_are_told(classifier: Path) -> None:
    with served(classifier, SYNTHETIC) as site:
        idle = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(32)]
        try:
            wait_for(lambda: site.page.connections == 32)
            assert site.ask("/facts").status == 503
        finally:
            for one in idle:
                one.close()
        wait_for(lambda: site.page.connections == 0)
        assert site.ask("/facts").status == 200


def test_a_port_in_use_is_one_line(classifier: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(CameraError, match=f"port {port} of 127.0.0.1 is in use"),
            served(classifier, SYNTHETIC, serve=str(port)),
        ):
            pass


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--serve", "web"), 1, "--serve web: is no [HOST:]PORT, such as 8080"),
        (("--serve", "203.0.113.7:0"), 1, "this machine does not have that address"),
        (("--serve", "0", "--edit"), 2, "--edit is for the page of --serve, and writes the file of --scene"),
        (("--scene", "scene.toml", "--edit"), 2, "--edit is for the page of --serve"),
        (("--serve", "0", "--scene", "scene.toml"), 1, "scene.toml: cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_line(
    classifier: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = camera("run", classifier, "--source", SYNTHETIC, *words, cwd=tmp_path)
    assert done.returncode == code
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert code == 2 or done.stderr.count("\n") == 1


@pytest.mark.network
def test_the_command_serves_until_it_ends(blazeface: Path, tmp_path: Path) -> None:
    """With a scene that is not there yet: the page may draw it."""
    words = ("--source", "synthetic:64x64@20", "--frames", "5", "--serve", "0", "--scene", "s.toml", "--edit")
    done = camera("run", blazeface, *words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    url = done.stderr.strip().removeprefix("live page: ")
    assert url.startswith("http://127.0.0.1:")
    assert "token" not in url, "only programs of this machine reach it"
    with pytest.raises(URLError, match="refused"):
        urlopen(url)


def test_the_end_cuts_every_connection(classifier: Path) -> None:
    with served(classifier, SYNTHETIC) as site:
        viewers = [_open_stream(site), socket.create_connection(("127.0.0.1", site.port))]
        viewers[1].sendall(b"GET /fr")
        wait_for(lambda: site.page.screen.encoded > 3 and site.page.connections == 2)
    # one thread waits to send, the other for the rest of a request, each for 10 s more if it were let
    assert site.page.connections == 0
    for viewer in viewers:
        viewer.close()


def test_a_signal_ends_a_run_at_once_with_viewers(classifier: Path, tmp_path: Path) -> None:
    words = map(str, [EDGEKIT, "camera", "run", classifier, "-s", SYNTHETIC, "--serve", "0", "--json"])
    with subprocess.Popen(
        list(words), cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told.startswith("live page: http://127.0.0.1:")
        port = int(told.rpartition(":")[2].strip(" /\n"))
        viewers = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        viewers[0].sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        viewers[1].sendall(b"GET /frame.jpg?after=0 HTTP/1.1\r\nHost: local")
        assert viewers[0].recv(1000).startswith(b"HTTP/1.1 200")
        process.send_signal(signal.SIGTERM)
        started_s = time.monotonic()
        output, said = process.communicate(timeout=PATIENCE_S)
        took_s = time.monotonic() - started_s
        for viewer in viewers:
            viewer.close()
    assert process.returncode == 0, said
    assert '"frames"' in output
    assert "Traceback" not in said
    # closing a runtime and Python take part of a second here; a connection's patience is 10 s
    assert took_s < 5
