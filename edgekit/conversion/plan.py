"""Which candidates there are for a target, and which of them cannot work, with the reason.

Chains are found by format: a converter takes one and makes one, and the last of a chain makes what a runtime of
the target runs. A second way to TFLite, or a third step, is one more folder under ``converters/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.catalog_schema import Converter, Target, TargetRuntime, Variant
from edgekit.conversion.candidates import Candidate, Link
from edgekit.conversion.environments import environment_state
from edgekit.conversion.rescue import can_be_rescued, most_evaluations
from edgekit.errors import ModelError
from edgekit.models import graph_facts
from edgekit.models.refused import WHOLE_MODEL, refusals
from edgekit.simulation.budget import peak_on
from edgekit.vocabulary import SAME_FILES, ArtifactFormat, Precision, Task

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.models import Model

PRECISIONS: tuple[Precision, ...] = (
    "fp32", "fp16", "int8-weights", "int16x8", "int8", "int8-dynamic", "int4-weights",
)  # fmt: skip
"""From the most exact on."""
AUTOMATIC = tuple(precision for precision in PRECISIONS if precision != "int4-weights")
"""What is planned unasked. int4 costs a transformer three percent of its cosine: that is for the user to decide."""
STATIC: frozenset[Precision] = frozenset({"int16x8", "int8"})
"""Whose activations have ranges, found on calibration data."""
CONVOLUTIONS = {"Conv", "CONV_2D"}
TEXT_TASKS: frozenset[Task] = frozenset({"text-classification", "sentence-embedding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be converted, as far as the plan depends on it."""

    model: Model
    task: Task
    calibrated: bool
    """Calibration data are at hand, or synthetic ones will do."""
    precisions: tuple[Precision, ...] = AUTOMATIC
    """fp32 is planned in any case: it is what remains where nothing else is good enough."""

    @property
    def is_text(self) -> bool:
        """A transformer on tokens; models of task ``tensor`` count as one where they hold no convolution."""
        if self.task != "tensor":
            return self.task in TEXT_TASKS
        return not CONVOLUTIONS & graph_facts(self.model).operators.keys()


def plan(catalog: Catalog, target: Target, wish: Wish) -> tuple[Candidate, ...]:
    """Every candidate for ``target``, runtimes in the target's order, the more exact precision first."""
    found: list[Candidate] = []
    for runtime in target.runtimes:
        if runtime.waits_for:
            reason = f"nothing can be built for {runtime.id} yet: {runtime.waits_for}"
            found.append(Candidate(target=target, runtime=runtime, chain=(), reason=reason))
            continue
        chains = list(_chains(catalog, wish.model, runtime))
        if not chains:
            reason = f"no converter leads from {wish.model.format} to {' or '.join(runtime.formats)}"
            found.append(Candidate(target=target, runtime=runtime, chain=(), reason=reason))
        found += [Candidate(target=target, runtime=runtime, chain=chain) for chain in _ordered(chains, wish)]
    ways = {_key(candidate): candidate for candidate in found if candidate.chain}
    refused = {key: _refused(catalog, candidate, wish.model) for key, candidate in ways.items()}
    return tuple(_judged(candidate, wish, catalog, refused.get(_key(candidate))) for candidate in found)


def _key(candidate: Candidate) -> tuple[str, str]:
    """What the variants of one way to one runtime share."""
    return candidate.way, candidate.runtime.id


def _chains(catalog: Catalog, model: Model, runtime: TargetRuntime) -> Iterator[tuple[Link, ...]]:
    """Every chain of different converters from ``model`` to what ``runtime`` runs.

    Steps before the last are fp32, or quantize for a converter that takes quantized files only.
    """
    open_ends: list[tuple[ArtifactFormat, tuple[Link, ...]]] = [(model.format, ())]
    while open_ends:
        current, links = open_ends.pop(0)
        used = {link.converter.id for link in links}
        quantized = links[-1].variant.quantized_by != "none" if links else bool(model.quantized)
        for converter in (item for item in catalog.converters.values() if item.accepts == current):
            if converter.id in used:
                continue
            for variant in converter.variants:
                link = Link(converter=converter, variant=variant)
                takes_quantized = variant.quantized_by == "source"
                if takes_quantized != quantized and (takes_quantized or links):
                    continue
                if takes_quantized and variant.precision != (
                    links[-1].variant.precision if links else "int8"
                ):
                    continue  # what was quantized to one width is not compiled as another
                if _ends_in(link, runtime):
                    yield (*links, link)
                elif _leads_on(link, quantized=quantized):
                    open_ends.append((link.emits, (*links, link)))


def _leads_on(link: Link, *, quantized: bool) -> bool:
    """Whether other converters may take what ``link`` makes."""
    if link.variant.precision == "fp32":
        return link.converter.runtime is None
    return (
        link.variant.precision in STATIC
        and not quantized
        and link.variant.quantized_by in ("edgekit", "tool")
    )


def _ends_in(link: Link, runtime: TargetRuntime) -> bool:
    wanted = SAME_FILES.get(runtime.id, runtime.id)
    return link.converter.runtime == wanted and link.emits in runtime.formats


def _ordered(chains: Sequence[tuple[Link, ...]], wish: Wish) -> list[tuple[Link, ...]]:
    wanted = [chain for chain in chains if chain[-1].variant.precision in ("fp32", *wish.precisions)]
    return sorted(wanted, key=lambda chain: PRECISIONS.index(chain[-1].variant.precision))


def _judged(candidate: Candidate, wish: Wish, catalog: Catalog, refused: str | None) -> Candidate:
    if candidate.reason:
        return candidate
    quantizer, variant = candidate.quantizer, candidate.quantizer.variant
    converters = [link.converter for link in candidate.chain]
    reason = (
        _precision_problem(variant, candidate.runtime, wish)
        or _source_problem(quantizer, wish)
        or _task_problem(variant, wish)
        or _calibration_problem(variant, wish)
        or next(filter(None, (_converter_problem(catalog, converter) for converter in converters)), None)
        or refused
        or _memory_problem(candidate, wish.model)
    )
    if reason:
        return candidate.without(reason)
    return (
        replace(candidate, rescues=most_evaluations(candidate, wish.model))
        if can_be_rescued(candidate)
        else candidate
    )


def _precision_problem(variant: Variant, runtime: TargetRuntime, wish: Wish) -> str | None:
    if wish.model.quantized and variant.precision != "fp32" and variant.quantized_by != "source":
        return "the source model is already quantized; it is kept as it is"
    if variant.precision not in runtime.precisions:
        return f"{variant.precision} is not native to {runtime.id} there ({', '.join(runtime.precisions)})"
    return None


def _source_problem(link: Link, wish: Wish) -> str | None:
    """edgekit quantizes ONNX models; a tool does so for other sources, and where it keeps ranges of its own."""
    variant, onnx = link.variant, wish.model.format == "onnx"
    if variant.quantized_by == "edgekit" and not onnx:
        return f"edgekit quantizes ONNX models; {link.converter.id} quantizes a {wish.model.format} source by itself"
    by_grid = any(
        other.takes == "grid" and other.precision == variant.precision for other in link.converter.variants
    )
    if variant.quantized_by == "tool" and onnx and by_grid:
        return "edgekit's integers and ranges go before the tool's own, which take the same time"
    return None


def _task_problem(variant: Variant, wish: Wish) -> str | None:
    if variant.tasks == "text" and not wish.is_text:
        return "this variant is for transformers on text only"
    if variant.tasks == "vision" and wish.is_text:
        return "this variant is not for transformers"
    if (
        wish.is_text
        and variant.precision in STATIC
        and variant.quantized_by == "edgekit"
        and variant.tasks != "text"
    ):
        return "static int8 ranges do not hold a transformer's attention mask; int8-dynamic does"
    return None


def _calibration_problem(variant: Variant, wish: Wish) -> str | None:
    if variant.needs_calibration and not wish.calibrated:
        what = (
            f"static {variant.precision}"
            if variant.precision in STATIC
            else f"{variant.precision} {variant.name}".rstrip()
        )
        return (
            f"{what} needs calibration data: give a folder of samples with --calib,"
            " or take synthetic inputs with --data-free"
        )
    return None


def _converter_problem(catalog: Catalog, converter: Converter) -> str | None:
    if converter.waits_for:
        return f"converter '{converter.id}' cannot be built yet: {converter.waits_for}"
    state = environment_state(converter, catalog.converter_dir(converter.id))
    if state.ready:
        return None
    step = f". Try: {state.next_step}" if state.next_step else ""
    return f"converter '{converter.id}': {state.detail}{step}"


def _memory_problem(candidate: Candidate, model: Model) -> str | None:
    """Why its predicted peak is more than the target has; None where it fits, or nothing is predicted."""
    assert candidate.precision is not None  # it has a converter
    try:
        peak = peak_on(model, candidate.target, candidate.runtime.id, candidate.precision)
    except ModelError:  # shapes that are known only while it runs
        return None
    return peak.reason if peak and peak.exceeds else None


def _refused(catalog: Catalog, candidate: Candidate, model: Model) -> str | None:
    """What the runtime, or the converters of this way to it, refuse of the model."""
    way = {link.converter.id: link.converter for link in candidate.chain}
    target = candidate.target.model_copy(update={"runtimes": (candidate.runtime,)})
    refused = refusals(model, target, replace(catalog, converters=way))[candidate.runtime.id]
    if not refused:
        return None
    first = refused[0]
    who = f"converter '{first.converter}'" if first.converter else candidate.runtime.id
    node = "" if first.node == WHOLE_MODEL else f" {first.op} '{first.node}'"
    more = f"; {len(refused) - 1} more, see: edgekit inspect MODEL -t {target.id}" if len(refused) > 1 else ""
    return f"{who} refuses{node}: {first.reason}{more}"
