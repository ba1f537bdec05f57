"""Workers of converters that are in working order and still must not win."""

from __future__ import annotations

_FRAME = """
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


def same(value):
    return {{"name": value.name, "source": value.name, "transpose": None, "dtype": "float32"}}


def convert(request):
    model = onnx.load(request["source"])
    graph = model.graph
    spoil(graph)
    onnx.save(model, Path(request["out_dir"]) / "model.onnx")
    return {{
        "artifact": "model.onnx",
        "files": ["model.onnx"],
        "io": {{"inputs": [same(graph.input[0])], "outputs": [same(graph.output[0])]}},
        "tools": [{{"tool": "a tool", "version": "1", "arguments": {{}}}}],
        "notes": [],
    }}


def spoil(graph):
{spoil}
"""
GOOD = _FRAME.format(spoil="    pass")
SLOW = _FRAME.format(
    spoil="""
    # ten wide convolutions whose sum is added to the answer times nothing
    rng, x, channels = np.random.default_rng(0), "x", 3
    for layer in range(10):
        weight = rng.standard_normal((16, channels, 3, 3)).astype(np.float32) * 0.01
        graph.initializer.append(numpy_helper.from_array(weight, f"slow_w{layer}"))
        graph.node.append(helper.make_node("Conv", [x, f"slow_w{layer}"], [f"slow{layer}"], pads=[1] * 4))
        x, channels = f"slow{layer}", 16
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))
    last = next(node for node in graph.node if node.output[0] == "y")
    last.output[0] = "y_fast"
    graph.node.append(helper.make_node("ReduceMean", [x], ["slow_mean"], keepdims=0))
    graph.node.append(helper.make_node("Mul", ["slow_mean", "nothing"], ["slow_zero"]))
    graph.node.append(helper.make_node("Add", ["y_fast", "slow_zero"], ["y"]))
"""
)
WRONG = _FRAME.format(
    spoil="""
    # the channels of one layer's weights in the wrong order: loads, runs, and answers something else
    for index, tensor in enumerate(graph.initializer):
        if len(tensor.dims) == 4 and tensor.dims[1] > 3:
            weight = numpy_helper.to_array(tensor)
            graph.initializer[index].CopyFrom(numpy_helper.from_array(weight[:, ::-1].copy(), tensor.name))
"""
)
NEGATES = _FRAME.format(
    spoil="""
    last = next(node for node in graph.node if node.output[0] == "y")
    last.output[0] = "y_before"
    graph.node.append(helper.make_node("Neg", ["y_before"], ["y"]))
"""
)
UNLOADABLE = """
from pathlib import Path


def convert(request):
    # no runtime reads this; the reply is that of a success
    (Path(request["out_dir"]) / "model.onnx").write_bytes(b"truncated")
    value = {"transpose": None, "dtype": "float32"}
    return {
        "artifact": "model.onnx",
        "files": ["model.onnx"],
        "io": {
            "inputs": [{"name": "x", "source": "x", **value}],
            "outputs": [{"name": "y", "source": "y", **value}],
        },
        "tools": [{"tool": "a tool", "version": "1", "arguments": {}}],
        "notes": [],
    }
"""
CRASHES = """
import os
import signal


def convert(request):
    os.kill(os.getpid(), signal.SIGSEGV)
"""
WAITS = """
import os
import threading
from pathlib import Path

STARTED, PASS = Path({started!r}), Path({go!r})


def convert(request):
    if not PASS.exists():
        with STARTED.open("w") as pipe:
            pipe.write(str(os.getpid()))
        threading.Event().wait()
    return good(request)
"""


def waiting(started: str, go: str) -> str:
    """A good worker that writes its process id into the pipe ``started`` and waits until the file ``go`` is there."""
    return GOOD.replace("def convert(", "def good(") + WAITS.format(started=started, go=go)


UNFOLDS = _FRAME.format(
    spoil="""
    # what constant folding makes of weights that are stored in 8 bits and cast
    tensor = next(item for item in graph.initializer if item.name == "w8")
    wide = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(wide, "w8"))
    cast = next(node for node in graph.node if node.op_type == "Cast")
    cast.op_type = "Identity"
    del cast.attribute[:]
"""
)
