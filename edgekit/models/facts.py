"""The facts of a model: operators, multiply-accumulates, parameters, memory, layer by layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edgekit.models.messages import one_line_errors
from edgekit.models.model import Model, Shape


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One operator that runs at inference."""

    name: str
    """In the source's names; a TFLite operator has that of the first tensor it makes."""
    op: str
    """``domain::Op`` outside ONNX's default domain."""
    macs: int | None
    """None where a shape that the count needs is free."""
    parameters: int
    output_shape: Shape


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What can be told of a model without running it.

    ``operators`` are those of the file, at every depth, without ``Constant``. All else is of the normal form,
    as it is handed to converters: constants computed, scales and shifts folded into convolutions.
    """

    operators: dict[str, int]
    macs: int | None
    """None where any layer's is."""
    parameters: int
    """Elements of all constants but integers of 64 bits and booleans, which are shapes, axes and indices."""
    weights_bytes: int
    """Bytes of all constants."""
    peak_activation_bytes: int | None
    """By liveness; see ``liveness.py`` for the rule. None where the size of an activation is free."""
    layers: tuple[LayerFacts, ...]
    """In running order."""
    notes: tuple[str, ...] = ()
    """What could not be counted, and why."""


@one_line_errors
def graph_facts(model: Model) -> GraphFacts:
    """Facts of ``model`` at the input shapes it was loaded with; ModelError where its constants are unsound."""
    if model.tflite is not None:
        from edgekit.models.tflite_facts import tflite_facts

        return tflite_facts(model.tflite)
    from edgekit.models.onnx_facts import onnx_facts

    return onnx_facts(model)


def count_operators(operators: Counter[str]) -> dict[str, int]:
    """Most frequent first, then by name."""
    return dict(sorted(operators.items(), key=lambda item: (-item[1], item[0])))
