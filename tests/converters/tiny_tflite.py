"""Small int8 TFLite models, written operator by operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models import tflite_building

Array = np.ndarray[Any, Any]
INT8, INT16, INT32, FLOAT32 = (tflite_building.TYPES[name] for name in ("int8", "int16", "int32", "float32"))
_NAMES = {number: name for name, number in tflite_building.TYPES.items()}


@dataclass
class Builder:
    """Collects tensors, of int8 unless told otherwise, and operators; the first tensor is the input."""

    graph: tflite_building.Builder = field(default_factory=tflite_building.Builder)

    @property
    def tensors(self) -> list[Any]:
        return self.graph.tensors

    def tensor(
        self,
        name: str,
        shape: list[int],
        kind: int = INT8,
        *,
        scale: float = 0.05,
        zero_point: int = 0,
        data: Array | None = None,
        signature: list[int] | None = None,
    ) -> int:
        """``scale`` and ``zero_point`` are for int8; ``signature``: -1 for sides that are free. Its index."""
        is_scaled = kind in (INT8, INT16) or (kind == INT32 and scale != 0.05)
        index = self.graph.tensor(name, shape, data=data, dtype=_NAMES[kind], scale=scale if is_scaled else 0)
        made = self.tensors[index]
        made.hasRank, made.shapeSignature = True, signature
        if is_scaled:
            made.quantization.zeroPoint = [zero_point]
        return index

    def op(
        self, kind: str, inputs: list[int], outputs: list[int], options: Any = None, *, custom: str = ""
    ) -> None:
        self.graph.operator(custom or kind, inputs, outputs, options)

    def conv(self, source: int, name: str, channels: int, *, scale: float = 0.05, zero_point: int = 0) -> int:
        """A 1 x 1 convolution of an int8 tensor; its result's index."""
        random = np.random.default_rng(channels)
        shape = [int(side) for side in self.tensors[source].shape]
        weights = random.integers(-127, 128, (channels, 1, 1, shape[-1]), dtype=np.int8)
        w = self.tensor(f"{name}_weights", list(weights.shape), scale=0.01, data=weights)
        bias_scale = float(self.tensors[source].quantization.scale[0]) * 0.01
        bias = self.tensor(
            f"{name}_bias", [channels], INT32, scale=bias_scale, data=np.zeros(channels, np.int32)
        )
        out = self.tensor(name, [*shape[:-1], channels], scale=scale, zero_point=zero_point)
        options = schema.Conv2DOptionsT(strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
        self.op("CONV_2D", [source, w, bias], [out], options)
        return out

    def ints(self, name: str, values: list[int]) -> int:
        data = np.array(values, np.int32)
        return self.tensor(name, [len(values)], INT32, data=data)

    def write(self, path: Path, outputs: list[int]) -> Path:
        """Write the model, whose input is the first tensor."""
        path.write_bytes(self.graph.content([0], outputs, "tiny"))
        return path
