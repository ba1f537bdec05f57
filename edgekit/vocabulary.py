"""The closed sets of words that catalog files, contracts, manifests and commands share."""

from collections.abc import Mapping
from typing import Literal

Precision = Literal["fp32", "fp16", "int8-weights", "int16x8", "int8", "int8-dynamic", "int4-weights"]
"""fp16: half-precision weights; int8: static, calibrated; int8-dynamic: activations quantized as they come.

int16x8: int8's weights and activations of 16 bits, static too; TFLite's 16x8, ai-edge-quantizer's a16w8.

int8-weights, int4-weights: weights stored in 8 or 4 bits, activations float between the operators.
"""
FLOAT_PRECISIONS: frozenset[Precision] = frozenset({"fp32", "fp16"})
INT8_ARITHMETIC: frozenset[Precision] = frozenset({"int16x8", "int8", "int8-dynamic"})
"""What a target's ``int8_activations`` and ``int8_weight_bits`` are about."""

ArtifactFormat = Literal["onnx", "ort", "openvino-ir", "tflite", "tflite-ethos-u", "om", "ms", "rknn"]
"""tflite-ethos-u: TFLite whose parts for the NPU are one custom operator, ``ethos-u``; only such a chip runs it."""
RuntimeId = Literal[
    "onnxruntime", "openvino", "litert", "tflite-runtime", "tflite-micro", "cann", "mindspore-lite", "rknn",
]  # fmt: skip
PredictedRuntime = Literal[
    RuntimeId, "tflite", "tflite-xnnpack", "armnn", "ncnn", "paddle-lite", "qnn", "hiai"
]
"""Runtimes whose speed is known: what targets run, and what others published. ``tflite`` computes with ruy,
``qnn`` on the NPUs of Qualcomm's chips, ``hiai`` on those of Kirin phones."""
SAME_FILES: Mapping[RuntimeId, RuntimeId] = {"tflite-runtime": "litert"}
"""The older runtime of a board runs what is made for, and verified with, its successor."""
Arch = Literal["x86_64", "aarch64", "armv7l", "armv8.1-m"]
"""armv8.1-m: microcontrollers, Cortex-M55 and M85."""
IsaFeature = Literal[
    "sse4.2", "avx", "avx2", "fma", "f16c", "avx-vnni", "avx512f", "avx512-vnni", "avx512-bf16", "amx-int8",
    "neon", "fp16", "dotprod", "i8mm", "bf16", "sve",
    "mve",
]  # fmt: skip
IntegerSums = Literal["exact", "saturating"]
"""How a runtime adds up u8 x s8 products: in 32 bits, or pairs of them in 16 bits, which saturate."""
MeasurementKind = Literal["measured", "emulated", "predicted"]
PREDICTED = "predicted:"
"""Begins the name of a device that nothing runs on."""
Task = Literal[
    "image-classification", "object-detection", "face-detection", "semantic-segmentation", "pose-estimation",
    "text-detection", "text-recognition", "text-classification", "sentence-embedding", "tensor",
]  # fmt: skip
"""``tensor``: no decoder is known, outputs are compared as numbers."""

DType = Literal["float32", "float16", "uint8", "int8", "int16", "int32", "int64", "bool"]
