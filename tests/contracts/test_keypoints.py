"""BlazePose's raw outputs, made by hand from points that are known, and the contract that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgekit.contracts import Geometry, LoadedContract, Pose, Poses, check_fit
from edgekit.errors import ContractError
from tests.contracts.making import Spec, contract, image, loaded

NAMES = ("nose", "left_wrist", "right_wrist")
LINES = "".join(f"{name}\n" for name in NAMES)
OUTPUT: dict[str, Any] = {
    "kind": "keypoints",
    "decoder": "blazepose",
    "names": ["points", "presence"],
    "keypoints": "keypoints.txt",
    "skeleton": [["nose", "left_wrist"], ["nose", "right_wrist"]],
}
SIZE = [96, 128]
GEOMETRY = Geometry(original_hw=(192, 256), input_hw=(96, 128), scale=(0.5, 0.5), offset=(0.0, 0.0))
Outputs = dict[str, npt.NDArray[np.float32]]


def written(folder: Path, content: str = LINES, **changes: Any) -> LoadedContract:
    resize = changes.pop("resize", {"resize": "letterbox"})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "keypoints.txt").write_text(content)
    return loaded(folder, "pose-estimation", [image(size=SIZE, **resize)], OUTPUT | changes)


def raw(
    *points: tuple[float, float], visible: float = 9.0, present: float = 9.0, somebody: float = 1.0
) -> Outputs:
    """``points`` in input pixels; of all the same logits."""
    values = np.zeros((len(NAMES) + 6, 5), np.float32)
    values[: len(points), :2] = np.reshape(points, (-1, 2))
    values[:, 2], values[:, 3], values[:, 4] = 300.0, visible, present
    return {"points": values.reshape(1, -1), "presence": np.full((1, 1), somebody, np.float32)}


def pose_of(contract: LoadedContract, outputs: Outputs, geometry: Geometry = GEOMETRY) -> Pose:
    answer = contract.decode(outputs, geometry)
    assert isinstance(answer, Poses)
    (pose,) = answer.poses
    return pose


RESIZES: dict[str, dict[str, Any]] = {
    "stretch": {"resize": "stretch"},
    "crop": {"resize": "crop"},
    "crop from a larger one": {"resize": "crop", "resize_short_side": 160},
    "letterbox": {"resize": "letterbox", "pad_value": 0.0},
    "fit-height": {"resize": "fit-height"},
    "limit-side": {"resize": "limit-side", "multiple_of": 32},
}


@pytest.mark.parametrize("shape", [(300, 400), (300, 240)], ids=["wide", "high"])
@pytest.mark.parametrize("resize", RESIZES)
def test_points_come_back_to_where_they_were_on_the_picture(
    tmp_path: Path, resize: str, shape: tuple[int, int]
) -> None:
    """A light spot is searched for in the input that the contract makes; the decoded point must be the spot."""
    there = written(tmp_path, resize=RESIZES[resize])
    spots = [(shape[1] / 2 - 20.0, 160.0), (shape[1] / 2 + 30.0, 140.0)]
    found = []
    for x, y in spots:
        picture = np.zeros((*shape, 3), np.uint8)
        picture[round(y) - 8 : round(y) + 8, round(x) - 8 : round(x) + 8] = 255
        encoded = there.encode(picture)
        light = encoded.tensors["x"][0, 0].astype(np.float64)
        rows, columns = np.indices(light.shape) + 0.5
        found.append(
            (float((light * columns).sum() / light.sum()), float((light * rows).sum() / light.sum()))
        )
    assert encoded.meta is not None
    points = pose_of(there, raw(*found), encoded.meta).points
    # half a pixel of the input, which is up to 4 pixels of the picture
    pixel = max(1 / side for side in encoded.meta.scale)
    for (x, y), point in zip(spots, points, strict=False):
        assert (point.x, point.y) == pytest.approx((x, y), abs=0.5 * pixel)


def test_a_point_beyond_the_picture_stays_there(tmp_path: Path) -> None:
    nose, wrist, _ = pose_of(written(tmp_path), raw((-4, 10), (64, 110))).points
    assert (nose.x, nose.y) == (-8, 20)
    assert (wrist.x, wrist.y) == (128, 220)


def test_a_score_is_the_lower_of_visible_and_present(tmp_path: Path) -> None:
    there = written(tmp_path)
    for logits in ({"visible": 0.0}, {"present": 0.0}):
        assert {point.score for point in pose_of(there, raw((1, 1), **logits)).points} == {0.5}
    assert pose_of(there, raw(visible=-90, present=90)).points[0].score == pytest.approx(0)


def test_below_the_threshold_nobody_is_there(tmp_path: Path) -> None:
    there = written(tmp_path, score_threshold=0.3)
    assert there.decode(raw(somebody=0.29), GEOMETRY) == Poses(())
    assert pose_of(there, raw(somebody=0.31)).score == pytest.approx(0.31)
    assert there.decode(raw(somebody=0.29), GEOMETRY).to_json() == '{"poses":[]}'


def test_the_answer_names_its_points(tmp_path: Path) -> None:
    pose = pose_of(written(tmp_path), raw((10, 20), (30, 40), (50, 60.04)))
    assert json.loads(Poses((pose,)).to_json()) == {
        "poses": [
            {
                "score": 1.0,
                "keypoints": {
                    "nose": [20, 40, 1.0],
                    "left_wrist": [60, 80, 1.0],
                    "right_wrist": [100, 120.1, 1.0],
                },
            }
        ]
    }


def test_lines_go_where_both_ends_are_seen(tmp_path: Path) -> None:
    outputs = raw((10, 20), (30, 40), (50, 60))
    outputs["points"][0, 2 * 5 + 3] = -1  # the right wrist is hidden
    bones = pose_of(written(tmp_path), outputs).bones()
    assert [(a.name, b.name) for a, b in bones] == [("nose", "left_wrist")]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("points", np.zeros((1, 15)), r"'points' has shape \[1, 15\]; blazepose with 3 keypoints needs \[1, 45\]"),
        ("points", np.array([[-np.inf] + 44 * [0.0]]), "'points' holds infinity"),
        ("points", np.full((1, 45), np.nan), "NaN or infinity"),
        ("presence", np.ones((1, 2)), r"'presence' has shape \[1, 2\]"),
        ("presence", np.full((1, 1), np.nan), "NaN or infinity"),
    ],
)  # fmt: skip
def test_outputs_without_an_answer_are_refused(
    tmp_path: Path, name: str, values: npt.NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        written(tmp_path).decode({**raw(), name: values.astype(np.float32)}, GEOMETRY)


def test_points_need_the_geometry(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="without the 'meta'"):
        written(tmp_path).decode(raw(), None)


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("", {}, "output.keypoints: 'keypoints.txt' has an empty line or none"),
        ("nose\n\nleft_wrist\n", {}, "output.keypoints: 'keypoints.txt' has an empty line or none"),
        ("nose\nnose\n", {}, "output.keypoints: 'keypoints.txt' names two points 'nose'"),
        (
            "nose\nleft_wrist\n",
            {},
            "output.skeleton: 'right_wrist' is no point of 'keypoints.txt'; did you mean 'left_wrist'?",
        ),
        ("nose\n", {"skeleton": [["nose"]]}, "output.keypoints.skeleton.0.1: missing"),
        ("nose\n", {"skeleton": 3}, "output.keypoints.skeleton: "),
        ("nose\n", {"skeleton": [], "names": ["points"]}, "needs 2 'names': the landmarks, then the presence"),
        ("nose\n", {"skeleton": [], "decoder": "blazepoze"}, "did you mean 'blazepose'"),
        ("nose\n", {"skeleton": [], "keypoints": "absent.txt"}, "no file 'absent.txt' beside the contract"),
    ],
)  # fmt: skip
def test_a_wrong_contract_is_refused_with_the_key(
    tmp_path: Path, content: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        written(tmp_path, content, **changes)
    assert message in str(caught.value)
    assert str(tmp_path / "contract.toml") in str(caught.value)


def test_the_task_needs_keypoints(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="task 'pose-estimation' needs an output of kind 'keypoints'"):
        loaded(tmp_path, "pose-estimation")


def test_names_come_from_the_file_which_belongs_to_the_contract(tmp_path: Path) -> None:
    there = written(tmp_path / "a")
    assert there.keypoints == NAMES
    assert there.schema.files() == ("keypoints.txt",)
    assert there.schema.output_names() == ("points", "presence")
    assert set(there.write_to(tmp_path)) == {"contract.toml", "keypoints.txt"}
    assert loaded(tmp_path / "b").keypoints == ()


def test_the_model_must_have_as_many_points(tmp_path: Path) -> None:
    there = written(tmp_path)
    inputs = [Spec("x", (1, 3, *SIZE))]
    check_fit(there, inputs, [Spec("points", (1, 45)), Spec("presence", (1, 1))])
    with pytest.raises(ContractError) as caught:
        check_fit(there, inputs, [Spec("points", (1, 195)), Spec("presence", (1,))])
    assert "'points': the decoder with 3 keypoints needs [1, 45], the model gives [1, 195]" in str(
        caught.value
    )
    assert "'presence': the decoder with 3 keypoints needs [1, 1], the model gives [1]" in str(caught.value)


def test_another_file_of_names_is_another_contract(tmp_path: Path) -> None:
    hashes = {
        written(tmp_path, content).sha256 for content in ("nose\nleft_wrist\nright_wrist\n", "\n".join(NAMES))
    }
    assert len(hashes) == 2
    assert contract(tmp_path)  # of another task, whose files do not matter here
