"""What of a model will not run on a target: a table of (node, operator, reason) for each of its runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.catalog_schema import Converter, Target, TargetRuntime
from edgekit.models.facts import GraphFacts, graph_facts
from edgekit.models.model import Model
from edgekit.models.placed import PlacedOperator, placed_operators
from edgekit.models.walk import CONTRIB_DOMAIN
from edgekit.vocabulary import SAME_FILES, RuntimeId

if TYPE_CHECKING:
    from edgekit.catalog import Catalog

WHOLE_MODEL = "*"
"""Stands for node and operator where the reason is not one operator's."""
_UNCOMMON_DTYPES = ("float64", "bfloat16", "complex", "string", "float8", "float4", "int2", "uint2")
# int4 is for transformers only, whose embedding tables stay in 8 bits: no promise is made of it
_WEIGHT_SHARE = {
    "fp32": 1.0, "fp16": 0.5, "int8-weights": 0.25, "int16x8": 0.25, "int8": 0.25, "int8-dynamic": 0.25,
    "int4-weights": 0.25,
}  # fmt: skip

Way = tuple[Converter, ...]
"""Converters that lead from a model to what a runtime runs, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One operator that cannot run, or one reason why nothing can."""

    node: str
    """In the source's names; ``*`` for the whole model."""
    op: str
    reason: str
    runtime: RuntimeId
    converter: str | None = None
    """Which refuses; None where none of them is to blame."""
    macs: int | None = None
    """What would fall back with it, where that is known."""


def refusals(model: Model, target: Target, catalog: Catalog) -> dict[RuntimeId, tuple[Refusal, ...]]:
    """What refuses ``model``, for each runtime of ``target``; empty for a runtime that takes all of it.

    Where several ways lead to a runtime, the refusals of the one that refuses least.
    """
    facts = graph_facts(model)
    operators = placed_operators(model, facts)
    found: dict[RuntimeId, tuple[Refusal, ...]] = {}
    for runtime in target.runtimes:
        if runtime.waits_for:
            found[runtime.id] = (_whole(runtime, f"nothing can be built for it yet: {runtime.waits_for}"),)
            continue
        ways = converter_ways(model, runtime, catalog)
        impossible = tuple(_impossible(operators, runtime))
        nodes = {refusal.node for refusal in impossible}
        left = tuple(operator for operator in operators if operator.node not in nodes)
        shared = (*_memory_refusals(model, facts, target, runtime), *impossible)
        each = [(*shared, *_way_refusals(left, way, runtime)) for way in ways]
        reason = f"no converter leads from {model.format} to {' or '.join(runtime.formats)}"
        found[runtime.id] = min(each, key=len) if each else (_whole(runtime, reason), *shared)
    return found


def converter_ways(model: Model, runtime: TargetRuntime, catalog: Catalog) -> tuple[Way, ...]:
    """Every sequence of different converters from the model's format to one that ``runtime`` runs."""
    wanted = SAME_FILES.get(runtime.id, runtime.id)
    done: list[Way] = []
    todo: list[tuple[str, Way]] = [(model.format, ())]
    while todo:
        current, way = todo.pop(0)
        for converter in catalog.converters.values():
            if converter.accepts != current or converter in way:
                continue
            emits = {converter.emits, *(variant.emits for variant in converter.variants)}
            if converter.runtime == wanted and emits & set(runtime.formats):
                done.append((*way, converter))
            elif converter.runtime is None:
                todo.append((converter.emits, (*way, converter)))
    return tuple(done)


def _way_refusals(
    operators: tuple[PlacedOperator, ...], way: Way, runtime: TargetRuntime
) -> tuple[Refusal, ...]:
    """What the converters of ``way`` refuse; each operator once, with the first converter's reason."""
    found = []
    for converter in way:
        if converter.waits_for:
            reason = f"the converter cannot be built yet: {converter.waits_for}"
            found.append(_whole(runtime, reason, converter=converter.id))
    for operator in operators:
        reasons = ((converter, _converter_reason(operator, converter)) for converter in way)
        first = next(((converter, reason) for converter, reason in reasons if reason), None)
        if first:
            found.append(_of(operator, first[1], runtime, converter=first[0].id))
    return tuple(found)


def _converter_reason(operator: PlacedOperator, converter: Converter) -> str | None:
    """Why ``converter`` does not take ``operator``; None where it does."""
    rules = converter.operators
    for refused in rules.refused:
        if refused.op == operator.op:
            return refused.reason
    if converter.accepts != "onnx":
        return None
    if rules.supported == "all":
        foreign = operator.domain == CONTRIB_DOMAIN and converter.runtime != "onnxruntime"
        return "an operator of onnxruntime only; export plain ONNX" if foreign else None
    return None if operator.op in rules.supported else f"not among the operators it takes ({rules.source})"


def _impossible(operators: tuple[PlacedOperator, ...], runtime: TargetRuntime) -> Iterator[Refusal]:
    """What ``runtime`` does not run, whatever converts it."""
    for operator in operators:
        if reason := operator.problem or _dtype_reason(operator):
            yield _of(operator, reason, runtime)


def _dtype_reason(operator: PlacedOperator) -> str | None:
    uncommon = sorted(dtype for dtype in operator.dtypes if dtype.startswith(_UNCOMMON_DTYPES))
    if not uncommon:
        return None
    return f"computes with {' and '.join(uncommon)}, which edge runtimes do not; export it in float32"


def _memory_refusals(
    model: Model, facts: GraphFacts, target: Target, runtime: TargetRuntime
) -> Iterator[Refusal]:
    """Weights at the narrowest precision of ``runtime`` and activations against the target's usable memory."""
    usable = target.memory.usable_bytes
    narrowest = min(runtime.precisions, key=lambda precision: _WEIGHT_SHARE[precision])
    share = 1.0 if model.quantized or model.format != "onnx" else _WEIGHT_SHARE[narrowest]
    activation_share = 0.25 if narrowest == "int8" and share < 1 else 1.0
    weights = int(facts.weights_bytes * share)
    activations = int((facts.peak_activation_bytes or 0) * activation_share)
    flash = target.memory.flash_bytes
    if flash is not None and weights > flash:
        yield _whole(runtime, f"has {_mib(weights)} of weights as {narrowest}; its flash holds {_mib(flash)}")
    if runtime.build_options:
        # its compiler works layers off in stripes and says itself what that needs
        activations = 0
    weights = 0 if flash is not None else weights
    if weights + activations > usable:
        yield _whole(
            runtime,
            f"needs {_mib(weights + activations)} even as {narrowest} (weights {_mib(weights)}, "
            f"activations {_mib(activations)}); an application there has {_mib(usable)}",
        )


def _mib(value: int) -> str:
    return f"{value / 2**20:,.0f} MiB"


def _whole(runtime: TargetRuntime, reason: str, *, converter: str | None = None) -> Refusal:
    return Refusal(node=WHOLE_MODEL, op=WHOLE_MODEL, reason=reason, runtime=runtime.id, converter=converter)


def _of(
    operator: PlacedOperator, reason: str, runtime: TargetRuntime, *, converter: str | None = None
) -> Refusal:
    return Refusal(
        node=operator.node,
        op=operator.op,
        reason=reason,
        runtime=runtime.id,
        converter=converter,
        macs=operator.macs,
    )
