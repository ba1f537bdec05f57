"""An operator in float between DEQUANTIZE and QUANTIZE: operators that an NPU leaves to the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tflite_graph import Graph, Grid, Operator


@dataclass(frozen=True)
class Island:
    """The operator, and the conversions on both sides of it."""

    before: Operator
    operator: Operator
    afters: tuple[Operator, ...]
    """One for each scale that its readers want."""
    grids: tuple[Grid, ...]
    """What the integers after it stand for."""

    @property
    def source(self) -> int:
        """The integer tensor before it."""
        return int(self.before.inputs[0])

    def replace(self, graph: Graph, make: Callable[[int, int], Sequence[Operator]]) -> None:
        """Put ``make(source, made)``, from integers to integers, in the place of each QUANTIZE; the others go."""
        graph.replace(self.operator)
        for after in self.afters:
            graph.replace(after, *make(self.source, int(after.outputs[0])))
        real = int(self.before.outputs[0])
        if not graph.users(real) and real not in graph.main.outputs:
            graph.replace(self.before)


def island(graph: Graph, operator: Operator) -> Island | None:
    """The island that ``operator`` is alone on; None where it is on none.

    Others may read the same DEQUANTIZE: each of them is an island of its own.
    """
    before, real = graph.maker(int(operator.inputs[0])), int(operator.outputs[0])
    afters = tuple(graph.users(real))
    if before is None or not afters or real in graph.main.outputs:
        return None
    if graph.op(before) != "DEQUANTIZE" or any(graph.op(after) != "QUANTIZE" for after in afters):
        return None
    grids = tuple(grid for after in afters if (grid := graph.grid(int(after.outputs[0]))) is not None)
    if len(grids) < len(afters) or graph.grid(int(before.inputs[0])) is None:
        return None
    return Island(before, operator, afters, grids)
