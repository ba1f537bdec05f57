"""Small int8 TFLite models, written operator by operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Array = np.ndarray[Any, Any]
INT8, INT32, FLOAT32 = (getattr(schema.TensorType, name) for name in ("INT8", "INT32", "FLOAT32"))


@dataclass
class Builder:
    """Collects tensors and operators; the first tensor is the input."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    operators: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)

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
        quantization = None
        if kind == INT8 or (kind == INT32 and scale != 0.05):
            quantization = schema.QuantizationParametersT(
                scale=np.array([scale], np.float32), zeroPoint=np.array([zero_point], np.int64)
            )
        buffer = 0
        if data is not None:
            self.buffers.append(schema.BufferT(data=np.frombuffer(data.tobytes(), np.uint8)))
            buffer = len(self.buffers) - 1
        made = schema.TensorT(
            shape=np.array(shape, np.int32),
            type=kind,
            buffer=buffer,
            name=name.encode(),
            quantization=quantization,
            hasRank=True,
            shapeSignature=None if signature is None else np.array(signature, np.int32),
        )
        self.tensors.append(made)
        return len(self.tensors) - 1

    def op(
        self, kind: str, inputs: list[int], outputs: list[int], options: Any = None, *, custom: str = ""
    ) -> None:
        number = getattr(schema.BuiltinOperator, kind)
        self.codes.append(
            schema.OperatorCodeT(
                builtinCode=number,
                deprecatedBuiltinCode=min(number, 127),
                version=1,
                customCode=custom.encode() or None,
            )
        )
        name = type(options).__name__.removesuffix("T")
        self.operators.append(
            schema.OperatorT(
                opcodeIndex=len(self.codes) - 1,
                inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32),
                builtinOptions=options,
                builtinOptionsType=getattr(schema.BuiltinOptions, name) if options is not None else 0,
            )
        )

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
        graph = schema.SubGraphT(
            tensors=self.tensors,
            inputs=np.array([0], np.int32),
            outputs=np.array(outputs, np.int32),
            operators=self.operators,
            name=b"main",
        )
        model = schema.ModelT(
            version=3, operatorCodes=self.codes, subgraphs=[graph], buffers=self.buffers, description=b"tiny"
        )
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path
