"""What a runtime's session offers, and the registry of runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from .bundle import Bundle
from .failure import RunnerError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Spec:
    """One input or output as the artifact has it; free dimensions are -1, ``scale`` 0 where not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class OperatorTime:
    """Mean time of one operator of the artifact over the profiled runs."""

    name: str
    op: str
    ms: float


class Session(Protocol):
    """A loaded artifact; arrays are in the artifact's own names, layouts and dtypes."""

    @property
    def inputs(self) -> Sequence[Spec]: ...
    @property
    def outputs(self) -> Sequence[Spec]: ...

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """One inference."""

    def beside(self) -> Session:
        """One on the same weights whose inferences may run while this one's do, of as many as it was opened for."""


class Runtime(Protocol):
    """An imported runtime: its version, and how it opens and profiles an artifact."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...

    def open(self, bundle: Bundle, threads: int, at_once: int | None = None) -> Session:
        """Load the artifact for so many inferences at once, each on ``threads`` threads, and an application's work beside
        them; None: for one, and nothing beside it. RunnerError where the runtime refuses it.
        """

    def operators(
        self, bundle: Bundle, threads: int, feeds: Mapping[str, Array], runs: int
    ) -> tuple[list[OperatorTime], str]:
        """Time each operator over ``runs`` inferences in a session of its own; the text says how."""


def import_runtime(name: str) -> Runtime:
    """Import the runtime that a manifest names; RunnerError says which package is missing."""
    # one import each, on demand: a board has one of them
    if name == "onnxruntime":
        from .runtime_onnxruntime import OnnxRuntime

        return OnnxRuntime()
    if name == "openvino":
        from .runtime_openvino import OpenVino

        return OpenVino()
    if name in ("litert", "tflite-runtime"):
        from .runtime_litert import LiteRt

        return LiteRt(name)
    raise RunnerError(
        f"no runtime '{name}' in this runner; it knows onnxruntime, openvino, litert, tflite-runtime"
    )
