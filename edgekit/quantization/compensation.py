"""Round weights one input at a time and let the rest make up for the error (GPTQ).

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", ICLR 2023,
arXiv 2210.17323; its error feedback is Optimal Brain Surgeon's. The order by falling curvature is the paper's
reference code's ``act_order``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = np.ndarray[Any, Any]
Floats = npt.NDArray[np.float64]

DAMPING = 0.01
"""Added to the curvature's diagonal, as a part of its mean: inputs that the samples never saw have none."""
BLOCK = 64
"""Inputs after which the error is fed on to all that follow; within a block it is fed on at once."""


def damped(curvature: Floats, part: float = DAMPING) -> Floats:
    """``curvature`` [groups, inputs, inputs] with a share of its mean diagonal added."""
    mean = np.diagonal(curvature, axis1=1, axis2=2).mean(axis=1)
    tiny = np.finfo(np.float64).tiny ** 0.25  # a group that saw zeros alone
    return np.asarray(curvature + (part * mean + tiny)[:, None, None] * np.eye(curvature.shape[1]))


def compensate(weights: Array, curvature: Floats, scales: Array, limit: int) -> Array:
    """Integers for ``weights``, within ``-limit`` and ``limit``.

    weights: [groups, outputs, inputs]; curvature: second moments of the inputs, [groups, inputs, inputs], positive
    definite; scales: [groups, outputs]. Minimizes the squared error of the outputs, greedily.

    The largest weight of each output gets the largest integer: so a quantizer that takes its scale from the largest
    weight finds these very integers, and every converter makes the same model.
    """
    order = np.argsort(-np.diagonal(curvature, axis1=1, axis2=2), axis=1, kind="stable")
    sorted_ = np.take_along_axis(curvature, order[:, :, None], 1)
    sorted_ = np.take_along_axis(sorted_, order[:, None, :], 2)
    feedback = np.linalg.cholesky(np.linalg.inv(sorted_)).transpose(0, 2, 1)
    rest = np.take_along_axis(weights.astype(np.float64), order[:, None, :], 2)
    largest = np.abs(rest).argmax(axis=2)
    anchors = np.sign(np.take_along_axis(rest, largest[:, :, None], 2))[:, :, 0] * limit
    integers = np.zeros_like(rest)
    inputs = rest.shape[2]
    for begin in range(0, inputs, BLOCK):
        end = min(inputs, begin + BLOCK)
        errors = np.zeros((*rest.shape[:2], end - begin))
        for place in range(begin, end):
            column = rest[:, :, place]
            nearest = np.clip(np.rint(column / scales), -limit, limit)
            integers[:, :, place] = np.where(largest == place, anchors, nearest)
            error = (column - integers[:, :, place] * scales) / feedback[:, place, place][:, None]
            rest[:, :, place + 1 : end] -= error[:, :, None] * feedback[:, None, place, place + 1 : end]
            errors[:, :, place - begin] = error
        rest[:, :, end:] -= errors @ feedback[:, begin:end, end:]
    back = np.argsort(order, axis=1, kind="stable")
    return np.take_along_axis(integers, back[:, None, :], 2)
