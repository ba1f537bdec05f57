"""What a compiler foretells of an artifact that no machine at hand can run: cycles, memory, and what falls back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from edgekit.strict import Strict


class CpuOperator(Strict):
    """An operator that the accelerator leaves to the processor beside it, and what it costs there."""

    name: str
    op: str
    reason: str
    macs: int
    bytes_moved: int
    """Of everything it reads and writes."""


class OperatorCycles(Strict):
    """Cycles of the accelerator for one operator of the model."""

    name: str
    op: str
    cycles: int


Named = TypeVar("Named", CpuOperator, OperatorCycles)


class Prediction(Strict):
    """One inference by the compiler's own model of the hardware. Never a measurement."""

    kind: Literal["predicted"] = "predicted"
    tool: str
    version: str
    accelerator: str
    system_config: str
    memory_mode: str
    """Both name the memories and their speeds in the tool's own configuration."""
    clock_hz: int
    cycles: int
    """Of the accelerator; what the processor computes beside it takes time that nobody foretells."""
    latency_ms: float
    """``cycles`` at ``clock_hz``."""
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    cpu_arena_bytes: int | None
    """TensorFlow Lite Micro's arena for the same int8 model, all of it on the processor; None where it has no kernel
    for it."""
    macs: int
    npu_macs: int
    npu_operators: int
    cpu_operators: tuple[CpuOperator, ...]
    operators: tuple[OperatorCycles, ...]

    def named(self, nodes: Mapping[str, str]) -> Prediction:
        """The same with ``nodes``' names for the operators that it knows."""
        return self.model_copy(
            update={
                "cpu_operators": tuple(_renamed(item, nodes) for item in self.cpu_operators),
                "operators": tuple(_renamed(item, nodes) for item in self.operators),
            }
        )

    @property
    def npu_macs_share(self) -> float:
        return self.npu_macs / self.macs if self.macs else 0.0

    @property
    def ram_bytes(self) -> int:
        """What the model needs beside flash."""
        return self.sram_bytes + self.dram_bytes

    @property
    def maker(self) -> str:
        """Whose figures these are, and for what: ``ethos-u-vela 5.2.0 for ethos-u55-128 at 500 MHz``."""
        return f"{self.tool} {self.version} for {self.accelerator} at {self.clock_hz / 1e6:.0f} MHz"

    @property
    def says(self) -> str:
        """One line for people."""
        memories = (("SRAM", self.sram_bytes), ("flash", self.flash_bytes), ("DRAM", self.dram_bytes))
        memory = ", ".join(f"{name} {size / 1024:,.0f} KiB" for name, size in memories if size)
        total = self.npu_operators + len(self.cpu_operators)
        return (
            f"predicted by {self.maker}: {self.latency_ms:.2f} ms ({self.cycles:,} cycles), {memory}; "
            f"{self.npu_macs_share:.1%} of the MACs and {self.npu_operators} of {total} operators on the NPU"
        )


def _renamed(item: Named, nodes: Mapping[str, str]) -> Named:
    return item.model_copy(update={"name": nodes.get(item.name, item.name)})
