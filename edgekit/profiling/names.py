"""Give operators that onnxruntime fused or renamed on loading the names of the nodes they were made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.profiling.record import OperatorTime

if TYPE_CHECKING:
    import onnx

    from edgekit.bundles import Bundle

_BLOCKED = "_nchwc"
# what its optimizers append to the name of the node that they rewrote
_TAGS = re.compile(r"(_nchwc|_quant|_token_\d+|/\w*Fusion\w*/?|_fused_\w+)$")
_DEEPEST = 8
_REORDERS = ("ReorderInput", "ReorderOutput")
"""Operators of onnxruntime that no model holds: they turn a tensor to and from its blocked layout."""


def source_operators(bundle: Bundle, operators: Sequence[OperatorTime]) -> tuple[OperatorTime, ...]:
    """The same times under the artifact's node names; several where one kernel does their work, with commas.

    Other formats than .onnx are named by their runner already. What the runtime put in between is said to be so.
    """
    runtime = bundle.manifest.artifact.runtime
    if bundle.manifest.artifact.format != "onnx":
        return tuple(_labelled(operator, runtime) for operator in operators)
    import onnx

    graph = onnx.load(bundle.artifact, load_external_data=False).graph
    names = _Names(_by_name(graph), _by_output(graph), bundle.manifest.artifact.source_nodes)
    return tuple(
        _labelled(operator.model_copy(update={"name": names.of(operator.name, operator.op)}), runtime)
        for operator in operators
    )


def _labelled(operator: OperatorTime, runtime: str) -> OperatorTime:
    if operator.op not in _REORDERS:
        return operator
    return operator.model_copy(update={"name": f"{operator.name} (layout change by {runtime})"})


@dataclass(frozen=True, slots=True)
class _Names:
    nodes: Mapping[str, onnx.NodeProto]
    makers: Mapping[str, onnx.NodeProto]
    """Tensor -> the node that makes it."""
    source: Mapping[str, str]

    def of(self, name: str, op: str) -> str:
        """The nodes behind the profiled operator ``name`` of type ``op``; ``name`` itself where unknown."""
        plain = name
        while _TAGS.search(plain):
            tag = _TAGS.search(plain)
            plain = plain[: tag.start()] if tag else plain
        if _BLOCKED in name and plain in self.makers:
            return ",".join(self.source.get(part, part) for part in self._chain(plain, op))
        return self.source.get(plain, plain) if plain in self.nodes else name

    def _chain(self, tensor: str, op: str) -> list[str]:
        """Blocked kernels carry the name of the tensor they make: the nodes back to the first of type ``op``."""
        chain: list[str] = []
        while tensor in self.makers and len(chain) < _DEEPEST:
            node = self.makers[tensor]
            chain.insert(0, node.name)
            if node.op_type == op:
                return chain
            tensor = node.input[0]
        return chain[-1:]


def _by_name(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {node.name: node for node in graph.node}


def _by_output(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in graph.node for output in node.output}
