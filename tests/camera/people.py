"""A drawn scene of people and cars, and two small nets that find the people and the light on each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from edgekit.contracts.types import Image
from tests.camera.bundles import bundle_of
from tests.contracts.making import contract, image
from tests.graphs import Graph, floats

SIDE, CELL = 64, 8
"""Of the detector's input, and of a cell of its grid."""
_POSE_SIDE = 32
SCALE = 4
"""Pixels of a frame for one of the input."""
FRAME = (SIDE * SCALE, SIDE * SCALE)
_POINTS = ("light", "shadow")

_BOXES: dict[str, Any] = {
    "kind": "boxes",
    "decoder": "yolov3",
    "names": ["y"],
    "labels": "labels.txt",
    "anchors": [[float(CELL), float(CELL)]],
    "score_threshold": 0.5,
}
_KEYPOINTS: dict[str, Any] = {
    "kind": "keypoints",
    "decoder": "blazepose",
    "names": ["points", "presence"],
    "keypoints": "keypoints.txt",
    "skeleton": [["light", "shadow"]],
}


class Person(NamedTuple):
    """A square of one cell's size at ``cell`` (column, row); green, or blue for a car. The greener, the larger its box."""

    cell: tuple[int, int]
    green: int = 200
    light: tuple[int, int] | None = (16, 8)
    """A point on it, in pixels of the frame from its upper left corner."""
    car: bool = False

    @property
    def corner(self) -> tuple[int, int]:
        return self.cell[0] * CELL * SCALE, self.cell[1] * CELL * SCALE

    @property
    def place(self) -> tuple[float, float]:
        """Of the light, on the frame."""
        assert self.light
        return self.corner[0] + self.light[0], self.corner[1] + self.light[1]


def scene(*people: Person) -> Image:
    """256 x 256, BGR; the light is red, which the detector does not look at."""
    drawn = np.zeros((*FRAME, 3), np.uint8)
    for person in people:
        left, top = person.corner
        side = CELL * SCALE
        drawn[top : top + side, left : left + side, 0 if person.car else 1] = person.green
        if person.light:
            x, y = round(person.place[0]), round(person.place[1])
            drawn[y - 4 : y + 4, x - 4 : x + 4, 2] = 255
    return drawn


def detector(folder: Path) -> Path:
    """A bundle for object detection, YOLOv3's form: the labels are person and car."""
    graph = Graph()
    mean = graph.node("AveragePool", ["x"], "mean", kernel_shape=[CELL, CELL], strides=[CELL, CELL])
    # tx, ty, tw, th, objectness, person, car from the mean of red, green and blue
    weights = np.zeros((7, 3, 1, 1), np.float32)
    weights[2:4, 1] = 1.0
    weights[4, 1:] = 40.0
    weights[5, 1], weights[6, 2] = 20.0, 20.0
    bias = np.array([0, 0, 0, 0, -10, 0, 0], np.float32)
    made = graph.node("Conv", [mean, graph.constant("w", weights), graph.constant("b", bias)], "heads")
    graph.node("Identity", [made], "last")
    model = _renamed(
        graph.model([floats("x", 1, 3, SIDE, SIDE)], [floats("last_out", 1, 7, SIDE // CELL, SIDE // CELL)]),
        {"last_out": "y"},
    )
    source = folder / "detector"
    pixels = _pixels(SIDE, interpolation="area")
    contract(source, "object-detection", [pixels], _BOXES, ("person", "car"))
    return _bundle(source, model)


def pose_finder(folder: Path) -> Path:
    """A bundle for pose estimation: ``light`` is the middle of what is red, ``shadow`` is never seen."""
    pixels = _POSE_SIDE**2
    rows, columns = np.mgrid[0:_POSE_SIDE, 0:_POSE_SIDE] + 0.5
    grid = np.stack([columns.ravel(), rows.ravel(), np.ones(pixels)], axis=1).astype(np.float32)
    graph = Graph()
    red = graph.node(
        "Slice", ["x", *(graph.constant(n, np.array([v])) for n, v in (("b", 0), ("e", 1), ("a", 1)))], "red"
    )
    flat = graph.node("Reshape", [red, graph.constant("flat", np.array([1, pixels]))], "pixels")
    sums = graph.node("MatMul", [flat, graph.constant("grid", grid)], "sums")
    total = graph.node("MatMul", [sums, graph.constant("last", np.eye(3, 1, -2, np.float32))], "total")
    some = graph.node("Add", [total, graph.constant("little", np.array([[1e-3]], np.float32))], "some")
    middle = graph.node("Div", [sums, some], "middle")
    points = len(_POINTS) + 6
    spread = np.zeros((3, 5 * points), np.float32)
    spread[0, 0] = spread[1, 1] = 1.0
    logits = np.zeros((1, 5 * points), np.float32)
    logits[0, 3:5], logits[0, 8:10] = 9.0, -9.0
    spread_out = graph.node("MatMul", [middle, graph.constant("spread", spread)], "spread")
    graph.node("Add", [spread_out, graph.constant("logits", logits)], "points")
    doubt = graph.node("Sub", [total, graph.constant("enough", np.array([[3.0]], np.float32))], "doubt")
    graph.node("Sigmoid", [doubt], "presence")
    model = _renamed(
        graph.model(
            [floats("x", 1, 3, _POSE_SIDE, _POSE_SIDE)],
            [floats("points_out", 1, 5 * points), floats("presence_out", 1, 1)],
        ),
        {"points_out": "points", "presence_out": "presence"},
    )
    source = folder / "pose"
    contract(source, "pose-estimation", [_pixels(_POSE_SIDE)], _KEYPOINTS)
    (source / "keypoints.txt").write_text("".join(f"{name}\n" for name in _POINTS))
    return _bundle(source, model)


def _pixels(side: int, **changes: str) -> dict[str, Any]:
    """The input of both: a picture in a square, values from 0 to 1."""
    return image(size=[side, side], resize="letterbox", std=[255.0] * 3, **changes)


def _renamed(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    for value in model.graph.output:
        value.name = names[value.name]
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            node.output[i] = names.get(name, name)
    return model


def _bundle(source: Path, model: onnx.ModelProto) -> Path:
    """Beside ``source``, the folder with its contract; its golden sample is a person."""
    path = source / f"{source.name}.onnx"
    onnx.save(model, path)
    return bundle_of(path, source.with_suffix(".edgekit"), scene(Person((3, 3))))
