"""People found by one bundle, their poses by another: cut out as squares, points back on the frame, the largest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgekit
from edgekit.camera.answering import open_bundle
from edgekit.camera.posing import ENLARGED, square
from edgekit.camera.replaying import replay
from edgekit.camera.second import SecondStage, open_second
from edgekit.camera.work import Work
from edgekit.contracts import Box, Boxes, Poses
from edgekit.contracts.types import Image
from edgekit.errors import BundleError, CameraError
from tests.camera.bundles import bundle_of
from tests.camera.making import write_clip
from tests.camera.people import FRAME, Person, detector, pose_finder, scene
from tests.camera.test_command import camera, events, frames
from tests.camera.test_command import edgekit as edgekit_command
from tests.conversion import red

HERE = [
    Person((2, 3)),
    Person((0, 0), light=(20, 12)),
    Person((7, 7), light=(10, 20)),
    Person((0, 5), light=(24, 24)),
]
"""In the middle, at two corners and at an edge: their squares go beyond the frame."""


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return detector(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="module")
def poser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pose_finder(tmp_path_factory.mktemp("pose"))


def posing(finder: Path, poser: Path, **options: Any) -> SecondStage:
    return SecondStage(open_second(open_bundle(finder, threads=1), poser, threads=1, **options))


def found(finder: Path, image: Image) -> Boxes:
    boxes = open_bundle(finder, threads=1).answer(image)
    assert isinstance(boxes, Boxes)
    return boxes


def written(folder: Path, *images: Image) -> Path:
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:02d}.png"), image)
    return folder


def lights(boxes: Boxes) -> dict[tuple[int, int], tuple[float, float]]:
    """Of each box with a pose, by the cell that its middle is in, the place of its light."""
    places = {}
    for box in boxes.boxes:
        if box.pose:
            cell = (int((box.left + box.right) / 2) // 32, int((box.top + box.bottom) / 2) // 32)
            point = {point.name: point for point in box.pose.points}["light"]
            places[cell] = (point.x, point.y)
    return places


def test_several_frames_at_once_have_the_same_poses_and_count_all(
    finder: Path, poser: Path, tmp_path: Path
) -> None:
    scenes = [scene(*HERE[: 1 + index % 4]) for index in range(24)]
    folder = written(tmp_path / "in", *scenes)
    lines, facts = [], []
    for inferences in (1, 3):
        done = replay(folder, Work(bundle=finder, then=poser, then_most=2, inferences=inferences))
        lines.append(done.lines)
        facts.append(done.facts["then"])
    assert lines[0] == lines[1]
    assert facts[0] == facts[1]
    # of 1, 2, 3 and 4 people six times each
    assert (facts[0]["asked"], facts[0]["left_out"]) == (42, 18)


def test_the_pipeline_is_profiled_with_both_bundles(finder: Path, poser: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.avi", [scene(*HERE)] * 12)
    words = ("profile", finder, "--pipeline", clip, "--duration", "0.5", "--inferences", "2", "--json")
    alone, both = (
        json.loads(edgekit_command(*words, *more, cwd=tmp_path).stdout)["pipelines"][0]
        for more in ((), ("--then", poser))
    )
    assert (alone["then"], both["then"]) == (None, str(poser))
    assert both["inferences"] == both["context"]["inferences"] == 2
    # four poses are asked for on each frame, and each costs more than decoding it
    assert both["stages_ms"]["postprocess"] > 2 * alone["stages_ms"]["postprocess"]
    refused = edgekit_command("profile", finder, "--pipeline", clip, "--then", finder, cwd=tmp_path)
    assert refused.returncode == 1
    assert "one of text-recognition, pose-estimation is wanted" in refused.stderr


def test_points_stand_on_the_frame_where_the_light_is(finder: Path, poser: Path, tmp_path: Path) -> None:
    (seen,) = edgekit.camera(finder, str(written(tmp_path / "in", scene(*HERE))), then=poser)
    assert isinstance(seen.prediction, Boxes)
    found_at = lights(seen.prediction)
    assert set(found_at) == {person.cell for person in HERE}
    for person in HERE:
        # a pixel of the pose's input is up to 3 of the frame
        assert found_at[person.cell] == pytest.approx(person.place, abs=1.5), person


def test_without_the_second_bundle_there_are_boxes_alone(finder: Path, tmp_path: Path) -> None:
    (seen,) = edgekit.camera(finder, str(written(tmp_path / "in", scene(*HERE))))
    assert isinstance(seen.prediction, Boxes)
    assert [box.pose for box in seen.prediction.boxes] == [None] * 4


def test_only_people_are_asked_about(finder: Path, poser: Path) -> None:
    image = scene(Person((1, 1)), Person((5, 1), car=True), Person((3, 5), light=None))
    stage = posing(finder, poser)
    answer = stage.answer(image, found(finder, image))
    assert isinstance(answer, Boxes)
    assert sorted(box.label for box in answer.boxes) == ["car", "person", "person"]
    # the third is a person on whom there is nothing to be found
    assert set(lights(answer)) == {(1, 1)}
    assert (stage.facts()["asked"], stage.facts()["left_out"]) == (2, 0)


def test_the_largest_are_asked_about_and_the_rest_is_counted(finder: Path, poser: Path) -> None:
    people = [Person((1, 1), green=150), Person((5, 1), green=250), Person((1, 5), green=200)]
    image = scene(*people)
    stage = posing(finder, poser, most=2)
    boxes = found(finder, image)
    for _ in range(2):
        answer = stage.answer(image, boxes)
        assert isinstance(answer, Boxes)
        assert set(lights(answer)) == {(5, 1), (1, 5)}
        assert len(answer.boxes) == 3
    facts = {"bundle": str(poser), "task": "pose-estimation", "most": 2, "asked": 4, "left_out": 2}
    assert stage.facts() == facts


def test_a_larger_square_holds_what_is_beside_the_box(finder: Path, poser: Path) -> None:
    """The light is half a box below its box, as legs are that a detector leaves out."""
    image = scene(Person((3, 3), light=None))
    image[176:192, 104:120, 2] = 255
    boxes = found(finder, image)
    near, far = (
        posing(finder, poser).answer(image, boxes),
        posing(finder, poser, enlarge=3).answer(image, boxes),
    )
    assert isinstance(near, Boxes)
    assert isinstance(far, Boxes)
    assert lights(near) == {}
    # a pixel of the pose's input is 7 of the frame
    assert lights(far)[3, 3] == pytest.approx((112, 184), abs=4)


def test_eight_people_unless_told_otherwise(finder: Path, poser: Path) -> None:
    image = scene(*(Person((column, row)) for column in (0, 2, 4, 6) for row in (0, 3, 6)))
    stage = posing(finder, poser)
    answer = stage.answer(image, found(finder, image))
    assert isinstance(answer, Boxes)
    assert len(lights(answer)) == 8
    assert stage.facts()["left_out"] == 4


def test_nobody_is_no_work(finder: Path, poser: Path) -> None:
    image = scene()
    stage = posing(finder, poser)
    assert stage.answer(image, found(finder, image)) == Boxes(())
    assert stage.facts()["asked"] == 0


def box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(index=0, label="person", score=0.9, left=left, top=top, right=right, bottom=bottom)


def test_a_box_without_area_is_not_asked_about(finder: Path, poser: Path) -> None:
    flat = Boxes((box(10, 10, 10, 50), box(20, 30, 60, 30)))
    stage = posing(finder, poser)
    assert stage.answer(scene(), flat) == flat
    assert (stage.facts()["asked"], stage.facts()["left_out"]) == (0, 0)


@pytest.mark.parametrize(
    "edges",
    [(100, 60, 140, 160), (0, 0, 40, 30), (200, 180, 256, 256), (0, 0, 256, 256), (3.2, 7.7, 4.1, 8.0)],
)
@pytest.mark.parametrize("enlarge", [1.0, ENLARGED, 3.0])
def test_the_square_is_around_the_box(edges: tuple[float, float, float, float], enlarge: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
    part, (left, top) = square(image, box(*edges), enlarge)
    side = enlarge * max(edges[2] - edges[0], edges[3] - edges[1])
    assert part.shape[0] == part.shape[1] == pytest.approx(side, abs=1)
    middle = (left + part.shape[1] / 2, top + part.shape[0] / 2)
    assert middle == pytest.approx(((edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2), abs=1)
    # what is on the frame is the frame's, what is beyond it is its edge
    rows = np.clip(np.arange(top, top + part.shape[0]), 0, FRAME[0] - 1)
    columns = np.clip(np.arange(left, left + part.shape[1]), 0, FRAME[1] - 1)
    assert np.array_equal(part, image[np.ix_(rows, columns)])


def test_a_pose_alone_on_the_whole_frame(poser: Path, tmp_path: Path) -> None:
    """A frame that is twice as wide as high goes through the contract's letterbox and back."""
    wide = np.zeros((128, 256 * 2, 3), np.uint8)
    lit = wide.copy()
    lit[32:96, 300:364, 2] = 255
    seen = list(edgekit.camera(poser, str(written(tmp_path / "in", lit, wide))))
    first, second = (each.prediction for each in seen)
    assert isinstance(first, Poses)
    (pose,) = first.poses
    # a pixel of the input is 16 of the frame
    assert (pose.points[0].x, pose.points[0].y) == pytest.approx((332, 64), abs=8)
    assert second == Poses(())


def test_points_that_are_covered_are_not_told(finder: Path, poser: Path, tmp_path: Path) -> None:
    """Those of a covered person, and of a pose alone those where somebody is covered."""
    somebody = scene(Person((2, 3)))
    (seen,) = edgekit.camera(finder, str(written(tmp_path / "a", somebody)), then=poser, redact="people")
    assert isinstance(seen.prediction, Boxes)
    assert [found_in.pose for found_in in seen.prediction.boxes] == [None]

    person = scene(Person((2, 3), light=None))
    elsewhere, on_them = person.copy(), person.copy()
    elsewhere[160:224, 160:224, 2] = 255
    on_them[96:128, 64:96, 2] = 255
    folder = written(tmp_path / "b", elsewhere, on_them)
    answers = [
        each.prediction for each in edgekit.camera(poser, str(folder), redact="people", redact_with=finder)
    ]
    names = [
        [point.name for pose in answer.poses for point in pose.points]
        for answer in answers
        if isinstance(answer, Poses)
    ]
    # the shadow is at the upper left corner of the frame
    assert names == [["light", "shadow"], ["shadow"]]


def test_points_on_covered_pixels_are_not_told(poser: Path, tmp_path: Path) -> None:
    """The light is red, which the other bundle takes for a person."""
    mask_finder = bundle_of(red.write_model(tmp_path), tmp_path / "red.edgekit", red.scene(0))
    lit = scene(Person((2, 3), light=None))
    lit[160:224, 160:224, 2] = 255
    folder = written(tmp_path / "lit", lit)
    (plain,) = edgekit.camera(poser, str(folder))
    (covered,) = edgekit.camera(poser, str(folder), redact="people", redact_with=mask_finder)
    for seen, wanted in ((plain, ["light", "shadow"]), (covered, ["shadow"])):
        assert isinstance(seen.prediction, Poses)
        assert [point.name for pose in seen.prediction.poses for point in pose.points] == wanted


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; the light on one of them goes down."""
    images = [scene(Person((1, 1), light=(16, 6 + 2 * i)), Person((5, 4))) for i in range(10)]
    return write_clip(tmp_path_factory.mktemp("clip") / "people.avi", images)


def test_a_replay_says_the_same_and_sees_what_is_other(
    finder: Path, poser: Path, clip: Path, tmp_path: Path
) -> None:
    words = ("replay", clip, "--bundle", finder, "--then", poser)
    assert camera(*words, "--out", "first.jsonl", cwd=tmp_path).returncode == 0
    assert camera(*words, "--expect", "first.jsonl", cwd=tmp_path).returncode == 0
    assert camera(*words, "--out", "second.jsonl", cwd=tmp_path).returncode == 0
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()
    poses = [found_in["pose"] for line in events(tmp_path / "first.jsonl") for found_in in line["boxes"]]
    assert len(poses) == 20
    assert set(poses[0]) == {"score", "keypoints"}
    assert set(poses[0]["keypoints"]) == {"light", "shadow"}
    done = camera(*words, "--then-most", "1", "--expect", "first.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "frame 0: boxes[1].pose: nothing found" in done.stderr


def test_the_video_shows_the_skeleton_and_the_summary_counts(
    finder: Path, poser: Path, clip: Path, tmp_path: Path
) -> None:
    words = ("run", finder, "--source", clip, "--json")
    plain = camera(*words, "--out", "boxes.avi", cwd=tmp_path)
    done = camera(*words, "--out", "poses.avi", "--then", poser, "--then-most", "1", cwd=tmp_path)
    assert (plain.returncode, done.returncode) == (0, 0), done.stderr
    assert json.loads(plain.stdout)["then"] is None
    facts: dict[str, Any] = json.loads(done.stdout)["then"]
    assert facts == {"bundle": str(poser), "task": "pose-estimation", "most": 1, "asked": 10, "left_out": 10}
    told = camera("run", finder, "--source", clip, "--then", poser, "--then-most", "1", cwd=tmp_path)
    assert f"{poser}: asked 10 times, 10 left out\n" in told.stdout
    difference = cv2.absdiff(frames(tmp_path / "boxes.avi")[0], frames(tmp_path / "poses.avi")[0]).max(axis=2)
    rows, columns = np.nonzero(difference > 60)
    # one point on the first of the two: its light stands at (48, 38), a circle of a few pixels
    assert len(rows)
    assert max(abs(rows - 38)) <= 8
    assert max(abs(columns - 48)) <= 8


def test_people_who_are_followed_keep_their_poses(finder: Path, poser: Path, clip: Path) -> None:
    seen = list(edgekit.camera(finder, str(clip), then=poser, track=True))
    assert len(seen) == 10
    for each in seen[1:]:
        assert isinstance(each.prediction, Boxes)
        assert each.analysis
        lit = lights(each.prediction)
        by_track = dict(zip(each.analysis.tracks, each.prediction.boxes, strict=True))
        assert len(lit) == len(by_track) == 2
        assert None not in by_track
        assert all(found_in.pose for found_in in by_track.values())
    # the light went down by two pixels a frame on the one, and stayed on the other
    first, last = (
        lights(each.prediction) for each in (seen[0], seen[-1]) if isinstance(each.prediction, Boxes)
    )
    assert last[1, 1][1] - first[1, 1][1] == pytest.approx(18, abs=3)
    assert last[5, 4] == pytest.approx(first[5, 4], abs=1)


def test_cameras_share_the_second_bundle_and_count_for_themselves(
    finder: Path, poser: Path, clip: Path, tmp_path: Path
) -> None:
    one = written(tmp_path / "one", scene(Person((2, 2))))
    done = camera("run", finder, "--source", clip, "--source", one, "--then", poser, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cameras = {each["source"]: each["then"]["asked"] for each in json.loads(done.stdout)["cameras"]}
    assert cameras == {str(clip): 20, str(one): 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--then-most", "2"), "are about a second bundle; name it: --then BUNDLE"),
        (("--then-enlarge", "2"), "are about a second bundle; name it: --then BUNDLE"),
        (("--then", "DETECTOR"), "'object-detection'; one of text-recognition, pose-estimation is wanted"),
        (("--then", "absent.edgekit"), "absent.edgekit"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    finder: Path, clip: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    given = [str(finder) if word == "DETECTOR" else word for word in words]
    done = camera("run", finder, "--source", clip, *given, cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_first_bundle_must_find_people(classifier: Path, poser: Path, clip: Path) -> None:
    for bundle, task in ((classifier, "image-classification"), (poser, "pose-estimation")):
        with pytest.raises(CameraError, match=f"'{task}' finds nothing for .*boxes with the label 'person'"):
            edgekit.camera(bundle, str(clip), then=poser)
    with pytest.raises(BundleError, match="one of text-recognition, pose-estimation is wanted"):
        edgekit.camera(poser, str(clip), then=classifier)
