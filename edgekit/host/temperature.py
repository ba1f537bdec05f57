"""How warm the machine is, by the kernel's thermal zones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.host.sysfs import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A sensor as the kernel numbers and names it."""

    number: int
    kind: str
    """Such as ``cpu-thermal`` or ``x86_pkg_temp``; several may have the same."""
    celsius: float

    def facts(self) -> dict[str, int | str | float]:
        return {"zone": self.number, "kind": self.kind, "celsius": self.celsius}


def temperatures(root: Path = Path("/")) -> tuple[Zone, ...]:
    """Every zone that tells its temperature; virtual machines have none."""
    return tuple(sorted(_zones(root), key=lambda zone: zone.number))


def _zones(root: Path) -> Iterator[Zone]:
    for folder in root.glob("sys/class/thermal/thermal_zone*"):
        # a sensor that is switched off answers with an error or with nothing
        text = read_text(folder / "temp")
        if text and text.lstrip("-").isdecimal():
            number = int(folder.name.removeprefix("thermal_zone"))
            kind = read_text(folder / "type") or "unknown"
            yield Zone(number=number, kind=kind, celsius=int(text) / 1000)
