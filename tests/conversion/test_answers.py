"""What an artifact answers, compared with its source: the figures that go into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.contracts import Geometry, LoadedContract
from edgekit.conversion.answers import Answers, compare, read_answers
from edgekit.conversion.samples import Evaluation
from edgekit.data import Samples
from tests.contracts.making import image, loaded

YOLO: dict[str, Any] = {
    "kind": "boxes", "decoder": "yolov3", "names": ["y"], "labels": "labels.txt", "anchors": [[8.0, 8.0]],
    "score_threshold": 0.3,
}  # fmt: skip
PLAIN = Geometry(original_hw=(32, 64), input_hw=(32, 64), scale=(1.0, 1.0), offset=(0.0, 0.0))


def logits(*scores: float) -> npt.NDArray[np.float32]:
    """One box in each column, of these scores."""
    raw = np.zeros((1, 6, 1, len(scores)), np.float32)
    raw[0, 4, 0] = np.log(np.array(scores) / (1 - np.array(scores)))
    raw[0, 5] = 30
    return raw


def answers(contract: LoadedContract, *samples: npt.NDArray[np.float32]) -> Answers:
    return read_answers([{"y": raw} for raw in samples], [PLAIN] * len(samples), contract)


def test_boxes_are_compared_by_one_threshold_and_by_two(tmp_path: Path) -> None:
    contract = loaded(tmp_path, "object-detection", [image(size=[32, 64])], YOLO, ("x",))
    source = answers(contract, logits(0.9, 0.31, 0.1), logits(0.9, 0.1, 0.1))
    ours = answers(contract, logits(0.9, 0.29, 0.1), logits(0.9, 0.1, 0.4))
    found = compare(
        source, ours, contract, Evaluation(samples=Samples("two", ()), data="two"), "int8"
    ).fidelity
    assert found.agreement == round(2 / 3, 6)  # a miss in the one, a box of its own in the other
    assert found.hysteresis_agreement == round((1 + 2 / 3) / 2, 6)


def test_other_answers_have_the_one_figure(tmp_path: Path) -> None:
    contract = loaded(tmp_path)
    given = read_answers([{"y": np.array([[1, 2, 3]], np.float32)}], [None], contract)
    evaluation = Evaluation(samples=Samples("one", ()), data="one")
    assert compare(given, given, contract, evaluation, "int8").fidelity.hysteresis_agreement is None
