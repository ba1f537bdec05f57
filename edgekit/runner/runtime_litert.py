"""LiteRT and its forerunner tflite-runtime: .tflite on the CPU, through XNNPACK."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .bundle import Bundle
from .failure import RunnerError
from .sessions import Array, OperatorTime, Spec
from .tflite_operators import operator_times

_LEAST = 3
"""Runs of each part: the least of their times is taken."""
_PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


class LiteRt:
    """The imported runtime; an old board has ``tflite_runtime``, which runs the same files."""

    def __init__(self, preferred: str) -> None:
        order = sorted(_PACKAGES, key=lambda name: name != preferred)
        failures = []
        for name in order:
            try:
                self._module = importlib.import_module(f"{_PACKAGES[name]}.interpreter")
                self._interpreter = self._module.Interpreter
            except ImportError as error:
                failures.append(str(error))
                continue
            self.name = name
            self.version = _version(_PACKAGES[name])
            return
        raise RunnerError(
            f"no TFLite runtime here ({'; '.join(failures)}); install it with: pip install ai-edge-litert"
        )

    def open(self, bundle: Bundle, threads: int, at_once: int | None = None) -> LiteRtSession:
        return LiteRtSession(bundle, self._interpreter, threads, _kernels(bundle, self._module))

    def operators(
        self, bundle: Bundle, threads: int, feeds: Mapping[str, Array], runs: int
    ) -> tuple[list[OperatorTime], str]:
        """Time ever longer parts of the model: the Python interpreter keeps no times by operator."""

        def open_model(content: bytes) -> Any:
            return self._interpreter(
                model_content=content, num_threads=threads, **_kernels(bundle, self._module)
            )

        if not hasattr(self._interpreter, "_get_ops_details"):
            return [], f"{self.name} {self.version} does not list its operators"
        try:
            # asked for one, the clock is exact
            least = runs if runs < _LEAST else max(_LEAST, runs // 4)
            times = operator_times(bundle, open_model, feeds, least, threads=threads)
        except (RuntimeError, ValueError) as error:  # a part may use what only the whole sets up
            return [], f"a part of the model does not run alone: {error}"
        return times, "differences of the times of ever longer parts of the model"


class LiteRtSession:
    """One interpreter with its tensors allocated."""

    def __init__(self, bundle: Bundle, interpreter: Any, threads: int, kernels: Mapping[str, Any]) -> None:
        self._opened_with = bundle, interpreter, threads, kernels
        try:
            self._interpreter = interpreter(model_path=str(bundle.artifact), num_threads=threads, **kernels)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError, SystemError) as error:
            raise RunnerError(
                f"the TFLite runtime does not open {bundle.artifact.name}: {error}{_numpy_hint(interpreter)}"
            ) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._in = {str(detail["name"]): int(detail["index"]) for detail in inputs}
        self._out = {str(detail["name"]): int(detail["index"]) for detail in outputs}
        self.inputs = [_spec(detail) for detail in inputs]
        self.outputs = [_spec(detail) for detail in outputs]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        for name, value in feeds.items():
            self._interpreter.set_tensor(self._in[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._out.items()}

    def beside(self) -> LiteRtSession:
        """An interpreter of its own on the same mapped file; XNNPACK packs its weights once more."""
        return LiteRtSession(*self._opened_with)


def _kernels(bundle: Bundle, module: Any) -> dict[str, Any]:
    """``kernels = "reference"``: those that define what int8 answers, slow, without XNNPACK's own rounding."""
    if bundle.options.get("kernels") != "reference":
        return {}
    return {"experimental_op_resolver_type": module.OpResolverType.BUILTIN_REF}


def _numpy_hint(interpreter: Any) -> str:
    """tflite-runtime was built against numpy 1; with numpy 2 it fails without a word on why."""
    if interpreter.__module__.startswith("tflite_runtime") and int(np.__version__.split(".")[0]) >= 2:
        return f" (tflite-runtime needs numpy<2, here is {np.__version__}: pip install 'numpy<2')"
    return ""


def _spec(detail: Any) -> Spec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return Spec(str(detail["name"]), shape, detail["dtype"].__name__, float(scale), int(zero_point))


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in (package.replace("_", "-"), package.replace("_", "-") + "-nightly"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
