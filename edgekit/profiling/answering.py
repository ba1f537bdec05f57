"""Does a bundle load and answer elsewhere as on its build host? Device by device: real boards, and cores by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgekit.bundles import Bundle
from edgekit.catalog import Catalog
from edgekit.catalog.integers import sums_on
from edgekit.devices import Device, GoldenCheck
from edgekit.devices.emulated import CORES, SCHEME, EmulatedDevice, find_emulation
from edgekit.errors import BundleError, DeviceError
from edgekit.host import detect
from edgekit.host.arm_parts import core_name
from edgekit.profiling.counted import instructions, started, why_none
from edgekit.profiling.predicted import check_runs_here

if TYPE_CHECKING:
    from edgekit.progress import Advance
    from edgekit.vocabulary import IntegerSums, MeasurementKind

_RUNS = 2
"""Counted inferences: in a process they differ by a few parts in a hundred thousand, and the fewest counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAnswer:
    """How one device took the bundle."""

    device: str
    kind: MeasurementKind
    core: str
    """Empty where no runner started."""
    integer_sums: IntegerSums | None
    """How the bundle's runtime adds up 8-bit products there; None where no runner started, and for NPUs."""
    runtime_version: str
    loads: bool
    golden: GoldenCheck | None
    """None where it does not get so far."""
    instructions: int | None
    """Of one inference on one thread; None where nothing counts them."""
    why: str
    """Why it does not load or does not hold; empty where it does."""
    why_no_instructions: str

    @property
    def holds(self) -> bool:
        return self.golden is not None and self.golden.reproduced

    def facts(self) -> dict[str, Any]:
        """As ``device test --json`` prints it."""
        golden = asdict(self.golden) if self.golden else None
        return {**asdict(self), "golden": golden, "holds": self.holds}


def everywhere() -> tuple[str, ...]:
    """This machine and every core that can be emulated on it. DeviceError with the next step where none is set up."""
    find_emulation()
    cores = [core for core in CORES if core.startswith("cortex") or detect().arch == "x86_64"]
    return "local", *(f"{SCHEME}{core}" for core in cores)


def is_like_target(bundle: Bundle, device: Device, catalog: Catalog) -> bool:
    """Whether the device has the processor of the bundle's target; True where the catalog does not know the target."""
    target = catalog.targets.get(bundle.manifest.target)
    if target is None:
        return True
    if not isinstance(device, EmulatedDevice):
        return target.arch == detect().arch
    profile = catalog.profiles.get(target.profile)
    cores = {cluster.core for cluster in profile.cpu.clusters} if profile else set()
    return device.board.cluster.core in cores


def answers_on(
    bundle: Bundle, devices: Sequence[Device], advance: Advance | None = None
) -> Iterator[DeviceAnswer]:
    """Each device's, as soon as it is known; what fails there is an answer, too.

    BundleError where the bundle has no golden pair, DeviceError where it runs on its target alone.
    """
    if bundle.manifest.golden is None:
        raise BundleError(f"{bundle.path}: has no golden sample: there is nothing to hold its answers to")
    check_runs_here(bundle)
    for done, device in enumerate(devices):
        if advance:
            advance(done, len(devices), f"{bundle.path.name} on {device.name}")
        with closing(device):
            yield _answer(bundle, device)


def _answer(bundle: Bundle, device: Device) -> DeviceAnswer:
    ready: dict[str, Any] = {}
    loads, golden, counted, why = False, None, None, ""
    try:
        with started(bundle, device, threads=1) as session:
            ready = session.ready
            session.load()
            loads = True
            golden = session.golden()
            if golden.reproduced:
                counted = instructions(session.count(_RUNS))
            else:
                why = f"relative error {golden.max_relative_error:.2g}, allowed {golden.allowed:.2g}"
    except DeviceError as error:
        why = str(error).removeprefix(f"{bundle.folder.name} on {device.name}: ")
    core, sums = _processor(bundle, device, ready)
    return DeviceAnswer(
        device=device.name,
        kind=device.kind,
        core=core,
        integer_sums=sums,
        runtime_version=str(ready.get("runtime_version", "")),
        loads=loads,
        golden=golden,
        instructions=counted.total if counted else None,
        why=why,
        why_no_instructions="" if counted else why_none(device, threads=1),
    )


def _processor(bundle: Bundle, device: Device, ready: Mapping[str, Any]) -> tuple[str, IntegerSums | None]:
    """The core and its integer sums, by what the device is where a runner under an emulator sees this machine's."""
    runtime = bundle.manifest.answering.runtime
    if isinstance(device, EmulatedDevice):
        return device.board.cluster.core, sums_on(device.board.arch, (), runtime)
    if not ready:
        return "", None
    return core_name(ready["cpu"]), sums_on(ready["arch"], ready["isa_features"], runtime)
