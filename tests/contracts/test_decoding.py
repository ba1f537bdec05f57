"""Classes, embeddings, texts and plain tensors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.contracts import Classes, Embedding, LoadedContract, Text, tensor_contract
from edgekit.contracts.predictions import Prediction
from edgekit.errors import ContractError, DataError
from tests.contracts.making import CLASSES, Spec, loaded, token_inputs

SCORES = np.array([[0.0, 2.0, 1.0]], np.float32)


def classes(folder: Path, **changes: Any) -> LoadedContract:
    return loaded(folder, output=CLASSES | changes)


@pytest.mark.parametrize(
    ("activation", "scores"),
    [
        ("softmax", [math.exp(x) / (1 + math.exp(1) + math.exp(2)) for x in (2, 1, 0)]),
        ("sigmoid", [1 / (1 + math.exp(-x)) for x in (2, 1, 0)]),
        ("none", [2.0, 1.0, 0.0]),
    ],
)
def test_classes_best_first(tmp_path: Path, activation: str, scores: list[float]) -> None:
    answer = classes(tmp_path, activation=activation).decode({"y": SCORES})
    assert isinstance(answer, Classes)
    assert [(item.index, item.label) for item in answer.top] == [(1, "dog"), (2, "bird"), (0, "cat")]
    assert [item.score for item in answer.top] == pytest.approx(scores)


def test_top_k_and_ties(tmp_path: Path) -> None:
    answer = classes(tmp_path, top_k=2).decode({"y": np.zeros((1, 3), np.float32)})
    assert isinstance(answer, Classes)
    assert [item.label for item in answer.top] == ["cat", "dog"]


def test_huge_scores_do_not_overflow(tmp_path: Path) -> None:
    for activation in ("softmax", "sigmoid"):
        answer = classes(tmp_path, activation=activation).decode({"y": np.array([[-3e38, 3e38, -np.inf]])})
        assert isinstance(answer, Classes)
        assert answer.top[0].score == 1.0


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"z": SCORES}, "output 'y' is missing; there are: z"),
        ({"y": np.zeros((1, 4))}, "4 scores"),
        ({"y": np.array([[0.0, np.nan, 1.0]])}, "output 'y' is empty or holds NaN"),
        ({"y": np.array([[0.0, np.inf, 1.0]])}, "output 'y' is empty or holds NaN or infinity"),
        ({"y": np.full((1, 3), -np.inf)}, "output 'y' is empty or holds NaN or infinity"),
        ({"y": np.zeros((1, 0))}, "output 'y' is empty"),
    ],
)
def test_outputs_without_sense_are_refused(
    tmp_path: Path, outputs: dict[str, np.ndarray[Any, Any]], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        classes(tmp_path).decode(outputs)


def test_embeddings_are_scaled_to_length_1(tmp_path: Path) -> None:
    answers: list[Prediction] = []
    for normalize in (True, False):
        output = {"kind": "embedding", "name": "y", "normalize": normalize}
        contract = loaded(tmp_path, "sentence-embedding", token_inputs(), output, tokenizer="tokenizer.json")
        answers.append(contract.decode({"y": np.array([[3.0, 4.0]], np.float32)}))
        with pytest.raises(ContractError, match=r"an embedding is \[1, D\]"):
            contract.decode({"y": np.zeros((1, 5, 2))})
        with pytest.raises(ContractError, match="infinity"):
            contract.decode({"y": np.array([[1.0, -np.inf]])})
    assert answers == [Embedding((0.6, 0.8)), Embedding((3.0, 4.0))]


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([1, 1, 0, 1, 2, 2, 3, 0], "aab "),  # repeats count once unless a blank is between
        ([0, 0, 0], ""),
        ([3, 1, 3], " a "),
    ],
)
def test_ctc_drops_repeats_and_blanks(tmp_path: Path, steps: list[int], text: str) -> None:
    scores = np.full((1, len(steps), 4), 0.1, np.float32)
    scores[0, np.arange(len(steps)), steps] = 0.75
    answer = reader(tmp_path).decode({"y": scores})
    assert isinstance(answer, Text)
    assert answer.text == text
    assert answer.score == (0.75 if text else 0.0)


def test_ctc_names_the_characters_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"needs \[1, T, 4\]: blank, 2 characters, space"):
        reader(tmp_path).decode({"y": np.zeros((1, 9, 5), np.float32)})


def reader(folder: Path) -> LoadedContract:
    (folder / "characters.txt").write_text("a\nb\n")
    output = {"kind": "text", "name": "y", "characters": "characters.txt"}
    return loaded(folder, "text-recognition", output=output)


def test_plain_tensors_go_through_unread() -> None:
    contract = tensor_contract([Spec("a", (1, 2))], [Spec("y", (3,)), Spec("z", (1,), "int64")])
    nan = contract.decode({"y": np.array([np.nan, 0.0], np.float32), "z": np.array([7])})
    assert json.loads(nan.to_json())["tensors"]["y"]["first"] == ["nan", 0.0]
    answer = contract.decode({"y": np.array([1.0, -2.0, np.inf], np.float32), "z": np.array([7])})
    assert json.loads(answer.to_json())["tensors"] == {
        "y": {
            "shape": [3],
            "dtype": "float32",
            "min": -2.0,
            "max": "inf",
            "mean": "inf",
            "first": [1.0, -2.0, "inf"],
        },
        "z": {"shape": [1], "dtype": "int64", "min": 7.0, "max": 7.0, "mean": 7.0, "first": [7.0]},
    }


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "no array of that name; there are: none"),
        ({"a": np.zeros((2, 2))}, r"needs shape \[1, 2\], got \[2, 2\]"),
        ({"a": np.zeros((1, 2), np.complex64)}, "needs int8, got complex64"),
        ({"a": np.full((1, 2), 200)}, "needs int8, got int64"),
        ("text", "needs the arrays of an .npz file"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(raw: Any, message: str) -> None:
    contract = tensor_contract([Spec("a", (1, 2), "int8")], [Spec("y", (3,))])
    with pytest.raises(DataError, match=message):
        contract.encode(raw)


def test_whole_numbers_that_fit_are_narrowed() -> None:
    contract = tensor_contract([Spec("a", (1, 2), "int8")], [Spec("y", (3,))])
    assert contract.encode({"a": np.array([[-128, 127]])}).tensors["a"].dtype == np.int8


def test_json_is_one_sorted_rounded_line(tmp_path: Path) -> None:
    line = classes(tmp_path, top_k=1).decode({"y": SCORES}).to_json()
    assert line == '{"classes":[{"index":1,"label":"dog","score":0.665}]}'


def test_json_does_not_change_with_rounding_noise(tmp_path: Path) -> None:
    contract = classes(tmp_path)
    assert contract.decode({"y": SCORES}).to_json() == contract.decode({"y": SCORES + 1e-6}).to_json()
    assert Embedding((-1e-12, 0.123456)).to_json() == '{"embedding":[0.0,0.1235]}'
    assert Embedding((12345.6, 0.0)).to_json() == '{"embedding":[12350.0,0.0]}'
    assert Embedding((0.0, 0.0)).to_json() == '{"embedding":[0.0,0.0]}'
