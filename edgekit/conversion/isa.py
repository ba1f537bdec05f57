"""Try an artifact on its target's own instruction set, where that can be emulated here: the golden pair, once.

8-bit kernels differ between processors: what answers well on this one may be wrong, or refused, on the target's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.manifest import IsaCheck
from edgekit.devices.emulated import SCHEME, EmulatedDevice, open_emulated
from edgekit.errors import DeviceError, EdgekitError
from edgekit.vocabulary import INT8_ARITHMETIC

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Target
    from edgekit.vocabulary import Precision


def emulated_target(target: Target, precision: Precision, catalog: Catalog) -> EmulatedDevice | None:
    """The device to try an artifact of ``precision`` on; None where there is none, or nothing to find out.

    Floats are left out: they differ in last digits everywhere, and take an emulator minutes.
    """
    if target.detected or precision not in INT8_ARITHMETIC:
        return None
    try:
        return open_emulated(f"{SCHEME}{target.id}", catalog)
    except EdgekitError:  # no such core in QEMU, or nothing set up: the bundle says that it was not tried
        return None


def try_on(device: EmulatedDevice, folder: Path) -> IsaCheck:
    """Answer the golden input of the bundle in ``folder``. DeviceError: it does not load there, or answers otherwise."""
    with device.start(folder, threads=1) as session:
        session.load()
        session.run(1)
        golden = session.golden()
        if not golden.reproduced:
            raise DeviceError(f"relative error {golden.max_relative_error:.2g}, allowed {golden.allowed:.2g}")
        return IsaCheck(
            device=device.name,
            cpu=device.board.cluster.core,
            runtime_version=str(session.ready["runtime_version"]),
            equal_share=golden.equal_share,
            max_difference=golden.max_difference,
            relative_error=golden.max_relative_error,
        )


def isa_note(check: IsaCheck) -> str:
    """For the bundle, and for who made it."""
    from edgekit.bundles.golden import likeness_words

    words = likeness_words(check.equal_share, check.max_difference)
    return f"run on an emulated {check.cpu} with {check.runtime_version} of its runtime: {words}"
