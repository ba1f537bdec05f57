"""Which nodes compute in int8 and which stay in float."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.models.constants import known_shapes

if TYPE_CHECKING:
    import onnx

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
WEIGHTED = CONVOLUTIONS | {"Gemm", "MatMul"}
"""The operators whose arithmetic int8 speeds up."""

ACTIVATIONS = frozenset({"Relu", "Clip", "LeakyRelu", "Sigmoid"})
"""Fused into the operator before them by every runtime."""

BETWEEN = (
    ACTIVATIONS
    | {"Add", "Concat", "Resize", "MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Slice", "Split"}
    | {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"}
)
"""What passes feature maps on. In int8 a chain of these and of convolutions needs no conversion in between.

Not Mul and Div: a factor per channel or a gate spreads the values of a map over more than 256 steps can hold (text
recognition: 9.5 dB with them, 14.7 without, at the same speed). Not Softmax, LayerNormalization, Where, Gather,
TopK, NonMaxSuppression and the like, which tell fine differences apart and cost little in float.
"""

QUANTIZED_OPERATORS = WEIGHTED | BETWEEN

SAME_VALUES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators whose output has the values of their first input, each once."""

ELEMENT_BY_ELEMENT = ACTIVATIONS | {"Add", "Div", "HardSigmoid", "HardSwish", "Mul", "PRelu", "Sub"}

_KEEPS_MAPS = BETWEEN | ELEMENT_BY_ELEMENT


@dataclass(frozen=True, slots=True)
class FloatNodes:
    """Names of the nodes that stay in float although their operator could be quantized, by reason."""

    tail: tuple[str, ...]
    """Behind the last weights: boxes, scores, indices."""
    attention: tuple[str, ...]
    """Products of two activations, and what lies between such: scores, their mask, residual sums.

    A mask of -3.4e38 leaves no step for the scores, which is the way a static int8 transformer gets lost.
    """
    shifts: tuple[str, ...]
    """Sums with a constant, for the same reason as factors."""
    gates: tuple[str, ...]
    """What makes a factor for each channel out of the mean of a map (squeeze and excitation).

    An error of a factor is one of the whole map, and a map of one pixel saves no time in int8: PP-OCRv4 recognition
    gains 2 to 4 dB by it.
    """
    wide_outputs: tuple[str, ...]
    """Operators whose int8 products go on in float, without a rounding in between.

    MatMul, where there are no convolutions: a transformer's sums (cosine .98 instead of .92).
    """
    kept: tuple[str, ...] = ()
    """What the caller wants in float: layers that lose too much in int8."""

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.tail + self.attention + self.shifts + self.gates + self.kept))


def float_nodes(
    graph: onnx.GraphProto, keep: Collection[str] = (), *, gates_in_float: bool = True
) -> FloatNodes:
    """Choose by structure; ``graph`` is sorted topologically, its shapes are inferred and its nodes have names.

    keep: nodes that stay in float whatever the structure says. gates_in_float: False where what gets the weights rounds all
    nodes, as NPUs do: GhostNet lost 5 dB where gates were in float when its weights were fitted, and in integers afterwards.
    """
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    needed = _with_ancestors((node for node in graph.node if node.op_type in WEIGHTED), producers)
    maps, gates = _feature_maps(graph), _gates(graph, producers) if gates_in_float else set()
    quantizable = [node for node in graph.node if node.op_type in QUANTIZED_OPERATORS]
    weighted = {node.name for node in quantizable if _is_weighted(node, constants)}
    return FloatNodes(
        tail=tuple(n.name for n in quantizable if id(n) not in needed and not _fuses(n, producers)),
        attention=tuple(n.name for n in quantizable if n.name not in weighted and n.output[0] not in maps),
        shifts=tuple(n.name for n in quantizable if n.op_type == "Add" and constants & set(n.input)),
        gates=tuple(n.name for n in quantizable if id(n) in gates),
        wide_outputs=() if any(n.op_type in CONVOLUTIONS for n in quantizable) else ("MatMul",),
        kept=tuple(node.name for node in quantizable if node.name in keep),
    )


def _is_weighted(node: onnx.NodeProto, constants: set[str]) -> bool:
    return node.op_type in WEIGHTED and any(name in constants for name in node.input)


def _feature_maps(graph: onnx.GraphProto) -> set[str]:
    """Tensors that come from a convolution (or a dense layer) element by element."""
    found: set[str] = set()
    for node in graph.node:
        starts = node.op_type in CONVOLUTIONS or node.op_type == "Gemm"
        if starts or (node.op_type in _KEEPS_MAPS and any(name in found for name in node.input)):
            found.update(node.output)
    return found


def _gates(graph: onnx.GraphProto, producers: dict[str, onnx.NodeProto]) -> set[int]:
    """The ids of all nodes between a map and a factor that it is multiplied by, of one value per channel."""
    shapes = known_shapes(graph)

    def is_pixel(name: str) -> bool:
        return len(shapes.get(name, ())) > 2 and set(shapes[name][2:]) == {1}

    found: set[int] = set()
    for node in graph.node:
        if node.op_type not in {"Mul", "Div"} or is_pixel(node.output[0]):
            continue
        waiting = [name for name in node.input if is_pixel(name)]
        while waiting:
            producer = producers.get(waiting.pop())
            if producer is not None and id(producer) not in found:
                found.add(id(producer))
                waiting += [name for name in producer.input if is_pixel(name)]
    return found


def _fuses(node: onnx.NodeProto, producers: dict[str, onnx.NodeProto]) -> bool:
    producer = producers.get(node.input[0]) if node.input else None
    return node.op_type in ACTIVATIONS and producer is not None and producer.op_type in WEIGHTED


def _with_ancestors(nodes: Iterable[onnx.NodeProto], producers: dict[str, onnx.NodeProto]) -> set[int]:
    """The ids of ``nodes`` and of all nodes their inputs come from."""
    found: set[int] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found.add(id(node))
            waiting += [producers[name] for name in node.input if name in producers]
    return found
