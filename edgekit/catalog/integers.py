"""How sums of 8-bit products come out on a target: read off its instruction set wherever that tells.

Without VNNI, x86 multiplies 8-bit integers with VPMADDUBSW, which adds pairs of u8 x s8 products with signed
saturation to 16 bits (Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 2, PMADDUBSW); VPDPBUSD
(AVX-VNNI, AVX512-VNNI) and TDPBUSD (AMX) add four in 32 bits without. Arm's SMULL/UMULL with SADALP/UADALP, SDOT,
UDOT and SMMLA all add in 32 bits (Arm Architecture Reference Manual, DDI 0487, chapter C7).
"""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.catalog_schema import Target, TargetRuntime
from edgekit.host.machine import VNNI
from edgekit.vocabulary import INT8_ARITHMETIC, Arch, IntegerSums, IsaFeature, RuntimeId

_WITH_VPMADDUBSW: frozenset[RuntimeId] = frozenset({"onnxruntime", "openvino"})
_ON_CPUS: frozenset[RuntimeId] = _WITH_VPMADDUBSW | {"litert", "tflite-runtime"}
"""LiteRT's kernels (XNNPACK) widen to 16 bits first, and add products of those in 32: exact everywhere."""


def integer_sums(target: Target, runtime: TargetRuntime) -> IntegerSums | None:
    """How ``runtime`` adds u8 x s8 products on ``target``; None for an NPU whose file does not say."""
    return sums_on(target.arch, target.isa_features, runtime.id) or runtime.integer_sums


def sums_on(arch: Arch, isa_features: Iterable[IsaFeature], runtime: RuntimeId) -> IntegerSums | None:
    """The same for any CPU; None for a runtime of an NPU."""
    if runtime not in _ON_CPUS:
        return None
    saturates = arch == "x86_64" and VNNI.isdisjoint(isa_features)
    return "saturating" if saturates and runtime in _WITH_VPMADDUBSW else "exact"


def meaning(target: Target, runtime: TargetRuntime) -> str | None:
    """One sentence for people; None where nothing in int8 runs there, or nothing is known of it."""
    sums = integer_sums(target, runtime)
    if sums is None or not computes_int8(runtime):
        return None
    if sums == "exact":
        return "int8 sums are exact"
    return "int8 sums saturate (no VNNI): 7-bit weights keep them exact"


def computes_int8(runtime: TargetRuntime) -> bool:
    return not INT8_ARITHMETIC.isdisjoint(runtime.precisions)
