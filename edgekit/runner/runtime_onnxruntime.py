"""onnxruntime: .onnx and .ort on the CPU."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .bundle import Bundle
from .failure import RunnerError
from .sessions import Array, OperatorTime, Spec

# its Linux wheels collect and post on import; only this variable, set before, stops them
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
try:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state
except ImportError as error:
    raise RunnerError(
        f"onnxruntime is not usable here ({error}); install it with: pip install onnxruntime"
    ) from error

# they share no base class of their own, and versions differ in which there are
_ERRORS = tuple(
    value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)
)
_DTYPES = {"float": "float32", "double": "float64", "float16": "float16"}
_LEVELS = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
_KERNEL = "_kernel_time"


class OnnxRuntime:
    """The imported runtime."""

    name = "onnxruntime"

    def __init__(self) -> None:
        self.version = str(onnxruntime.__version__)

    def open(self, bundle: Bundle, threads: int, at_once: int | None = None) -> OnnxSession:
        return OnnxSession(bundle, _options(bundle, threads))

    def operators(
        self, bundle: Bundle, threads: int, feeds: Mapping[str, Array], runs: int
    ) -> tuple[list[OperatorTime], str]:
        """Read the profile that the runtime itself writes."""
        with tempfile.TemporaryDirectory() as folder:
            options = _options(bundle, threads)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = OnnxSession(bundle, options)
            for _ in range(runs + 1):
                session.run(feeds)
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return _operators(events, runs, bundle.source_nodes), "onnxruntime's profile"


class OnnxSession:
    """One inference session."""

    def __init__(self, bundle: Bundle, options: Any) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.artifact), options, providers=["CPUExecutionProvider"]
            )
        except _ERRORS as error:
            raise RunnerError(f"onnxruntime does not open {bundle.artifact.name}: {error}") from error
        self.inputs = [_spec(value) for value in self._session.get_inputs()]
        self.outputs = [_spec(value) for value in self._session.get_outputs()]
        self._names = [spec.name for spec in self.outputs]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        values = self._session.run(self._names, dict(feeds))
        return dict(zip(self._names, values))

    def beside(self) -> OnnxSession:
        """Itself: any number of threads may call ``run`` (onnxruntime's C API, ``Run``); what ``threads`` there are beyond
        one for each of them is shared.
        """
        return self

    def end_profiling(self) -> str:
        """Stop profiling; the path of the profile."""
        return str(self._session.end_profiling())


def _options(bundle: Bundle, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns of every optimized file that it is made for one machine
    for key, value in bundle.options.items():
        if key == "graph_optimization_level":
            options.graph_optimization_level = getattr(
                onnxruntime.GraphOptimizationLevel, _LEVELS.get(value, value)
            )
        else:
            options.add_session_config_entry(key, value)
    return options


def _spec(value: Any) -> Spec:
    element = re.sub(r"^tensor\((.*)\)$", r"\1", value.type)
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return Spec(value.name, shape, _DTYPES.get(element, element))


def _operators(events: list[Any], runs: int, source_nodes: Mapping[str, str]) -> list[OperatorTime]:
    """Mean over all but the first run, in the order of execution."""
    seen: dict[str, list[float]] = {}
    ops: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            name = event["name"][: -len(_KERNEL)]
            seen.setdefault(name, []).append(event["dur"] / 1000)
            ops[name] = event["args"]["op_name"]
    return [
        OperatorTime(source_nodes.get(name, name), ops[name], sum(times[-runs:]) / runs)
        for name, times in seen.items()
    ]
