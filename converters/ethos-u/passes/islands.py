"""An operator in float between DEQUANTIZE and QUANTIZE: three operators that an NPU leaves to the CPU."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_graph import Graph, Grid, Operator


@dataclass(frozen=True)
class Island:
    """The three, and the int8 tensors on both sides."""

    before: Operator
    operator: Operator
    after: Operator
    made_grid: Grid
    """What the integers after it stand for."""

    @property
    def source(self) -> int:
        return int(self.before.inputs[0])

    @property
    def made(self) -> int:
        return int(self.after.outputs[0])

    def replace(self, graph: Graph, new: Operator) -> None:
        """Put ``new``, which reads ``source`` and makes ``made``, in their place."""
        graph.replace(self.operator)
        graph.replace(self.after, new)
        real = int(self.before.outputs[0])
        if not graph.users(real) and real not in graph.main.outputs:
            graph.replace(self.before)


def island(graph: Graph, operator: Operator) -> Island | None:
    """The island that ``operator`` is alone on; None where it is on none.

    Others may read the same DEQUANTIZE: each of them is an island of its own.
    """
    before, after = graph.maker(int(operator.inputs[0])), graph.only_user(int(operator.outputs[0]))
    if before is None or after is None or (graph.op(before), graph.op(after)) != ("DEQUANTIZE", "QUANTIZE"):
        return None
    grid = graph.grid(int(after.outputs[0]))
    if grid is None or graph.grid(int(before.inputs[0])) is None:
        return None
    return Island(before, operator, after, grid)
