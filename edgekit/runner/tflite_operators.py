"""Times by operator where the runtime keeps none: run the model cut short after each operator, and subtract.

The kernels, the delegate and the memory plan are those of the real run. The differences of neighbours in a row of
ever longer prefixes are small against their noise, so the row is first smoothed to never fall.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .bundle import Bundle
from .sessions import Array, OperatorTime
from .tflite_prefix import prefix

MAX_CUTS = 80
"""Beyond it light operators are counted with the heavy one before them."""
_HEAVY = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "BATCH_MATMUL",
    "TRANSPOSE_CONV",
    "SOFTMAX",
    "MEAN",
)
_FUSED_INTO_NEXT = ("PAD", "PADV2")
"""XNNPACK merges padding into the convolution after it; alone it costs what it never costs in the model."""
_WARMUP = 2


@dataclass(frozen=True)
class Node:
    """One operator of the file, in the order of execution."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def operator_times(
    bundle: Bundle, open_model: Callable[[bytes], Any], feeds: Mapping[str, Array], runs: int, *, threads: int
) -> list[OperatorTime]:
    """Time by operator (or group of them), in order; ``open_model`` makes an interpreter of a file's bytes."""
    content = bundle.artifact.read_bytes()
    whole = open_model(content)
    nodes, tensors = _nodes(whole), _names(whole)
    computed = _computed(nodes, [int(detail["index"]) for detail in whole.get_input_details()])
    cuts = _cuts(nodes, computed)
    elapsed = [
        _best_ms(open_model(prefix(content, count, _frontier(nodes[:count], computed))), feeds, runs, threads)
        for count in cuts
    ]
    groups = _groups(nodes, computed, cuts)
    return [
        OperatorTime(_name(group, tensors, bundle.source_nodes), _op(group), ms)
        for group, ms in zip(groups, _differences(_never_falling(elapsed)))
    ]


def _nodes(interpreter: Any) -> list[Node]:
    # asked before tensors are allocated: afterwards the delegate's node stands for those it took over
    return [
        Node(str(entry["op_name"]), tuple(map(int, entry["inputs"])), tuple(map(int, entry["outputs"])))
        for entry in interpreter._get_ops_details()
    ]


def _names(interpreter: Any) -> dict[int, str]:
    return {int(detail["index"]): str(detail["name"]) for detail in interpreter.get_tensor_details()}


def _computed(nodes: Sequence[Node], inputs: Sequence[int]) -> set[int]:
    """Tensors that depend on the inputs; weights that are unpacked on loading do not."""
    computed = set(inputs)
    for node in nodes:
        if computed.intersection(node.inputs):
            computed.update(node.outputs)
    return computed


def _cuts(nodes: Sequence[Node], computed: set[int]) -> list[int]:
    """How many operators each prefix keeps."""
    cuts = [
        count
        for count, node in enumerate(nodes, start=1)
        if computed.intersection(node.outputs) and (node.op not in _FUSED_INTO_NEXT or count == len(nodes))
    ]
    if len(cuts) > MAX_CUTS:
        # a group begins at each heavy operator, so each prefix ends just before one
        cuts = [count for count in cuts if count == len(nodes) or nodes[count].op in _HEAVY]
    step = -(-len(cuts) // MAX_CUTS)
    return cuts[::-1][::step][::-1]


def _frontier(nodes: Sequence[Node], computed: set[int]) -> list[int]:
    """Tensors that the operators make and do not use up: as outputs they keep every operator alive."""
    used = {tensor for node in nodes for tensor in node.inputs}
    made = [tensor for node in nodes for tensor in node.outputs]
    return [tensor for tensor in made if tensor in computed and tensor not in used]


def _best_ms(interpreter: Any, feeds: Mapping[str, Array], runs: int, threads: int) -> float:
    """The least of ``runs`` times: noise only adds."""
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], feeds[str(detail["name"])])
    # on one thread processor time leaves out what others took
    clock = time.thread_time if threads == 1 else time.perf_counter
    best = float("inf")
    warmup = min(_WARMUP, runs)
    for run in range(runs + warmup):
        started = clock()
        interpreter.invoke()
        if run >= warmup:
            best = min(best, clock() - started)
    return best * 1000


def _never_falling(values: Sequence[float]) -> list[float]:
    """The nearest row, by squares, that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while pools and pools[-1][0] >= mean:
            last, count = pools.pop()
            mean, size = (last * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    return [mean for mean, size in pools for _ in range(size)]


def _differences(values: Sequence[float]) -> list[float]:
    return [value - before for before, value in zip([0.0, *values], values)]


def _groups(nodes: Sequence[Node], computed: set[int], cuts: Sequence[int]) -> list[list[Node]]:
    """The operators between one cut and the next that work on every inference."""
    return [
        [node for node in nodes[begin:end] if computed.intersection(node.outputs)]
        for begin, end in zip([0, *cuts], cuts)
    ]


def _main(group: Sequence[Node]) -> Node:
    return next((node for node in group if node.op in _HEAVY), group[0])


def _op(group: Sequence[Node]) -> str:
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return _main(group).op + more


def _name(group: Sequence[Node], tensors: Mapping[int, str], source_nodes: Mapping[str, str]) -> str:
    """TFLite names no operators: the first tensor that one makes stands for it."""
    tensor = tensors.get(_main(group).outputs[0], "?")
    return source_nodes.get(tensor, tensor)
