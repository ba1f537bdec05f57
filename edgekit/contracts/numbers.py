"""Functions on numbers that decoders share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


def sigmoid(values: _Floats) -> _Floats:
    """1 / (1 + e^-x); by tanh, which saturates where e^-x would overflow."""
    result: _Floats = 0.5 * (1.0 + np.tanh(0.5 * values))
    return result


def softmax(values: _Floats) -> _Floats:
    """e^x / sum(e^x) over all of ``values``, shifted so that the largest power is 1."""
    powers: _Floats = np.exp(values - values.max())
    probabilities: _Floats = powers / powers.sum()
    return probabilities
