"""Print what a profile counted: instructions by class, and how many golden values came out bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.cli.output import note, print_table, print_wrapped

if TYPE_CHECKING:
    from edgekit.profiling.record import Instructions, Measurement

_OPERATORS = 10
_NAMES = {
    "fma": "fused multiply-add",
    "int_mac": "integer multiply(-add), vector",
    "dot": "dot product",
    "i8mm": "int8 matrix product",
    "vector": "other vector and float",
    "vector_load": "vector load",
    "vector_store": "vector store",
}


def print_instructions(item: Measurement) -> None:
    """A table, the commonest class first; one line on stderr where an emulated device counted nothing."""
    found = item.instructions
    if found is None:
        if item.kind == "emulated":
            note(f"{item.bundle}: no instructions: {item.why_no_instructions}")
        return
    spread = (max(found.samples) - min(found.samples)) / found.total
    print_wrapped(
        f"{item.bundle}: {found.total / 1e6:.3f} M instructions an inference ({item.kind} on {item.device}), "
        f"fewest of {len(found.samples)}, which differ by {spread:.4%}"
    )
    classes = sorted(found.by_class.items(), key=lambda entry: -entry[1])
    rows = [
        [_NAMES.get(name, name), f"{count / 1e6:.3f}", f"{count / found.total:.1%}"]
        for name, count in classes
        if count
    ]
    rows += [
        [f"{level.upper()} misses, simulated", f"{count / 1e6:.3f}", ""]
        for level, count in found.cache_misses.items()
    ]
    if rows:
        print_table(["instructions", "M>", "share>"], rows)
    if found.operators:
        _print_operators(item, found)


def _print_operators(item: Measurement, found: Instructions) -> None:
    ordered = sorted(found.operators, key=lambda operator: -operator.instructions)
    rows = [
        [each.name, each.op, f"{each.instructions / 1e6:.3f}", f"{each.instructions / found.total:.0%}"]
        for each in ordered[:_OPERATORS]
    ]
    print_wrapped(f"{item.bundle}: the most of {len(ordered)} operators, by {found.operators_method}")
    print_table(["source layer~", "operator", "M>", "share>"], rows)


def print_answers(item: Measurement) -> None:
    """One line of an emulated device: the golden pair on its instruction set."""
    from edgekit.bundles.golden import likeness_words

    if item.kind == "emulated" and item.golden_equal_share is not None:
        words = likeness_words(item.golden_equal_share, item.golden_max_difference or 0.0)
        print_wrapped(f"{item.bundle} on {item.device}: {words}")
