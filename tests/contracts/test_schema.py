"""A contract that contradicts itself is refused with the keys named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from edgekit.contracts import load_contract
from edgekit.contracts.schema import INPUT_KIND, OUTPUT_KINDS
from edgekit.errors import ContractError
from edgekit.vocabulary import Task
from tests.contracts.making import CLASSES, IMAGE, contract, image, token_inputs

BOXES = {"kind": "boxes", "labels": "labels.txt"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"inputs": [image(mean=[1.0])]}, "'mean' and 'std' need 3 value"),
        ({"inputs": [image(color="gray")]}, "need 1 value"),
        ({"inputs": [image(std=[1.0, 0.0, 1.0])]}, "std.1: "),
        ({"inputs": [image(mean=[1.0, float("nan"), 1.0])]}, "mean.1: "),
        ({"inputs": [image(size=[4, 0])]}, "size.1: "),
        ({"inputs": [image(colour="rgb")]}, "colour: unknown key; did you mean 'color'"),
        ({"inputs": [image(resize="letterbocks")]}, "did you mean 'letterbox'"),
        ({"inputs": [image(resize_short_side=256)]}, "'resize_short_side' belongs to resize 'crop'"),
        ({"inputs": [image(resize="crop", resize_short_side=5)]}, "at least the larger side"),
        ({"inputs": []}, "'inputs' is empty"),
        ({"inputs": [IMAGE, IMAGE]}, "input 'x' is given twice"),
        ({"inputs": [IMAGE, image(name="z")]}, "a task on images has one input"),
        ({"task": "object-detection"}, "needs an output of kind 'boxes', not 'classes'"),
        ({"task": "semantic-segmentation"}, "needs an output of kind 'mask' or 'index-map', not 'classes'"),
        ({"task": "text-classification"}, "needs inputs of kind 'tokens' only"),
        ({"task": "text-classification", "inputs": token_inputs()}, "needs 'tokenizer'"),
        (
            {
                "task": "text-classification",
                "inputs": [*token_inputs(4)[:1], *token_inputs(8)[1:]],
                "tokenizer": "tokenizer.json",
            },
            "the same 'tokens'",
        ),
        (
            {"task": "face-detection", "output": BOXES | {"decoder": "blazeface", "names": ["a"]}},
            "needs 4 'names'",
        ),
        ({"task": "object-detection", "output": BOXES | {"decoder": "yolov3", "names": ["a"]}}, "'anchors'"),
        (
            {
                "task": "object-detection",
                "output": BOXES | {"decoder": "yolov3", "names": ["a", "b"], "anchors": [[1.0, 2.0]]},
            },
            "same number of 'anchors'",
        ),
        ({"output": CLASSES | {"top_k": 0}}, "top_k: "),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value),
)
def test_contradictions_are_named(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        load_contract(contract(tmp_path, **keys))
    assert message in str(caught.value)
    assert str(tmp_path / "contract.toml") in str(caught.value)


def test_every_task_has_its_kinds() -> None:
    assert set(OUTPUT_KINDS) == set(INPUT_KIND) == set(get_args(Task))
