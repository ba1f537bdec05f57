"""``edgekit camera run`` and ``replay`` from the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from edgekit.camera.opening import open_stored
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo.store import resolve
from tests.camera.conftest import zoo_bundle
from tests.camera.making import Send, mjpeg_server, moving_crop, scenes, write_clip
from tests.cli import running

EDGEKIT = Path(sys.executable).with_name("edgekit")
MODELS = {
    "blazeface": ("face-00.jpg", "boxes"),
    "yolov3-tiny": ("astronaut-5.jpg", "boxes"),
    "efficientnet-lite0": ("coffee-0.jpg", "classes"),
    "selfie-segmentation": ("astronaut-0.jpg", "segments"),
    "ppocrv4-det": (None, "regions"),
    "blazepose-lite": ("astronaut-00.jpg", "poses"),
}


def camera(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return edgekit("camera", *words, cwd=cwd)


def edgekit(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As the command answers, in this process: importing a runtime for each would be most of the tests' time."""
    return running.edgekit(cwd, *words)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.network
@pytest.mark.parametrize("model", MODELS)
def test_each_task_is_answered_drawn_and_repeats_itself(model: str, tmp_path: Path) -> None:
    bundle = zoo_bundle(model, tmp_path)
    folder, (name, kind) = resolve(model).parent / "eval", MODELS[model]
    photo = read_image(folder / name if name else find_images(folder)[0])
    width, height = photo.shape[1] * 9 // 10 // 2 * 2, photo.shape[0] * 9 // 10 // 2 * 2
    write_clip(tmp_path / "clip.mp4", moving_crop(photo, 5, (width, height)))
    words = ("run", bundle, "--source", "clip.mp4", "--events", "run.jsonl", "--out", "shown.avi", "--json")
    done = camera(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["frames"], facts["dropped"], facts["live"]) == (5, 0, False)
    assert facts["sizes"] == [{"frame": 0, "width": width, "height": height}]
    assert facts["age_ms"]["p50"] > 0
    seen = events(tmp_path / "run.jsonl")
    assert [event["frame"] for event in seen] == list(range(5))
    assert all(event[kind] for event in seen)
    # the annotated clip differs from the plain one on every frame
    pairs = list(zip(*(frames(tmp_path / clip) for clip in ("clip.mp4", "shown.avi")), strict=True))
    assert len(pairs) == 5
    assert all(cv2.absdiff(plain, shown).max() > 100 for plain, shown in pairs)
    done = camera("replay", "clip.mp4", "--bundle", bundle, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip.jsonl").read_bytes() == (tmp_path / "run.jsonl").read_bytes()
    done = camera("replay", "clip.mp4", "--bundle", bundle, "--expect", "clip.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "5 frames of clip.mp4: as in clip.jsonl\n")


def frames(path: Path) -> list[np.ndarray[Any, Any]]:
    return [frame.image for frame in iter(open_stored(path).read, None)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi", scenes(10, (64, 64)))


SCENE = """
[[lines]]
name = "door"
points = [[0.5, 1], [0.5, 0]]

[[zones]]
name = "left"
points = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
dwell_s = 0.2

[[zones]]
name = "cars"
points = [[0, 0], [1, 0], [1, 1], [0, 1]]
labels = ["car"]
"""


@pytest.mark.network
def test_a_face_is_followed_over_a_scene(blazeface: Path, tmp_path: Path) -> None:
    """The camera pans to the right over a face, which goes from the right half of the picture to the left one."""
    photo = read_image(resolve("blazeface").parent / "eval/face-00.jpg")
    write_clip(tmp_path / "clip.mp4", moving_crop(photo, 30, (288, 432)))
    (tmp_path / "scene.toml").write_text(SCENE)
    words = ("run", blazeface, "--source", "clip.mp4", "--scene", "scene.toml", "--events", "e.jsonl")
    done = camera(*words, "--out", "shown.mp4", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"] == {
        "door": {"in": 0, "out": 1},
        "left": {"entered": 1, "left": 0, "dwelt": 1, "inside": 1},
        "cars": {"entered": 0, "left": 0, "dwelt": 0, "inside": 0},
    }
    seen = events(tmp_path / "e.jsonl")
    assert {box.get("track") for event in seen[1:] for box in event["boxes"]} == {0}
    happenings = [(event["frame"], item) for event in seen for item in event.get("happenings", ())]
    assert [item["event"] for _, item in happenings] == ["crossed", "entered", "dwelt"]
    middle = {event["frame"]: sum(event["boxes"][0]["box"][::2]) / 2 for event in seen}
    crossed = happenings[0][0]
    assert middle[crossed - 2] > 144 > middle[crossed]
    done = camera(
        "replay", "clip.mp4", "-b", blazeface, "--scene", "scene.toml", "--expect", "e.jsonl", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    done = camera("replay", "clip.mp4", "-b", blazeface, "--track", "--expect", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "happenings: nothing found" in done.stderr


def test_what_cannot_be_followed_is_said(classifier: Path, clip: Path, tmp_path: Path) -> None:
    done = camera("run", classifier, "--source", clip, "--track", cwd=tmp_path)
    assert done.returncode == 1
    assert "a bundle of task 'image-classification' finds nothing to follow" in done.stderr


def test_a_replay_ends_with_1_at_the_first_difference(classifier: Path, clip: Path, tmp_path: Path) -> None:
    assert camera("replay", clip, "-b", classifier, "-o", "e.jsonl", cwd=tmp_path).returncode == 0
    lines = (tmp_path / "e.jsonl").read_text().splitlines()
    assert len(lines) == 10
    event = json.loads(lines[6])
    event["classes"][0]["score"] = 2.0
    lines[6] = json.dumps(event, sort_keys=True, separators=(",", ":"))
    (tmp_path / "e.jsonl").write_text("\n".join(lines) + "\n")
    done = camera("replay", clip, "-b", classifier, "--expect", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "clip.avi: not as in e.jsonl: frame 6: classes[0].score: " in done.stderr
    assert "found, 2.0 expected" in done.stderr
    assert done.stderr.count("\n") == 1
    facts = json.loads(
        camera("replay", clip, "-b", classifier, "--expect", "e.jsonl", "--json", cwd=tmp_path).stdout
    )
    assert facts["same"] is False
    assert facts["difference"].startswith("frame 6: ")


@pytest.mark.parametrize(("kept", "told"), [(12, "frame 10: expected, but"), (8, "frame 8: not expected")])
def test_a_clip_of_another_length_is_different(
    classifier: Path, clip: Path, tmp_path: Path, kept: int, told: str
) -> None:
    assert camera("replay", clip, "-b", classifier, "-o", "e.jsonl", cwd=tmp_path).returncode == 0
    lines = (tmp_path / "e.jsonl").read_text().splitlines()
    lines = (lines + [json.dumps({"frame": index}) for index in (10, 11)])[:kept]
    (tmp_path / "e.jsonl").write_text("\n".join(lines) + "\n")
    done = camera("replay", clip, "-b", classifier, "--expect", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr


def test_events_that_are_there_are_not_replaced_unasked(classifier: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.jsonl").write_text("mine")
    done = camera("replay", clip, "-b", classifier, cwd=tmp_path)
    assert done.returncode == 1
    assert "clip.jsonl: is there already; compare with --expect clip.jsonl" in done.stderr
    assert (tmp_path / "clip.jsonl").read_text() == "mine"
    assert camera("replay", clip, "-b", classifier, "--force", cwd=tmp_path).returncode == 0
    assert len(events(tmp_path / "clip.jsonl")) == 10


def test_events_go_to_stdout_and_the_summary_beside_it(classifier: Path, clip: Path, tmp_path: Path) -> None:
    done = camera("run", classifier, "--source", clip, "--events", "-", cwd=tmp_path)
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == list(range(10))
    assert done.stderr.startswith("10 frames (64x64), 0 dropped, ")


def test_the_table_fits(classifier: Path, clip: Path, tmp_path: Path) -> None:
    done = camera("run", classifier, "--source", clip, cwd=tmp_path)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 100
    for stage in ("capture", "preprocess", "inference", "postprocess", "output", "age at output"):
        assert stage in done.stdout


def test_in_real_time_a_clip_takes_as_long_as_it_is(classifier: Path, clip: Path, tmp_path: Path) -> None:
    words = ("run", classifier, "--source", clip, "--realtime", "--out", "shown.mp4", "--json")
    facts = json.loads(camera(*words, cwd=tmp_path).stdout)
    assert facts["live"] is True
    assert facts["captured"] == facts["frames"] + facts["dropped"] == 10
    # the last of ten frames at 20 a second
    assert facts["seconds"] >= 0.449
    # the last frame is never dropped, and earlier ones are shown until the next: the video is as long as the clip
    assert len(frames(tmp_path / "shown.mp4")) in (9, 10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_with_whole_files(classifier: Path, tmp_path: Path, number: int) -> None:
    words: list[str | Path] = [
        EDGEKIT,
        "camera",
        "run",
        classifier,
        "-s",
        "synthetic:64x64@40",
        "--events",
        "e.jsonl",
        "-o",
        "v.avi",
    ]
    with subprocess.Popen([*words, "--json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        path = tmp_path / "e.jsonl"
        for _ in range(600):
            if path.exists() and path.read_text().count("\n") > 3:
                break
            time.sleep(0.1)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    facts = json.loads(output)
    assert facts["frames"] == len(events(path)) > 3
    assert len(frames(tmp_path / "v.avi")) > 3


def test_an_interrupted_replay_writes_nothing(classifier: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "long.avi", scenes(4000, (64, 64)))
    words: list[str | Path] = [EDGEKIT, "camera", "replay", "long.avi", "-b", classifier]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        running = psutil.Process(process.pid)
        while not any(file.path.endswith("long.avi") for file in running.open_files()):
            assert process.poll() is None
            time.sleep(0.01)  # its frames take a second or more
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in said
    assert not (tmp_path / "long.jsonl").exists()


def test_a_stream_is_answered_and_its_gap_reported(classifier: Path, tmp_path: Path) -> None:
    def serve(connection: int, send: Send) -> None:
        for image in scenes(20 if connection == 0 else 2000, (64, 64)):
            send(image)

    with mjpeg_server(serve) as url:
        done = camera(
            "run", classifier, "--source", url, "--frames", "40", "--timeout", "5", "--json", cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["captured"] == 40
    assert len(facts["gaps_s"]) == 1
    assert "connected again after" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--source", "none.mp4"), 1, "none.mp4: no such file or folder"),
        (("--source", "98"), 1, "/dev/video98: no such camera"),
        (("--source", "clip.avi", "--out", "shown.gif"), 1, "shown.gif: a video is written as .avi or .mp4"),
        (("--source", "clip.avi", "--out", "no/shown.mp4"), 1, "no/shown.mp4: cannot be written"),
        (("--source", "clip.avi", "--events", "no/e.jsonl"), 1, "no/e.jsonl: cannot be written"),
        (("--source", "clip.avi", "--events", "-", "--json"), 2, "both write to stdout"),
    ],
)
def test_mistakes_are_one_line(
    classifier: Path, clip: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = camera("run", classifier, *words, cwd=tmp_path)
    assert done.returncode == code
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1
