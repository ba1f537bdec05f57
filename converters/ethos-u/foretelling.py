"""What Vela foretells of a graph, told in the graph's own operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vela
from costs import bytes_moved, macs
from tflite_graph import CHANNELS_LAST, Graph, Operator

if TYPE_CHECKING:
    from edgekit.conversion.protocol import CpuOperatorReply, OperatorCyclesReply, PredictionReply

FUSED = 6
"""Operators that Vela makes one of, at most."""


def predicted(
    graph: Graph, compiled: vela.Compiled, hardware: vela.Hardware, cpu_arena_bytes: int | None
) -> PredictionReply:
    """Vela's figures; MACs are those of the graph, in TFLite's operators."""
    made = {graph.name(operator): operator for operator in graph.operators}
    total = sum(macs(graph, operator) for operator in graph.operators)
    on_cpu = [
        on_cpu_reply(graph, made[name], compiled.reasons.get(name, ""))
        for name in names_on_cpu(compiled, made)
    ]
    if len(on_cpu) == len(made):
        raise ValueError(
            f"Vela places no operator of the model on the NPU; the first stays because: {first(on_cpu)}"
        )
    return {
        "tool": "ethos-u-vela",
        "version": vela.version(),
        "accelerator": hardware.accelerator,
        "system_config": hardware.system_config,
        "memory_mode": hardware.memory_mode,
        "clock_hz": compiled.clock_hz,
        "cycles": compiled.cycles,
        "latency_ms": 1000 * compiled.cycles / compiled.clock_hz,
        "sram_bytes": compiled.sram_bytes,
        "flash_bytes": compiled.flash_bytes,
        "dram_bytes": compiled.dram_bytes,
        "cpu_arena_bytes": cpu_arena_bytes,
        "macs": total,
        "npu_macs": total - sum(item["macs"] for item in on_cpu),
        "npu_operators": len(made) - len(on_cpu),
        "cpu_operators": on_cpu,
        "operators": by_operator(graph, compiled, made),
    }


def names_on_cpu(compiled: vela.Compiled, made: dict[str, Operator]) -> list[str]:
    return list(dict.fromkeys(row.name for row in compiled.rows if not row.on_npu and row.name in made))


def on_cpu_reply(graph: Graph, operator: Operator, reason: str) -> CpuOperatorReply:
    return {
        "name": graph.name(operator),
        "op": graph.op(operator),
        "reason": reason or "Vela does not say why",
        "macs": macs(graph, operator),
        "bytes_moved": bytes_moved(graph, operator),
    }


def first(on_cpu: list[CpuOperatorReply]) -> str:
    return f"{on_cpu[0]['op']} '{on_cpu[0]['name']}': {on_cpu[0]['reason']}" if on_cpu else "it has none"


def worked_by(graph: Graph, made: dict[str, Operator], row: vela.Row, taken: set[str]) -> str:
    """The operator whose work ``row`` is: Vela calls what it fuses after the last tensor of it."""
    name = row.name if row.name in made else max(filter(row.name.startswith, made), key=len, default="")
    todo = [made[name]] if name else []
    for _ in range(FUSED):
        for operator in todo:
            if plain(graph.op(operator)) == plain(row.op) and graph.name(operator) not in taken:
                return graph.name(operator)
        before = [graph.maker(int(index)) for operator in todo for index in operator.inputs if index >= 0]
        todo = [operator for operator in before if operator is not None]
    return name or row.name


def plain(kind: str) -> str:
    """``DEPTHWISE_CONV_2D`` and ``DepthwiseConv2D`` alike."""
    return kind.replace("_", "").lower()


def by_operator(
    graph: Graph, compiled: vela.Compiled, made: dict[str, Operator]
) -> list[OperatorCyclesReply]:
    """Cycles of each operator that takes any; Vela splits some into several."""
    cycles: dict[tuple[str, str], int] = {}
    taken: set[str] = set()
    for row in compiled.rows:
        if row.cycles:
            name = worked_by(graph, made, row, taken)
            taken.add(name)
            key = name.removesuffix(CHANNELS_LAST), row.op
            cycles[key] = cycles.get(key, 0) + row.cycles
    return [{"name": name, "op": op, "cycles": count} for (name, op), count in cycles.items()]
