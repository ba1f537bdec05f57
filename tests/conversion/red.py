"""A small segmentation that is right, with pictures and masks: a person is what is red."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.contracts.types import Image
from tests.contracts.making import contract, image

SIZE = (160, 120)
RED, GREEN = (20, 20, 230), (20, 200, 20)
OUTPUT = {"kind": "mask", "name": "y", "labels": "labels.txt", "layout": "nchw", "threshold": 0.5}
INDEX_MAP = {"kind": "index-map", "name": "y", "labels": "labels.txt", "background": "background"}


def write_model(folder: Path, *, resize: str = "stretch", keepdims: int | None = None) -> Path:
    """A person is what is red: one convolution and a sigmoid, 60 x 80.

    keepdims: one map for each class instead, enlarged to twice that and ended by an ArgMax with or without its axis.
    """
    weight = np.array([0.1, -0.1, -0.1], np.float32).reshape(1, 3, 1, 1)
    bias = np.array([-8], np.float32)
    size = [1, 3, 60, 80]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)]
    if keepdims is None:
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["y"]),
        ]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 60, 80])]
        constants = {"w": weight, "b": bias}
    else:
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["small"]),
            helper.make_node("Resize", ["small", "", "scales"], ["scores"], mode="linear"),
            helper.make_node("ArgMax", ["scores"], ["y"], axis=1, keepdims=keepdims),
        ]
        made = [1, 1, 120, 160] if keepdims else [1, 120, 160]
        outputs = [helper.make_tensor_value_info("y", TensorProto.INT64, made)]
        scales = np.array([1, 1, 2, 2], np.float32)
        constants = {
            "w": np.concatenate([-weight, weight]),
            "b": np.concatenate([-bias, bias]),
            "scales": scales,
        }
    tensors = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, "red", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    contract(
        folder,
        "semantic-segmentation",
        [image(size=[60, 80], resize=resize)],
        OUTPUT if keepdims is None else INDEX_MAP,
        ("background", "person"),
    )
    path = folder / "red.onnx"
    onnx.save(model, path)
    return path


def scene(index: int) -> Image:
    """Somebody in red walks from the left to the right, behind something green; noise everywhere."""
    rng = np.random.default_rng(index)
    picture = rng.integers(60, 110, (SIZE[1], SIZE[0], 3), np.uint8)
    left = 10 + 8 * index
    picture[30:100, left : left + 30] = RED
    picture[70:90, 60:140] = GREEN
    return picture


def truth(index: int) -> np.ndarray[Any, Any]:
    red = np.zeros((SIZE[1], SIZE[0]), bool)
    left = 10 + 8 * index
    red[30:100, left : left + 30] = True
    red[70:90, 60:140] = False
    return red


def write_pictures(folder: Path, count: int, *, labelled: bool) -> Path:
    """Scenes, with the mask of each where ``labelled``; pixels at a border do not count."""
    folder.mkdir()
    for index in range(count):
        assert cv2.imwrite(str(folder / f"{index}.png"), scene(index))
        if labelled:
            mask = truth(index).astype(np.uint8)
            mask[cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0] = 255
            assert cv2.imwrite(str(folder / f"{index}.mask.png"), mask)
    return folder
