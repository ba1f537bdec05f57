"""How int8 answers on a device relate to those of the machine that built the artifact: known before it gets there.

Measured with the true wheels under emulation, docs/decisions/0011-the-integer-contract.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.catalog import integer_sums
from edgekit.catalog.integers import sums_on
from edgekit.host import detect
from edgekit.models.walk import all_nodes

if TYPE_CHECKING:
    import onnx

    from edgekit.catalog_schema import Target, TargetRuntime
    from edgekit.models import Model
    from edgekit.vocabulary import ArtifactFormat, Precision, RuntimeId

EXACT_SUMS: Mapping[str, str] = {"session.x64quantprecision": "1"}
"""Lets onnxruntime turn int8 weights into uint8 on x86, whose u8 x u8 kernels widen first; half as fast.

Not for CPUs with VNNI: it turns them there, too, for nothing. No effect on Arm.
"""
FLOAT_KERNELS: Mapping[str, str] = {"LP_TRANSFORMS_MODE": "NO"}
"""Lets OpenVINO compute in float on the quantized values, as NNCF simulates them, instead of with integer kernels.

Its integer convolutions on Arm do not compile on some cores and answer wrongly on others. A property that the plugin
calls internal (openvino/runtime/internal_properties.hpp) and takes from anyone.
"""
_CONVOLUTIONS = {"Conv", "ConvTranspose"}
_QUANTIZE = {"QuantizeLinear", "DequantizeLinear"}
_MOVES = {
    "Clip", "Concat", "Flatten", "GlobalAveragePool", "Identity", "Max", "MaxPool", "Pad", "QLinearConcat", "Relu",
    "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Pass values on; GlobalAveragePool adds them up in integers."""
_TFLITE_MOVES = {
    "CONCATENATION", "DEQUANTIZE", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "PACK", "PAD", "RELU", "RELU6", "RELU_0_TO_1",
    "RELU_N1_TO_1", "RESHAPE", "SLICE", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE",
}  # fmt: skip
_PRODUCTS = {"Conv", "Gemm", "MatMul", "QGemm", "QLinearConv", "QLinearMatMul"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Artifact:
    """What the answers of an int8 artifact depend on."""

    path: Path
    format: ArtifactFormat
    precision: Precision
    wide_weights: bool
    """The weights have 8 bits: two of their products may not fit into 16."""
    version: str | None
    """Of the runtime here."""
    in_float: bool = False
    """Computed with ``FLOAT_KERNELS``."""


def saturates_here(runtime: RuntimeId) -> bool:
    """Whether ``runtime`` saturates sums of 8-bit products on this machine."""
    machine = _machine()
    return sums_on(machine.arch, machine.isa_features, runtime) == "saturating"


def device_options(
    target: Target, runtime: TargetRuntime, precision: Precision, model: Model
) -> Mapping[str, str]:
    """Settings without which an artifact of ``model`` answers wrongly on the device."""
    # a quantized source keeps its weights of 8 bits
    if model.quantized and runtime.id == "onnxruntime" and integer_sums(target, runtime) == "saturating":
        return EXACT_SUMS
    wrong = precision == "int8" and runtime.id == "openvino" and target.arch == "aarch64"
    return FLOAT_KERNELS if wrong and _convolves(model) else {}


def _convolves(model: Model) -> bool:
    return model.proto is not None and any(
        node.op_type in _CONVOLUTIONS for node in all_nodes(model.proto.graph.node)
    )


def comparing_options(target: Target, runtime: TargetRuntime, precision: Precision) -> Mapping[str, str]:
    """Settings that let this machine answer as the device does, where by itself it would saturate."""
    unlike = (
        precision.startswith("int8")
        and runtime.id == "onnxruntime"
        and integer_sums(target, runtime) == "exact"
        and saturates_here(runtime.id)
    )
    return EXACT_SUMS if unlike else {}


def int8_note(target: Target, runtime: TargetRuntime, artifact: Int8Artifact, *, is_host: bool) -> str | None:
    """One line on what the device will answer; None for float artifacts, and where there is nothing to say."""
    if not artifact.precision.startswith("int8"):
        return None
    if artifact.in_float:
        settings = ", ".join(f"{key}={value}" for key, value in FLOAT_KERNELS.items())
        return (
            f"int8 on {target.id}: computed in float on the quantized values, here and there ({settings}), for "
            f"{runtime.id}'s integer convolutions on Arm are refused or wrong; small, and slower than fp32"
        )
    lines = [_sums(target, runtime, artifact)]
    if not is_host and integer_sums(target, runtime) is not None:
        lines.append(_agreement(target, runtime, artifact))
    said = "; ".join(line for line in lines if line)
    return f"int8 on {target.id}: {said}" if said else None


def _sums(target: Target, runtime: TargetRuntime, artifact: Int8Artifact) -> str | None:
    sums = integer_sums(target, runtime)
    if sums is None:
        return f"how {runtime.id} adds up 8-bit products is not known; nothing is foretold of its answers"
    if sums == "saturating":
        if not artifact.wide_weights:
            return "sums of 8-bit products saturate there; weights of 7 bits keep them exact"
        if runtime.id == "onnxruntime":
            return (
                "sums of 8-bit products saturate there and the model brings weights of 8 bits: "
                "run it with session.x64quantprecision=1, exact at about half the speed"
            )
        return "sums of 8-bit products saturate there and the model brings weights of 8 bits: answers may be wrong"
    if not artifact.wide_weights or not saturates_here(runtime.id):
        return None
    if runtime.id == "onnxruntime" and artifact.format == "onnx":
        return (
            "the build host saturates, the device does not: compared here with exact sums "
            "(session.x64quantprecision=1)"
        )
    return "the build host saturates, the device does not: it answers better than the figures here say"


def _agreement(target: Target, runtime: TargetRuntime, artifact: Int8Artifact) -> str:
    rounded = "answers on the device differ from this machine's by rounding"
    if artifact.precision == "int8-dynamic":
        return f"{rounded}: the scales are computed in float while it runs"
    if runtime.id not in ("onnxruntime", "litert") or target.arch not in ("x86_64", "aarch64"):
        return rounded
    if runtime.id == "onnxruntime" and runtime.int8_activations == "int8":
        return rounded
    operators = rounding_operators(artifact.path, artifact.format)
    same = f"bit for bit those of this machine, with {runtime.id} {artifact.version} on both"
    if operators is None:
        return rounded
    if not operators:
        return f"answers on the device are {same}"
    listed = ", ".join(f"{count} {op}" for op, count in sorted(operators.items()))
    return (
        f"convolutions and matrix products on the device are {same}; "
        f"a value may round the other way in {listed}, and later layers carry that on"
    )


def rounding_operators(path: Path, artifact_format: ArtifactFormat) -> Mapping[str, int] | None:
    """Operators of an int8 artifact that compute in float, by name; None for formats that are not read.

    Each CPU evaluates their formulas its own way (fused multiply-adds, order of sums), so that now and then a result
    lands on the other side of a rounding step. onnxruntime's QLinearAdd is one of them.
    """
    if artifact_format == "onnx":
        return _onnx_rounding(path)
    return _tflite_rounding(path) if artifact_format == "tflite" else None


def _onnx_rounding(path: Path) -> Mapping[str, int]:
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    made = {output: node.op_type for node in graph.node for output in node.output}
    used: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            used.setdefault(name, set()).add(node.op_type)
    return Counter(
        node.op_type
        for node in graph.node
        if node.op_type not in _QUANTIZE | _MOVES and not _in_integers(node, made, used)
    )


def _in_integers(node: onnx.NodeProto, made: Mapping[str, str], used: Mapping[str, set[str]]) -> bool:
    if node.op_type not in _PRODUCTS:
        return False
    if node.op_type.startswith("Q"):
        return True
    # onnxruntime has a convolution from integers to float for no CPU; it unpacks such a one
    narrow = node.op_type != "Conv" or bool(
        used.get(node.output[0], set()) & {"QuantizeLinear", "Relu", "Clip"}
    )
    # weights of a layer that was kept in float do not come out of a DequantizeLinear
    return narrow and all(made.get(name) == "DequantizeLinear" for name in node.input[:2])


def _tflite_rounding(path: Path) -> Mapping[str, int]:
    from edgekit.models.tflite import read_tflite

    graph = read_tflite(path, path.read_bytes())
    return Counter(
        operator.op
        for operator in graph.operators
        if operator.op not in _TFLITE_MOVES
        and any(graph.tensors[index].dtype == "float32" for index in operator.outputs if index >= 0)
    )


_machine = cache(detect)
