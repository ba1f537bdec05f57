"""Models in: read a model file that may be hostile, bring it into normal form, state its facts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.models.facts import GraphFacts, LayerFacts, graph_facts
    from edgekit.models.load import load_model
    from edgekit.models.model import Model, TensorSpec
    from edgekit.models.prepare import prepare_onnx
    from edgekit.models.refused import Refusal, refusals
    from edgekit.models.shapes import parse_shapes

_HOME = {
    "GraphFacts": "facts",
    "LayerFacts": "facts",
    "Model": "model",
    "Refusal": "refused",
    "TensorSpec": "model",
    "graph_facts": "facts",
    "load_model": "load",
    "parse_shapes": "shapes",
    "prepare_onnx": "prepare",
    "refusals": "refused",
}

__all__ = [
    "GraphFacts",
    "LayerFacts",
    "Model",
    "Refusal",
    "TensorSpec",
    "graph_facts",
    "load_model",
    "parse_shapes",
    "prepare_onnx",
    "refusals",
]


def __getattr__(name: str) -> Any:
    # onnx takes 0.4 s to import, which listing the zoo need not pay
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
