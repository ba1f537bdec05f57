"""OpenVINO: IR (and ONNX) on the CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from typing import Any

from .bundle import Bundle
from .failure import RunnerError
from .sessions import Array, OperatorTime, Spec

try:
    import openvino
except ImportError as error:
    raise RunnerError(
        f"openvino is not usable here ({error}); install it with: pip install openvino"
    ) from error

_DTYPES = {"f32": "float32", "f16": "float16", "f64": "float64", "boolean": "bool"}
_DEFAULTS = {
    # left to itself it computes in bfloat16 where the CPU has it: slower on small models, and less exact
    "INFERENCE_PRECISION_HINT": "f32",
    "NUM_STREAMS": "1",
    "PERFORMANCE_HINT": "LATENCY",
}


_ADDED = re.compile(r"(/WithoutBiases|/fq_\w+|/Dequantization\w+)+$")
# layers that OpenVINO makes itself are numbered from all layers ever made; exporters count to hundreds
_NUMBERED = re.compile(r"[A-Z]\w*_\d{4,}$")


class OpenVino:
    """The imported runtime."""

    name = "openvino"

    def __init__(self) -> None:
        self.version = str(openvino.__version__)

    def open(self, bundle: Bundle, threads: int, at_once: int | None = None) -> OpenVinoSession:
        # the threads of all streams together
        streams = at_once or 1
        parallel = {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": str(streams * threads)}
        if at_once:
            # each model ties its streams to the same first processors, where those of two, or a stream and a thread that it
            # has woken, would meet beside an idle one
            parallel["ENABLE_CPU_PINNING"] = "NO"
        return OpenVinoSession(bundle, {**_DEFAULTS, **parallel, **bundle.options})

    def operators(
        self, bundle: Bundle, threads: int, feeds: Mapping[str, Array], runs: int
    ) -> tuple[list[OperatorTime], str]:
        """Read the counters that the runtime keeps by layer."""
        config = {**_DEFAULTS, "INFERENCE_NUM_THREADS": str(threads), **bundle.options, "PERF_COUNT": "YES"}
        session = OpenVinoSession(bundle, config)
        session.run(feeds)
        totals: dict[str, float] = {}
        kinds: dict[str, str] = {}
        for _ in range(runs):
            session.run(feeds)
            for layer in session.layers():
                totals[layer.name] = totals.get(layer.name, 0.0) + layer.ms
                kinds[layer.name] = layer.op
        names = session.source_layers(bundle.source_nodes)
        times = [
            OperatorTime(names.get(name, name), kinds[name], ms / runs) for name, ms in totals.items() if ms
        ]
        return times, "OpenVINO's performance counters"


class OpenVinoSession:
    """A compiled model and one request of it."""

    def __init__(self, bundle: Bundle, config: Mapping[str, str]) -> None:
        try:
            self._model = openvino.Core().compile_model(str(bundle.artifact), "CPU", dict(config))
            self._request = self._model.create_infer_request()
        except RuntimeError as error:
            raise RunnerError(f"openvino does not open {bundle.artifact.name}: {_words(error)}") from error
        self._in = _by_name(self._model.inputs, [tensor.name for tensor in bundle.inputs])
        self._out = _by_name(self._model.outputs, [tensor.name for tensor in bundle.outputs])
        self.inputs = [_spec(name, port) for name, port in self._in.items()]
        self.outputs = [_spec(name, port) for name, port in self._out.items()]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        results = self._request.infer({self._in[name]: value for name, value in feeds.items()})
        return {name: results[port] for name, port in self._out.items()}

    def beside(self) -> OpenVinoSession:
        """Another request of the compiled model, which a stream of its own answers."""
        other = copy(self)
        other._request = self._model.create_infer_request()
        return other

    def layers(self) -> list[OperatorTime]:
        """Times of the last inference."""
        return [
            OperatorTime(layer.node_name, layer.node_type, layer.real_time.total_seconds() * 1000)
            for layer in self._request.get_profiling_info()
        ]

    def source_layers(self, source_nodes: Mapping[str, str]) -> dict[str, str]:
        """Executed layer -> the source layers fused into it, comma-separated."""
        found = {}
        for node in self._model.get_runtime_model().get_ordered_ops():
            info = node.get_rt_info()
            if "originalLayersNames" in info:
                names = _source_names(info["originalLayersNames"].astype(str).split(","))
                found[node.get_friendly_name()] = ",".join(source_nodes.get(name, name) for name in names)
        return {name: fused for name, fused in found.items() if fused}


def _words(error: RuntimeError) -> str:
    """One line of what OpenVINO says, without the places of its source that it names before."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("Exception from")) or str(error)


def _source_names(layers: list[str]) -> list[str]:
    """The model's own names among those of fused layers, without what OpenVINO added on its way to int8."""
    plain = list(dict.fromkeys(_ADDED.sub("", layer) for layer in layers if layer))
    return [name for name in plain if not _NUMBERED.match(name)] or plain


def _by_name(ports: Any, wanted: list[str]) -> dict[str, Any]:
    """The ports by the names that the manifest uses; all others by their first name."""
    found = {}
    for index, port in enumerate(ports):
        names = port.get_names()
        known = [name for name in wanted if name in names]
        found[known[0] if known else min(names, default=f"#{index}")] = port
    return found


def _spec(name: str, port: Any) -> Spec:
    shape = tuple(int(size.get_length()) if size.is_static else -1 for size in port.get_partial_shape())
    element = port.get_element_type().get_type_name()
    dtype = _DTYPES.get(element) or element.replace("i", "int", 1).replace("u", "uint", 1)
    return Spec(name, shape, dtype)
