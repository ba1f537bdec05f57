"""A small classifier that is right, with images and labels: which way do the stripes run?"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

from edgekit.contracts import load_contract
from tests.graphs import Graph, floats, lopsided_layer, renamed

SIZE = 64
LABELS = ("across", "down", "falling", "rising")
CONTRACT = f"""schema = 1
task = "image-classification"

[[inputs]]
kind = "image"
name = "x"
size = [{SIZE}, {SIZE}]
resize = "stretch"
color = "rgb"
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
layout = "nchw"

[output]
kind = "classes"
name = "y"
labels = "labels.txt"
top_k = 2
"""


def stripes(way: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """An image of stripes with noise, random width, phase and colours."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    along = (rows, columns, rows - columns, rows + columns)[way]
    wave = np.sin(along * 2 * np.pi / rng.uniform(5, 12) + rng.uniform(0, 6))
    base, swing = rng.uniform(90, 160, 3), rng.uniform(40, 80, 3)
    image = base + wave[..., None] * swing + rng.normal(0, 12, (SIZE, SIZE, 3))
    return np.asarray(image.clip(0, 255), np.uint8)


def write_images(folder: Path, count: int, *, seed: int, labelled: bool) -> Path:
    """``count`` images in ``folder``; labelled: in one sub-folder a class."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        way = index % len(LABELS)
        parent = folder / LABELS[way] if labelled else folder
        parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(parent / f"{index:03d}.png"), stripes(way, rng))
    return folder


def write_classifier(folder: Path, *, width: int = 32, lopsided: bool = False) -> Path:
    """``stripes.onnx`` with contract and labels: random convolutions, the last layer fitted to images.

    lopsided: one layer more, whose weights no int8 holds (:func:`tests.graphs.lopsided_layer`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.toml").write_text(CONTRACT)
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    path = folder / "stripes.onnx"
    onnx.save(_model(*_fitted(folder / "contract.toml", width, lopsided), lopsided), path)
    return path


def write_sampled_classifier(
    folder: Path,
    *,
    calibration: str = "photos",
    evaluation: str = "labelled",
    width: int = 16,
    lopsided: bool = False,
) -> Path:
    """The classifier beside 16 images to calibrate with and 40 labelled ones, in folders of these names.

    ``calib`` and ``eval`` are names that are found without being asked for.
    """
    write_images(folder / calibration, 16, seed=5, labelled=False)
    write_images(folder / evaluation, 40, seed=6, labelled=True)
    return write_classifier(folder, width=width, lopsided=lopsided)


def _model(head: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], lopsided: bool) -> onnx.ModelProto:
    width, classes = head.shape
    g = Graph(7)
    x, channels = "x", 3
    for layer in range(3):
        weight = g.weight(f"w{layer}", (width, channels, 3, 3), (2 / (9 * channels)) ** 0.5)
        x = g.node("Conv", [x, weight, g.weight(f"b{layer}", (width,), 0.1)], f"conv{layer}", pads=[1] * 4)
        x = g.node("Relu", [x], f"relu{layer}")
        channels = width
        if lopsided and layer == 0:
            x = lopsided_layer(g, x, width)
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "pool")], "flatten")
    renamed(g, g.node("Gemm", [x, g.constant("head", head), g.constant("bias", bias)], "classes"), "y")
    return g.model([floats("x", 1, 3, SIZE, SIZE)], [floats("y", 1, classes)])


def _fitted(
    contract_path: Path, width: int, lopsided: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Least squares from pooled features to one-hot classes, on 240 images."""
    features = _model(np.eye(width, dtype=np.float32), np.zeros(width, np.float32), lopsided)
    session = ort.InferenceSession(features.SerializeToString(), providers=["CPUExecutionProvider"])
    contract = load_contract(contract_path)
    rng = np.random.default_rng(1)
    rows, wanted = [], []
    for index in range(240):
        tensors = contract.encode(stripes(index % 4, rng)).tensors
        rows.append(np.append(session.run(None, tensors)[0][0], 1.0))
        wanted.append(np.eye(4)[index % 4] * 10)
    # large weights that cancel each other would be a second layer that int8 does not hold
    smallest = 1e-3 if lopsided else None
    solution = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=smallest)[0].astype(np.float32)
    return solution[:width], solution[width]
