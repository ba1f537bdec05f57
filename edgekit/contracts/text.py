"""Make token inputs from a text with a ``tokenizer.json``; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgekit.contracts.schema import TokenInput
from edgekit.errors import ContractError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PAD_TOKENS = ("[PAD]", "<pad>", "<|endoftext|>", "</s>")


def load_tokenizer(content: bytes, tokens: int, *, where: str) -> Tokenizer:
    """A ``tokenizer.json``, set to cut and pad on the right to ``tokens``; ContractError where it is broken."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise ContractError(
            f"{where}: no tokenizer of the Hugging Face tokenizers library: {error}"
        ) from None
    pad_id, pad_token = _padding(tokenizer)
    tokenizer.enable_truncation(max_length=tokens)
    tokenizer.enable_padding(direction="right", pad_id=pad_id, pad_token=pad_token, length=tokens)
    return tokenizer


def _padding(tokenizer: Tokenizer) -> tuple[int, str]:
    """The file's own padding token, else a usual one, else id 0: the attention mask hides it anyway."""
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"]), str(tokenizer.padding["pad_token"])
    known = [(found, token) for token in _PAD_TOKENS if (found := tokenizer.token_to_id(token)) is not None]
    return known[0] if known else (0, "[PAD]")


def encode_text(
    text: object, tokenizer: Tokenizer, inputs: Sequence[TokenInput]
) -> dict[str, npt.NDArray[Any]]:
    """One tensor [1, tokens] for each of ``inputs``; DataError where ``text`` is no text."""
    if not isinstance(text, str):
        raise DataError(f"input '{inputs[0].name}' needs a text, got {type(text).__name__}")
    encoding = tokenizer.encode(text)
    fields = {"ids": encoding.ids, "attention-mask": encoding.attention_mask, "type-ids": encoding.type_ids}
    return {item.name: np.asarray([fields[item.field]], item.dtype) for item in inputs}
