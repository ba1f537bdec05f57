"""The small GhostNet: what its README promises is measured again, on the images that lie beside it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnx
import onnxruntime
import pytest

from edgekit.contracts import LoadedContract, check_fit, load_contract
from edgekit.data import accuracy, open_samples
from edgekit.models.model import TensorSpec
from examples.ghostnet import fashion
from examples.ghostnet.subset import first_of_each

FOLDER = Path(__file__).parents[2] / "examples/ghostnet"
MODEL = FOLDER / "ghostnet.onnx"
needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="torch trains the example; it is no dependency"
)


@pytest.fixture(scope="module")
def contract() -> LoadedContract:
    return load_contract(FOLDER / "contract.toml")


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load(MODEL).graph


def stated(what: str) -> float:
    """The share in the README's line ``| what | 93.1 % |``."""
    found = re.search(
        rf"^\| {re.escape(what)} \| (\d+\.\d+) % \|", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert found, f"README.md states no accuracy on {what}"
    return float(found[1]) / 100


def test_accuracy_on_the_subset_is_what_the_readme_says(contract: LoadedContract) -> None:
    samples = open_samples(FOLDER / "eval", contract)
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    images = np.concatenate([contract.encode(sample.load()).tensors["image"] for sample in samples])
    logits = session.run(["logits"], {"image": images})[0]
    answers = [contract.decode({"logits": row[None]}) for row in logits]
    metric, measured = accuracy(contract, answers, samples.labels)
    assert (metric, len(samples)) == ("top-1", 1000)
    # two of 1,000 images may change sides where another CPU sums in another order
    assert measured == pytest.approx(stated("1,000 images of `eval/`"), abs=0.002)


def test_accuracy_on_all_test_images_is_stated_and_high() -> None:
    assert stated("10,000 test images") >= 0.925


def test_contract_fits_the_model(contract: LoadedContract) -> None:
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert [image.shape[1:], logits.shape[1:]] == [[1, 28, 28], [10]]
    check_fit(
        contract,
        [TensorSpec(image.name, (1, *image.shape[1:]), "float32")],
        [TensorSpec(logits.name, (1, *logits.shape[1:]), "float32")],
    )


def test_model_is_made_of_ghost_modules(graph: onnx.GraphProto) -> None:
    """Each concatenation joins the output of a dense convolution with a depthwise convolution of that very output."""
    maker = {name: node for node in graph.node for name in node.output}

    def convolution(name: str) -> onnx.NodeProto:
        node = maker[name]
        return node if node.op_type == "Conv" else convolution(node.input[0])  # through Relu

    joins = [node for node in graph.node if node.op_type == "Concat"]
    assert len(joins) >= 8
    for join in joins:
        intrinsic, ghost = join.input
        assert groups(convolution(intrinsic)) == 1
        assert groups(convolution(ghost)) > 1
        assert convolution(ghost).input[0] == intrinsic


def test_model_strides_depthwise_and_excites(graph: onnx.GraphProto) -> None:
    operators = Counter(node.op_type for node in graph.node)
    assert operators["HardSigmoid"] >= 3  # one gate a squeeze-and-excitation
    strided = [node for node in graph.node if node.op_type == "Conv" and 2 in attribute(node, "strides")]
    assert strided
    assert all(groups(node) > 1 for node in strided)


def test_folder_is_small() -> None:
    assert MODEL.stat().st_size <= 1_000_000
    shipped = [path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in shipped) <= 2_000_000


def test_calibration_and_evaluation_share_no_image(contract: LoadedContract) -> None:
    calib, eval_ = ({digest(path) for path in (FOLDER / name).rglob("*.png")} for name in ("calib", "eval"))
    assert len(calib) == 120
    assert not calib & eval_
    per_class = Counter(sample.label for sample in open_samples(FOLDER / "eval", contract))
    assert per_class == dict.fromkeys(fashion.LABELS, 100)


def test_idx_files_are_read_plain_or_gzipped(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    header = b"\0\0\x08\x03" + np.array(images.shape, ">i4").tobytes()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(header + images.tobytes())
    labels = b"\0\0\x08\x01" + np.array([2], ">i4").tobytes() + bytes([7, 9])
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    read_images, read_labels = fashion.load(tmp_path, "t10k")
    np.testing.assert_array_equal(read_images, images)
    assert read_labels.tolist() == [7, 9]


def test_wrong_or_absent_idx_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        fashion.load(tmp_path, "train")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"photo\.png is not an IDX file"):
        fashion.read_idx(tmp_path / "photo.png")


def test_subset_takes_the_first_of_each_class() -> None:
    labels = np.array([1, 0, 1, 1, 0, 0], np.uint8)
    assert first_of_each(labels, 2) == [0, 1, 2, 4]


@needs_torch
def test_training_explains_itself() -> None:
    called = subprocess.run(
        [sys.executable, "-m", "examples.ghostnet.train", "--help"],
        cwd=FOLDER.parents[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--epochs" in called.stdout


@needs_torch
def test_shipped_weights_fit_the_architecture(graph: onnx.GraphProto) -> None:
    from examples.ghostnet.ghostnet import GhostNet

    trained = {tuple(weight.dims) for weight in graph.initializer if len(weight.dims) == 4}
    described = {tuple(weight.shape) for weight in GhostNet().state_dict().values() if weight.dim() == 4}
    assert trained == described


def groups(node: onnx.NodeProto) -> int:
    return int(next(iter(attribute(node, "group")), 1))


def attribute(node: onnx.NodeProto, name: str) -> list[int]:
    values = [onnx.helper.get_attribute_value(item) for item in node.attribute if item.name == name]
    return [number for value in values for number in (value if isinstance(value, list) else [value])]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
