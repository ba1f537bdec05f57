"""Read a text from CTC scores."""

from __future__ import annotations

import numpy as np

from edgekit.contracts.predictions import Text
from edgekit.contracts.schema import TextOutput
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

_BLANK = 0


def decode_ctc(scores: Tensor, output: TextOutput, characters: tuple[str, ...]) -> Text:
    """The best character of each step of scores [1, T, characters], repeats and blanks left out."""
    if scores.ndim != 3 or scores.shape[0] != 1 or scores.shape[2] != len(characters):
        raise ContractError(
            f"output '{output.name}' has shape {list(scores.shape)}; '{output.characters}' needs "
            f"[1, T, {len(characters)}]: blank, {len(characters) - 2} characters, space"
        )
    best = scores[0].argmax(-1)
    is_new = np.concatenate([[True], best[1:] != best[:-1]])
    kept = np.flatnonzero(is_new & (best != _BLANK))
    probabilities = scores[0].max(-1)[kept].astype(np.float64)
    text = "".join(characters[i] for i in best[kept])
    return Text(text, float(probabilities.mean()) if len(kept) else 0.0)
