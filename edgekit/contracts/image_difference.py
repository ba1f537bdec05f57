"""How an image input differs from a stored one, in grey levels, and which key of the contract would explain it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgekit.contracts.image import encode_image
from edgekit.contracts.schema import ImageInput
from edgekit.contracts.types import Tensor

MAX_LEVELS = 2.0
"""Grey levels that one pixel may differ by: OpenCV rounds resizing differently on other CPUs."""
MAX_SHIFT_LEVELS = 0.1
MAX_GAIN_ERROR = 0.002
"""Rounding goes either way; a shift or gain of all pixels does not come from it, so that 127 for 127.5 is found."""

_Levels = npt.NDArray[np.float64]
"""[pixels, channels] in grey levels, but for a constant: tensor values times the contract's std."""
_ALTERNATIVES: dict[str, tuple[str, ...]] = {
    "color": ("rgb", "bgr"),
    "resize": ("stretch", "crop", "letterbox", "fit-height", "limit-side"),
    "interpolation": ("nearest", "bilinear", "bicubic", "area"),
    "layout": ("nchw", "nhwc"),
}


def image_difference(fresh: Tensor, stored: Tensor, spec: ImageInput, raw: object) -> str | None:
    """What to tell the user, or None where ``fresh`` equals ``stored`` but for OpenCV's rounding.

    ``raw`` is the image that ``fresh`` was made from, for trying other choices.
    """
    if _is_same(fresh, stored, spec):
        return None
    return _amount(fresh, stored, spec) + _cause(fresh, stored, spec, raw)


def _has_form_of(fresh: Tensor, stored: Tensor) -> bool:
    return fresh.shape == stored.shape and fresh.dtype == stored.dtype


def _is_same(fresh: Tensor, stored: Tensor, spec: ImageInput) -> bool:
    if not _has_form_of(fresh, stored):
        return False
    made, kept = _levels(fresh, spec), _levels(stored, spec)
    return bool(
        np.abs(made - kept).max() <= MAX_LEVELS
        and np.abs(made.mean(0) - kept.mean(0)).max() <= MAX_SHIFT_LEVELS
        and np.abs(_gains(made, kept) - 1.0).max() <= MAX_GAIN_ERROR
    )


def _levels(tensor: Tensor, spec: ImageInput) -> _Levels:
    values = tensor[0].transpose(1, 2, 0) if spec.layout == "nchw" else tensor[0]
    levels: _Levels = values.reshape(-1, values.shape[-1]).astype(np.float64) * spec.std
    return levels


def _gains(made: _Levels, kept: _Levels) -> npt.NDArray[np.float64]:
    """By least squares, of each channel; 1 where the picture is flat."""
    deviation = kept - kept.mean(0)
    power = (deviation**2).sum(0)
    shared = (deviation * (made - made.mean(0))).sum(0)
    gains: npt.NDArray[np.float64] = np.divide(
        shared, power, out=np.ones_like(power), where=power > len(kept)
    )
    return gains


def _amount(fresh: Tensor, stored: Tensor, spec: ImageInput) -> str:
    if not _has_form_of(fresh, stored):
        return f"the contract makes {fresh.dtype} {list(fresh.shape)}, stored is {stored.dtype} {list(stored.shape)}"
    apart = np.abs(_levels(fresh, spec) - _levels(stored, spec))
    return f"differs by up to {apart.max():.1f} grey levels (mean {apart.mean():.2f})"


def _cause(fresh: Tensor, stored: Tensor, spec: ImageInput, raw: object) -> str:
    """The one key that, set otherwise, gives the stored tensor; or that it is a matter of mean and std."""
    for key, values in _ALTERNATIVES.items():
        for value in values:
            other = spec.model_copy(update={key: value})
            if other != spec and _is_same(encode_image(raw, other)[0], stored, other):
                return f"; {key} = '{value}' gives the stored one, the contract says '{getattr(spec, key)}'"
    if _has_form_of(fresh, stored) and _is_scaled(_levels(fresh, spec), _levels(stored, spec)):
        return "; it is the same picture with another 'mean' or 'std'"
    return "; no other color, resize, interpolation or layout alone gives the stored one"


def _is_scaled(made: _Levels, kept: _Levels) -> bool:
    """Whether one is the other times a gain plus a shift in each channel."""
    gains = _gains(made, kept)
    rest = (made - made.mean(0)) - gains * (kept - kept.mean(0))
    return bool((gains > 0).all() and np.abs(rest).max() <= MAX_LEVELS * max(1.0, gains.max()))
