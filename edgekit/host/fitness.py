"""Whether times measured on this machine now would mean something."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit.host import sysfs
from edgekit.host.machine import ROOT

# above this share of the cores, a neighbour is at work that a measurement would feel
_QUIET_LOAD = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """Conditions of a measurement."""

    cores: int
    governors: tuple[str, ...]
    """Of all processors, each name once; empty where the kernel has no frequency driver."""
    load_average_1m: float
    virtual: bool
    """In a virtual machine, where neighbours do not show in the load."""

    @property
    def disturbances(self) -> tuple[str, ...]:
        """What would disturb a measurement; empty on a quiet machine of steady clock."""
        found = []
        if self.load_average_1m > _QUIET_LOAD * self.cores:
            found.append(f"load {self.load_average_1m:.1f} on {self.cores} cores")
        changing = [name for name in self.governors if name != "performance"]
        if changing:
            found.append(f"clock governor {', '.join(changing)}")
        if self.virtual:
            found.append("a virtual machine: neighbours take time unseen")
        return tuple(found)


def measure_fitness(root: Path = ROOT, *, load_average_1m: float | None = None) -> Fitness:
    """Look at governors and load; ``load_average_1m`` stands in for the kernel's."""
    online = sysfs.parse_list(sysfs.read_text(root / "sys/devices/system/cpu/online") or "0")
    governors = {name for index in online if (name := sysfs.governor(root, index))}
    return Fitness(
        cores=len(online),
        governors=tuple(sorted(governors)),
        load_average_1m=os.getloadavg()[0] if load_average_1m is None else load_average_1m,
        virtual="hypervisor" in (sysfs.read_text(root / "proc/cpuinfo") or "").split(),
    )
