"""The layers of a model, whatever its format."""

from __future__ import annotations

from edgekit.errors import ModelError
from edgekit.models.messages import one_line_errors
from edgekit.models.model import Model
from edgekit.models.shapes import free_dimensions
from edgekit.simulation.layer import Layer


@one_line_errors
def layers_of(model: Model) -> tuple[Layer, ...]:
    """What ``model`` computes, in running order; ModelError, one line, where that cannot be told."""
    if free := free_dimensions(model.inputs):
        raise ModelError(f"{model.path}: {free[0]}")
    if model.unknown_operators:
        raise ModelError(f"{model.path}: {model.unknown_operators[0]}; predictions know no time for it")
    if model.tflite is not None:
        from edgekit.simulation.tflite_layers import tflite_layers

        found = tflite_layers(model)
    else:
        from edgekit.simulation.onnx_layers import onnx_layers

        found = onnx_layers(model)
    if not found:
        raise ModelError(f"{model.path}: nothing in it takes time: there is nothing to predict")
    return found
