"""A contract against its model: every name, shape and dtype that does not match is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.contracts import check_fit
from edgekit.errors import ContractError
from tests.contracts.making import CLASSES, Spec, image, loaded, text_contract, token_inputs

X, Y = Spec("x", (1, 3, 4, 6)), Spec("y", (1, 3))
BOXES = {"kind": "boxes", "labels": "labels.txt"}
BLAZEFACE = BOXES | {"decoder": "blazeface", "names": ["a", "b", "c", "d"]}
YOLO = BOXES | {"decoder": "yolov3", "names": ["a", "b"], "anchors": [[1, 2], [3, 4], [5, 6], [7, 8]]}
REGIONS = {"kind": "text-regions", "name": "y"}
EMBEDDING = {"kind": "embedding", "name": "y"}


@pytest.mark.parametrize(
    "spec",
    [X, Spec("x", ("N", 3, "?", None)), Spec("x", (-1, 3, 0, 6))],
    ids=["fixed", "symbols", "not positive"],
)
def test_a_contract_fits_its_model(tmp_path: Path, spec: Spec) -> None:
    check_fit(loaded(tmp_path), [spec], [Spec("other", (1,)), Y])


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([Spec("X", X.shape)], [Y], "input 'x': the model has no such input; it has: X"),
        ([X, Spec("scale", (1, 2))], [Y], "the model's input 'scale' is not in the contract"),
        ([Spec("x", (1, 4, 6, 3))], [Y], "the contract makes [1, 3, 4, 6], the model takes [1, 4, 6, 3]"),
        ([Spec("x", (3, 4, 6))], [Y], "the model takes [3, 4, 6]"),
        ([Spec("x", (1, 1, "h", "w"))], [Y], "the model takes [1, 1, ?, ?]"),
        ([Spec("x", X.shape, "uint8")], [Y], "input 'x': dtype is 'float32', the model takes 'uint8'"),
        ([X], [Spec("logits", (1, 3))], "output 'y': the model has no such output; it has: logits"),
        ([X], [Spec("y", (1, 1000))], "output 'y': 3 labels need [1, 3], the model gives [1, 1000]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, inputs: list[Spec], outputs: list[Spec], message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        check_fit(loaded(tmp_path), inputs, outputs)
    assert message in str(caught.value)


def test_the_near_miss_of_a_name_is_proposed(tmp_path: Path) -> None:
    contract = loaded(tmp_path, output=CLASSES | {"name": "logits"})
    with pytest.raises(
        ContractError, match=r"'logits': the model has no such output; did you mean 'logits:0'\?"
    ):
        check_fit(contract, [X], [Spec("logits:0", (1, 3)), Y])


def test_all_that_does_not_fit_stands_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        check_fit(loaded(tmp_path), [Spec("x", (1, 3, 5, 6), "uint8"), Spec("z", (1,))], [Spec("y", (1, 4))])
    assert len(str(caught.value).splitlines()) == 1 + 4


def test_limit_side_needs_a_free_height_and_width(tmp_path: Path) -> None:
    contract = loaded(tmp_path, "text-detection", [image(resize="limit-side", size=[64, 64])], REGIONS)
    check_fit(contract, [Spec("x", (1, 3, "h", "w"))], [Spec("y", (1, 1, "h", "w"))])
    with pytest.raises(ContractError, match="needs a free height and width"):
        check_fit(contract, [Spec("x", (1, 3, 64, 64))], [Spec("y", (1, 1, 64, 64))])


def test_token_inputs_have_the_length_of_the_model(tmp_path: Path) -> None:
    inputs = [Spec("input_ids", (1, 6), "int64"), Spec("attention_mask", ("n", "s"), "int64")]
    check_fit(text_contract(tmp_path), inputs, [Y])
    with pytest.raises(ContractError, match=r"'input_ids': the contract makes \[1, 8\]"):
        check_fit(text_contract(tmp_path, tokens=8), inputs, [Y])


@pytest.mark.parametrize(
    ("task", "output", "shapes"),
    [
        ("object-detection", YOLO, {"a": (1, 16, 13, 13), "b": (1, 16, 26, 26)}),
        (
            "face-detection",
            BLAZEFACE,
            {"a": (1, 512, 1), "b": (1, 384, 1), "c": (1, 512, 16), "d": (1, 384, 16)},
        ),
        ("text-detection", REGIONS, {"y": (1, 1, 4, 6)}),
    ],
)
def test_decoders_know_their_outputs(
    tmp_path: Path, task: str, output: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> None:
    contract = loaded(tmp_path, task, output=output)
    check_fit(contract, [X], [Spec(name, shape) for name, shape in shapes.items()])
    last = list(shapes)[-1]
    wrong = shapes | {last: (1, 17, 5)}
    with pytest.raises(ContractError, match=f"output '{last}': "):
        check_fit(contract, [X], [Spec(name, shape) for name, shape in wrong.items()])


def test_an_embedding_is_one_vector_a_sample(tmp_path: Path) -> None:
    contract = loaded(tmp_path, "sentence-embedding", token_inputs(), EMBEDDING, tokenizer="tokenizer.json")
    inputs = [Spec("input_ids", (1, 6), "int64"), Spec("attention_mask", (1, 6), "int64")]
    check_fit(contract, inputs, [Spec("y", (1, 384))])
    with pytest.raises(ContractError, match=r"\[1, 6, 384\]"):
        check_fit(contract, inputs, [Spec("y", (1, 6, 384))])


def test_characters_fit_the_scores(tmp_path: Path) -> None:
    (tmp_path / "characters.txt").write_text("a\nb\n")
    output = {"kind": "text", "name": "y", "characters": "characters.txt"}
    contract = loaded(tmp_path, "text-recognition", output=output)
    check_fit(contract, [X], [Spec("y", (1, "t", 4))])
    with pytest.raises(ContractError, match=r"2 characters, blank and space need \[1, \?, 4\]"):
        check_fit(contract, [X], [Spec("y", (1, 40, 5))])
