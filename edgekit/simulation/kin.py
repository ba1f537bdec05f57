"""Whose measurements speak for a runtime of which there are none."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.vocabulary import PredictedRuntime, RuntimeId

_XNNPACK: tuple[PredictedRuntime, ...] = ("tflite-xnnpack",)
SAME_KERNELS: Mapping[RuntimeId, tuple[PredictedRuntime, ...]] = {
    "litert": _XNNPACK,
    "tflite-runtime": _XNNPACK,
}
"""Under another name, what computes with the same kernels."""
OLDER_KERNELS: Mapping[RuntimeId, tuple[PredictedRuntime, ...]] = {
    "litert": ("tflite",),
    "tflite-runtime": ("tflite",),
}
"""What it computed with before, and falls back on: near enough to show, not to decide by."""


def alike(runtime: RuntimeId) -> tuple[PredictedRuntime, ...]:
    """``runtime`` and the runtimes whose constants hold for it, too."""
    return (runtime, *SAME_KERNELS.get(runtime, ()))


def akin(runtime: RuntimeId) -> tuple[PredictedRuntime, ...]:
    """The same and those that come near, nearest first."""
    return (*alike(runtime), *OLDER_KERNELS.get(runtime, ()))
