"""All that the doctor looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.doctor.devices import device_findings
from edgekit.doctor.finding import Finding
from edgekit.doctor.hardware import (
    available_memory,
    cpu_findings,
    disk_findings,
    fitness_findings,
    memory_findings,
)
from edgekit.doctor.packages import (
    clash_findings,
    installed_versions,
    package_findings,
    python_findings,
    requirements,
)
from edgekit.doctor.tools import catalog_findings, program_findings, telemetry_findings
from edgekit.errors import CatalogError
from edgekit.host import Machine, detect, measure_fitness
from edgekit.paths import cache_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    findings: tuple[Finding, ...]
    machine: Machine | None
    """None where the machine is of a kind edgekit does not know."""
    packages: dict[str, str]
    """Installed versions of what edgekit requires."""

    @property
    def ok(self) -> bool:
        """Nothing essential is missing."""
        return not any(finding.fatal for finding in self.findings)


def examine() -> Report:
    """Look at everything; takes about a second, changes nothing and downloads nothing."""
    installed, required = installed_versions(), requirements()
    machine = _machine()
    findings = [
        *python_findings(),
        *package_findings(installed, required),
        *clash_findings(installed),
        *_hardware(machine),
        *catalog_findings(),
        *telemetry_findings(),
        *program_findings(),
        *device_findings(),
    ]
    versions = {item.name: installed[item.name] for item in required if item.name in installed}
    return Report(findings=tuple(findings), machine=machine, packages=versions)


def _machine() -> Machine | None:
    try:
        return detect()
    except CatalogError:  # the catalog's finding tells it
        return None


def _hardware(machine: Machine | None) -> Iterator[Finding]:
    if machine is not None:
        yield from cpu_findings(machine)
        yield from memory_findings(available_memory(), machine.ram_bytes)
    yield from fitness_findings(measure_fitness())
    yield from disk_findings(cache_dir())
