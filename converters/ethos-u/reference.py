"""What a graph answers by TFLite's reference kernels, and how far two graphs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_graph import Graph

if TYPE_CHECKING:
    from edgekit.conversion.protocol import IoMap

Array = np.ndarray[Any, Any]
SAMPLES = 4
"""Enough: each holds thousands of values at every operator."""


class Reference:
    """A graph in LiteRT's interpreter, without the delegate that rounds its own way.

    Real values go in and come out, whatever the dtype of the graph's inputs and outputs.
    """

    def __init__(self, content: bytes) -> None:
        self._model = Interpreter(
            model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
        )
        try:
            self._model.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(f"TFLite's reference kernels do not take the int8 model: {error}") from error

    def run(self, sample: Sequence[Array]) -> list[Array]:
        """Outputs in the graph's order; ``sample`` in that of its inputs."""
        for detail, value in zip(self._model.get_input_details(), sample, strict=True):
            self._model.set_tensor(detail["index"], encoded(value, detail))
        self._model.invoke()
        return [
            decoded(self._model.get_tensor(item["index"]), item) for item in self._model.get_output_details()
        ]

    def encoded(self, sample: Sequence[Array]) -> list[Array]:
        """``sample`` as the graph takes it."""
        details = self._model.get_input_details()
        return [encoded(value, detail) for detail, value in zip(details, sample, strict=True)]

    def decoded(self, outputs: Sequence[Array]) -> list[Array]:
        """What the graph gave, as real values."""
        details = self._model.get_output_details()
        return [decoded(value, detail) for detail, value in zip(details, outputs, strict=True)]

    @property
    def steps(self) -> list[float]:
        """What one integer of each output stands for; 0 for outputs in float."""
        return [float(detail["quantization"][0]) for detail in self._model.get_output_details()]


def encoded(value: Array, detail: Any) -> Array:
    """Real values on the tensor's grid; ties go away from zero, as in TFLite's QUANTIZE."""
    scale, zero_point = detail["quantization"]
    if not scale or value.dtype.kind != "f":
        return np.ascontiguousarray(value.astype(detail["dtype"]))
    bounds = np.iinfo(detail["dtype"])
    ratio = value.astype(np.float32) / np.float32(scale)
    rounded = np.trunc(ratio + np.copysign(np.float32(0.5), ratio)) + zero_point
    return np.ascontiguousarray(rounded.clip(bounds.min, bounds.max).astype(detail["dtype"]))


def decoded(value: Array, detail: Any) -> Array:
    scale, zero_point = detail["quantization"]
    return (value.astype(np.float32) - zero_point) * np.float32(scale) if scale else value


def samples(graph: Graph, io: IoMap, calibration: str | None) -> list[list[Array]]:
    """Calibration samples in the order of the graph's inputs, and noise where there are none."""
    files = sorted(Path(calibration).glob("*.npz"))[:SAMPLES] if calibration else []
    maps = {tensor["name"]: tensor for tensor in io["inputs"]}
    names = [graph.tensor(index).name.decode() for index in graph.main.inputs]
    found = []
    for path in files:
        with np.load(path) as arrays:
            found.append([_laid_out(arrays[maps[name]["source"]], maps[name]["transpose"]) for name in names])
    random = np.random.default_rng(0)
    return found or [[_noise(graph, index, random) for index in graph.main.inputs] for _ in range(SAMPLES)]


def _laid_out(value: Array, axes: list[int] | None) -> Array:
    return value if axes is None else np.ascontiguousarray(value.transpose(axes))


def _noise(graph: Graph, index: int, random: np.random.Generator) -> Array:
    shape, grid = graph.shape(index), graph.grid(index)
    if grid is None:
        return random.standard_normal(shape).astype(np.float32)
    reach = 2 ** (grid.bits - 1)
    values = (random.integers(-reach, reach, shape) - grid.zero_point) * grid.scale
    return np.asarray(values, np.float32)
