"""integer-io: the graph takes and gives int8; QUANTIZE at its start and DEQUANTIZE at its end go.

The NPU computes in integers alone, so both stay on the CPU, where a sensor's bytes would first become float for them.
The application quantizes with the scale that stands in the file.

1. An input in float that only a QUANTIZE to int8 reads becomes that QUANTIZE's result.
2. An output in float that a DEQUANTIZE of an int8 tensor makes becomes that tensor.
"""

from __future__ import annotations

from tflite_graph import Graph


def integer_io(graph: Graph) -> list[str]:
    """Names of the tensors that are inputs and outputs now."""
    return [*_inputs(graph), *_outputs(graph)]


def _inputs(graph: Graph) -> list[str]:
    changed = []
    for index in [int(item) for item in graph.main.inputs]:
        user = graph.only_user(index)
        if user is None or graph.op(user) != "QUANTIZE" or graph.dtype(index) != "float32":
            continue
        made = int(user.outputs[0])
        if graph.grid(made) is None:
            continue
        graph.replace(user)
        graph.rename(index, made)
        changed.append(graph.tensor(made).name.decode())
    return changed


def _outputs(graph: Graph) -> list[str]:
    changed = []
    for index in [int(item) for item in graph.main.outputs]:
        maker = graph.maker(index)
        if maker is None or graph.op(maker) != "DEQUANTIZE" or graph.users(index):
            continue
        source = int(maker.inputs[0])
        if graph.grid(source) is None or source in graph.main.outputs:
            continue
        graph.replace(maker)
        graph.rename(index, source)
        changed.append(graph.tensor(source).name.decode())
    return changed
