"""How tensors of a QDQ graph are called."""

from __future__ import annotations

import onnx

RENAMED = "_QuantizeLinear_Input"
"""What the quantizer appends to the name of a graph output that it puts a pair in front of."""


def quantized_name(node: onnx.NodeProto) -> str:
    """The name in the float model of what this QuantizeLinear takes."""
    return str(node.input[0]).removesuffix(RENAMED)
