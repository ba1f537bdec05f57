"""Token inputs from a real tokenizer of seven words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.contracts import load_contract
from edgekit.errors import DataError
from tests.contracts.making import contract, text_contract, token_inputs

PAD, UNK, CLS, SEP, GOOD, BAD, FILM = range(7)


def test_short_texts_are_padded_and_masked(tmp_path: Path) -> None:
    tensors = text_contract(tmp_path).encode("good film").tensors
    assert tensors["input_ids"].tolist() == [[CLS, GOOD, FILM, SEP, PAD, PAD]]
    assert tensors["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0]]
    assert tensors["input_ids"].dtype == np.int64


def test_long_texts_are_cut_and_keep_their_end_mark(tmp_path: Path) -> None:
    tensors = text_contract(tmp_path).encode("bad " * 50).tensors
    assert tensors["input_ids"].tolist() == [[CLS, BAD, BAD, BAD, BAD, SEP]]


@pytest.mark.parametrize(("text", "ids"), [("", [CLS, SEP]), ("☃", [CLS, UNK, SEP])])
def test_odd_texts_have_tokens_too(tmp_path: Path, text: str, ids: list[int]) -> None:
    tensors = text_contract(tmp_path).encode(text).tensors
    assert tensors["input_ids"].tolist() == [ids + [PAD] * (6 - len(ids))]


def test_the_file_s_own_padding_token_is_used(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    text_contract(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=UNK, pad_token="[UNK]", length=128)  # noqa: S106
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tensors = load_contract(tmp_path / "contract.toml").encode("good").tensors
    assert tensors["input_ids"].tolist() == [[CLS, GOOD, SEP, UNK, UNK, UNK]]


def test_type_ids_and_other_dtypes(tmp_path: Path) -> None:
    inputs = [*token_inputs(dtype="int32"), {"kind": "tokens", "name": "t", "field": "type-ids", "tokens": 6}]
    path = contract(tmp_path, "text-classification", inputs, tokenizer="tokenizer.json")
    tensors = load_contract(path).encode("good").tensors
    assert tensors["t"].tolist() == [[0] * 6]
    assert {name: value.dtype.name for name, value in tensors.items()} == {
        "input_ids": "int32",
        "attention_mask": "int32",
        "t": "int64",
    }


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'input_ids' needs a text, got ndarray"):
        text_contract(tmp_path).encode(np.zeros((2, 2, 3), np.uint8))
