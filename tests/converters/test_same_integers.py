"""Given one QDQ graph, onnxruntime's and OpenVINO's artifacts hold its integers and its scales, and no others.

LiteRT's, which cannot read QDQ: tests/quantization/test_travel.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import numpy_helper

from edgekit.conversion.workers import run_worker
from tests.converters.steps import CONVERTERS, Steps, load_converter

Array = np.ndarray[Any, Any]
Layers = list[tuple[bytes, bytes]]
"""Of each layer: its integers and its scales, in any order."""


def layer(integers: Array, scales: Array) -> tuple[bytes, bytes]:
    """A converter may turn a matrix: integers are compared sorted, scales one a channel."""
    return (
        np.sort(integers.astype(np.int8).reshape(-1)).tobytes(),
        np.sort(scales.astype(np.float32).reshape(-1)).tobytes(),
    )


def in_onnx(path: Path) -> Layers:
    """Pairs of an int8 constant and the scales that some node reads beside it."""
    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in values and values[name].dtype == np.int8 and values[name].ndim > 1:
                found[name] = layer(values[name], values[node.input[place + 1]])
    return sorted(found.values())


def in_openvino(path: Path) -> Layers:
    """Constants of int8 behind which a Multiply has the scales; OpenVINO leaves out those of zero points that are zero."""
    found = []
    for operation in ov.Core().read_model(path).get_ordered_ops():
        if operation.get_type_name() != "Constant" or operation.get_element_type() != ov.Type.i8:
            continue
        (wide,) = (target.get_node() for target in operation.output(0).get_target_inputs())
        (scaled,) = (target.get_node() for target in wide.output(0).get_target_inputs())
        assert (wide.get_type_name(), scaled.get_type_name()) == ("Convert", "Multiply")
        scales = scaled.input_value(1).get_node().get_data()
        if operation.get_data().ndim > 1:
            found.append(layer(operation.get_data(), scales))
    return sorted(found)


@pytest.mark.parametrize(("converter", "read"), [("onnxruntime", in_onnx), ("openvino", in_openvino)])
def test_the_artifact_holds_the_graphs_integers(converter: str, read: Any, tmp_path: Path) -> None:
    steps, taking = Steps("tiny_cnn", tmp_path), load_converter(converter)
    variant = next(item for item in taking.variants if item.takes == "qdq" and item.quantized_by == "edgekit")
    qdq = steps.qdq()
    wanted = in_onnx(qdq)
    assert len(wanted) == 4
    request = steps.request(qdq, tmp_path / "out", variant)
    reply = run_worker(taking, CONVERTERS / converter, request, log=steps.log)
    assert read(tmp_path / "out" / reply["artifact"]) == wanted
