"""Masks: from the map through each way of resizing back to the picture's pixels, and as text that COCO's tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edgekit.contracts import Geometry, LoadedContract, Mask, agreement, check_fit
from edgekit.contracts.agreement import confusion, mean_iou
from edgekit.contracts.runs import coco_counts, pack, unpack
from edgekit.errors import ContractError
from tests.contracts.making import Spec, image, loaded

BINARY: dict[str, Any] = {
    "kind": "mask", "name": "y", "labels": "labels.txt", "layout": "nchw", "threshold": 0.5,
}  # fmt: skip
MANY: dict[str, Any] = {key: value for key, value in BINARY.items() if key != "threshold"}
Map = npt.NDArray[np.float32]


def segmentation(
    folder: Path, output: dict[str, Any], labels: tuple[str, ...] = ("background", "person"), **changes: Any
) -> LoadedContract:
    return loaded(folder, "semantic-segmentation", [image(**changes)], output, labels)


def decoded(contract: LoadedContract, scores: npt.NDArray[Any], geometry: Geometry) -> Mask:
    answer = contract.decode({"y": scores}, geometry)
    assert isinstance(answer, Mask)
    return answer


def plain(height: int, width: int) -> Geometry:
    return Geometry(
        original_hw=(height, width), input_hw=(height, width), scale=(1.0, 1.0), offset=(0.0, 0.0)
    )


# --- through the ways of resizing ----------------------------------------------------------------------------

RESIZES: dict[str, dict[str, Any]] = {
    "stretch": {"size": [96, 128], "resize": "stretch"},
    "letterbox, bars above and below": {"size": [128, 128], "resize": "letterbox"},
    "letterbox, bars at the sides": {"size": [64, 256], "resize": "letterbox"},
    "crop of the sides": {"size": [96, 96], "resize": "crop"},
    "crop of a larger one": {"size": [96, 96], "resize": "crop", "resize_short_side": 120},
    "fit-height": {"size": [64, 256], "resize": "fit-height"},
    "fit-height, squeezed": {"size": [96, 64], "resize": "fit-height"},
    "limit-side": {"size": [160, 160], "resize": "limit-side"},
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", RESIZES)
def test_a_mask_lies_where_the_picture_shows_it(tmp_path: Path, name: str, stride: int) -> None:
    """The picture itself is the model: what is white in the input is the map, ``stride`` times smaller."""
    picture = np.zeros((200, 320, 3), np.uint8)
    picture[30:150, 90:250] = 255
    contract = segmentation(tmp_path, BINARY, std=[255.0] * 3, **RESIZES[name])
    encoded = contract.encode(picture)
    assert encoded.meta
    white = encoded.tensors["x"][0, 0]
    small = cv2.resize(white, None, fx=1 / stride, fy=1 / stride, interpolation=cv2.INTER_AREA)
    found = decoded(contract, small[None, None], encoded.meta).indices
    expected = picture[:, :, 0] // 255
    seen = found >= 0
    height, width = white.shape
    # a border may be off by a pixel of the map
    reach_x, reach_y = (int(np.ceil(stride / scale)) for scale in encoded.meta.scale)
    border = cv2.dilate(expected, np.ones((2 * reach_y + 1, 2 * reach_x + 1))) - cv2.erode(
        expected, np.ones((2 * reach_y + 1, 2 * reach_x + 1))
    )
    assert (found == expected)[seen & (border == 0)].all()
    assert (
        mean_iou(confusion(Mask.of(found.T, ("a", "b")), Mask.of(expected.T.astype(np.int16), ("a", "b"))))
        > 0.95
    )
    # what was cut off is of no class, and nothing else
    unseen = 1 - min(1.0, width / encoded.meta.scale[0] / 320) * min(
        1.0, height / encoded.meta.scale[1] / 200
    )
    assert (~seen).mean() == pytest.approx(unseen, abs=0.02)
    assert (unseen > 0.1) == ("crop" in name)


def test_half_of_the_way_between_two_pixels_of_the_map_is_the_border(tmp_path: Path) -> None:
    """Centres of four pixels of the picture lie at -.375, -.125, .125, .375, … of the map's."""
    geometry = Geometry(original_hw=(4, 8), input_hw=(1, 2), scale=(0.25, 0.25), offset=(0.0, 0.0))
    scores = np.array([[[[0.0, 1.0]]]], np.float32)
    for threshold, first in ((0.1, 2), (0.5, 4), (0.9, 6)):
        contract = segmentation(tmp_path / str(threshold), BINARY | {"threshold": threshold})
        np.testing.assert_array_equal(decoded(contract, scores, geometry).indices[0], np.arange(8) >= first)


def test_a_logit_counts_by_its_probability(tmp_path: Path) -> None:
    logits = np.log(np.array([[[[0.2, 0.29, 0.31, 0.9]]]]) / (1 - np.array([[[[0.2, 0.29, 0.31, 0.9]]]])))
    contract = segmentation(tmp_path, BINARY | {"threshold": 0.3, "activation": "sigmoid"})
    found = decoded(contract, logits.astype(np.float32), plain(1, 4))
    assert found.indices.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_of_many_maps_the_largest_counts(tmp_path: Path, layout: str) -> None:
    scores = np.array([[[3, 1, 1, 0]], [[2, 2, 1, -np.inf]], [[1, 0, 4, -1]]], np.float32)[None]
    contract = segmentation(tmp_path, MANY | {"layout": layout}, ("sky", "road", "car"))
    found = decoded(contract, scores if layout == "nchw" else scores.transpose(0, 2, 3, 1), plain(1, 4))
    assert found.indices.tolist() == [[0, 1, 2, 0]]
    assert found.shares == {0: 0.5, 1: 0.25, 2: 0.25}


def test_equal_scores_go_to_the_first_label(tmp_path: Path) -> None:
    contract = segmentation(tmp_path, MANY, ("sky", "road", "car"))
    assert decoded(contract, np.ones((1, 3, 2, 2), np.float32), plain(2, 2)).shares == {0: 1.0}


# --- indices instead of scores -------------------------------------------------------------------------------

INDICES: dict[str, Any] = {"kind": "index-map", "name": "y", "labels": "labels.txt"}
STREET = ("sky", "road", "car")


@pytest.mark.parametrize("name", RESIZES)
def test_indices_lie_where_the_picture_shows_them(tmp_path: Path, name: str) -> None:
    """As of scores: what is white in the input is of the second class, at half its size."""
    picture = np.zeros((200, 320, 3), np.uint8)
    picture[30:150, 90:250] = 255
    changes = {"std": [255.0] * 3, **RESIZES[name]}
    encoded = segmentation(tmp_path / "scores", BINARY, **changes).encode(picture)
    assert encoded.meta
    white = encoded.tensors["x"][:, :1] > 0.5
    found = decoded(segmentation(tmp_path / "indices", INDICES, **changes), white, encoded.meta)
    scores = segmentation(tmp_path / "scores", BINARY, **changes)
    by_scores = decoded(scores, white.astype(np.float32), encoded.meta)
    np.testing.assert_array_equal(found.indices < 0, by_scores.indices < 0)
    assert mean_iou(confusion(found, by_scores)) > 0.95
    assert found.shares[1] == pytest.approx(by_scores.shares[1], rel=0.03)


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 1, 2, 3), (1, 2, 3, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32"])
def test_indices_are_taken_as_they_are(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    contract = segmentation(tmp_path, INDICES | {"background": "sky"}, STREET)
    indices = np.array([0, 1, 2, 2, 1, 0], dtype).reshape(shape)
    found = decoded(contract, indices, plain(2, 3))
    assert found.indices.tolist() == [[0, 1, 2], [2, 1, 0]]
    assert set(found.shares) == {1, 2}
    check_fit(contract, [Spec("x", (1, 3, 4, 6))], [Spec("y", shape, dtype)])


def test_between_two_classes_there_is_no_third(tmp_path: Path) -> None:
    """Half of the way from 0 to 2 would be 1."""
    geometry = Geometry(original_hw=(4, 8), input_hw=(1, 2), scale=(0.25, 0.25), offset=(0.0, 0.0))
    found = decoded(segmentation(tmp_path, INDICES, STREET), np.array([[[0, 2]]]), geometry)
    assert found.indices.tolist() == [[0] * 4 + [2] * 4] * 4


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.array([[[0, 3]]]), "holds 3, which is no index of the 3 labels in 'labels.txt'"),
        (np.array([[[0, -1]]]), "holds -1, which is no index"),
        (np.array([[[0, 0.5]]], np.float32), "holds 0.5, which is no index"),
        (np.zeros((1, 3, 2, 2), np.int64), r"it needs \[1, \?, \?\] or \[1, 1, \?, \?\] or \[1, \?, \?, 1\]"),
        (np.zeros((2, 2), np.int64), r"has shape \[2, 2\]"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path: Path, indices: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        decoded(segmentation(tmp_path, INDICES, STREET), indices, plain(1, 2))


def test_scores_and_indices_are_not_taken_for_each_other(tmp_path: Path) -> None:
    x = [Spec("x", (1, 3, 4, 6))]
    many = segmentation(tmp_path / "many", MANY, STREET)
    with pytest.raises(ContractError, match=r"gives int64 \[1, 4, 6\]; .* its kind is 'index-map'"):
        check_fit(many, x, [Spec("y", (1, 4, 6), "int64")])
    indices = segmentation(tmp_path / "indices", INDICES, STREET)
    with pytest.raises(ContractError, match=r"indices of labels need \[1, \?, \?\] or"):
        check_fit(indices, x, [Spec("y", (1, 3, 4, 6))])
    with pytest.raises(ContractError, match="background 'sea' is none of the labels"):
        check_fit(
            segmentation(tmp_path / "sea", INDICES | {"background": "sea"}, STREET),
            x,
            [Spec("y", (1, 4, 6), "int64")],
        )


# --- as text -------------------------------------------------------------------------------------------------


def read_counts(text: str) -> list[int]:
    """``rleFrString`` of COCO's maskApi.c, character by character."""
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << shift
            more, place, shift = bool(code & 0x20), place + 1, shift + 5
            if not more and code & 0x10:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def read_segment(segment: dict[str, Any]) -> npt.NDArray[np.bool_]:
    counts = read_counts(segment["counts"])
    height, width = segment["size"]
    values = np.arange(len(counts)) % 2 == 1  # the first run is without
    return np.repeat(values, counts).reshape(width, height).T


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (40, 60), (300, 200)])
@pytest.mark.parametrize("classes", [1, 2, 4])
def test_runs_and_text_give_the_same_mask_back(size: tuple[int, int], classes: int) -> None:
    rng = np.random.default_rng(sum(size) + classes)
    smooth = cv2.resize(rng.random((4, 5)), size[::-1]) * (classes + 1) - 1  # -1 where none is known
    for indices in (np.floor(smooth), rng.integers(-1, classes, size), np.zeros(size)):
        columns = np.ascontiguousarray(indices.T.astype(np.int16))
        np.testing.assert_array_equal(unpack(pack(columns), (size[1], size[0])), columns)
        mask = Mask.of(columns, tuple("abcd"[:classes]))
        np.testing.assert_array_equal(mask.indices, indices)
        segments = json.loads(mask.to_json())["segments"]
        assert [segment["index"] for segment in segments] == [i for i in np.unique(indices) if i >= 0]
        for segment in segments:
            there = read_segment(segment)
            np.testing.assert_array_equal(there, indices == segment["index"])
            assert segment["share"] == pytest.approx(there.mean(), abs=5e-5)
            assert segment["label"] == "abcd"[segment["index"]]


def test_counts_are_those_of_cocos_own_tool() -> None:
    """``pycocotools.mask.encode`` (2.0.11) of these masks."""
    square = np.zeros((9, 7), np.int16)
    square[2:5, 1:6] = 1
    large = np.zeros((640, 480), np.int16)
    large[100:500, 50:54] = 1
    large[300:302] = 0
    assert coco_counts(pack(np.ascontiguousarray(square.T)), 1) == ";3600000007"
    assert coco_counts(pack(np.ascontiguousarray(large.T)), 1) == "T[o0X62N^72bHN^72bHN^72bHNZ\\Z8"


def test_the_background_is_left_out(tmp_path: Path) -> None:
    scores = np.array([[[[0.9, 0.1], [0.1, 0.1]]]], np.float32)
    found = decoded(segmentation(tmp_path, BINARY), scores, plain(2, 2))
    assert found.facts() == {
        "segments": [{"index": 1, "label": "person", "share": 0.25, "size": [2, 2], "counts": "013"}]
    }
    nothing = decoded(segmentation(tmp_path, BINARY), scores * 0, plain(2, 2))
    assert nothing.to_json() == '{"segments":[]}'
    named = segmentation(tmp_path, MANY | {"background": "person"})
    assert decoded(named, np.zeros((1, 2, 1, 1), np.float32), plain(1, 1)).shares == {0: 1.0}


# --- agreement -----------------------------------------------------------------------------------------------


def of(*rows: list[int], background: int | None = 0) -> Mask:
    return Mask.of(np.array(rows, np.int16).T.copy(), ("background", "person", "car"), background)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (of([0, 1, 1, 0]), of([0, 1, 1, 0]), 1.0),
        (of([0, 0, 0, 0]), of([0, 0, 0, 0]), 1.0),
        (of([0, 0, 1, 1]), of([0, 1, 1, 1]), (1 / 2 + 2 / 3) / 2),
        (of([0, 1, 1, 1]), of([0, 0, 1, 1]), (1 / 2 + 2 / 3) / 2),
        (of([0, 0, 0, 0]), of([0, 0, 0, 1]), (3 / 4 + 0) / 2),
        (of([0, 1, 2, 2]), of([0, 1, 1, 2]), (1 + 1 / 2 + 1 / 2) / 3),
        (of([-1, 1, 1, 0]), of([-1, 1, 1, 0]), 1.0),
        (of([-1, 1, 1, -1]), of([-1, 1, 0, -1]), (1 / 2 + 0) / 2),
        (of([-1, -1]), of([-1, -1]), 1.0),
    ],
)
def test_masks_agree_by_mean_iou(a: Mask, b: Mask, expected: float) -> None:
    assert agreement(a, b) == pytest.approx(expected)


def test_masks_of_two_images_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not of one image"):
        agreement(of([0, 1]), of([0, 1], [0, 1]))


# --- contracts that cannot be --------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "sigmoid of many": (MANY | {"activation": "sigmoid"}, "'activation' goes with 'threshold'"),
    "background of one": (BINARY | {"background": "background"}, "that is the first label"),
    "no layout": ({key: value for key, value in MANY.items() if key != "layout"}, "layout: missing"),
    "unknown key": (MANY | {"treshold": 0.5}, "did you mean 'threshold'"),
    "another kind": (
        {"kind": "classes", "name": "y", "labels": "labels.txt"},
        "needs an output of kind 'mask'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_contract_is_refused(tmp_path: Path, name: str) -> None:
    output, words = WRONG[name]
    with pytest.raises(ContractError) as refusal:
        segmentation(tmp_path, output)
    assert words in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


X = Spec("x", (1, 3, 4, 6))
UNFIT: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[int | str, ...], str]] = {
    "one map, three labels": (
        BINARY,
        ("a", "b", "c"),
        (1, 1, 4, 6),
        "'threshold' tells two labels apart, 'labels.txt' has 3",
    ),
    "unknown background": (
        MANY | {"background": "sky"},
        ("a", "b"),
        (1, 2, 4, 6),
        "background 'sky' is none of the labels",
    ),
    "maps and labels": (
        MANY,
        ("a", "b"),
        (1, 3, 4, 6),
        "a mask of 2 labels needs [1, 2, ?, ?], the model gives [1, 3, 4, 6]",
    ),
    "layout": (MANY | {"layout": "nhwc"}, ("a", "b"), (1, 2, 4, 6), "needs [1, ?, ?, 2]"),
    "no map": (BINARY, ("a", "b"), (1, 2), "needs [1, 1, ?, ?], the model gives [1, 2]"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_the_model_is_named(tmp_path: Path, name: str) -> None:
    output, labels, shape, words = UNFIT[name]
    contract = segmentation(tmp_path, output, labels)
    with pytest.raises(ContractError) as refusal:
        check_fit(contract, [X], [Spec("y", shape)])
    assert words in str(refusal.value)
    numbers = np.zeros([side for side in shape if isinstance(side, int)], np.float32)
    with pytest.raises(ContractError, match="output 'y'"):
        contract.decode({"y": numbers}, plain(4, 6))


@pytest.mark.parametrize(("output", "channels"), [(BINARY, 1), (MANY, 2)])
def test_free_sides_of_the_map_fit(tmp_path: Path, output: dict[str, Any], channels: int) -> None:
    check_fit(segmentation(tmp_path, output), [X], [Spec("y", ("N", channels, "h", "w"))])


def test_nan_is_no_answer(tmp_path: Path) -> None:
    scores = np.full((1, 1, 4, 6), np.nan, np.float32)
    with pytest.raises(ContractError, match="NaN"):
        decoded(segmentation(tmp_path, BINARY), scores, plain(4, 6))
    with pytest.raises(ContractError, match="nothing can be placed"):
        segmentation(tmp_path, BINARY).decode({"y": np.zeros_like(scores)})
