"""Is a bundle what its manifest says: files, steps, contract, golden pair, and the artifact's own answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgekit.bundles.checks import (
    Check,
    check_contract,
    check_encoding,
    check_files,
    check_manifest,
    check_prediction,
    check_steps,
    decode_golden,
    read_golden,
)
from edgekit.bundles.golden import GoldenTensors, largest_error, likeness
from edgekit.bundles.read import Bundle
from edgekit.contracts import LoadedContract, Tensor, agreement
from edgekit.errors import ContractError, DataError, DeviceError

if TYPE_CHECKING:
    from edgekit.bundles.manifest import Manifest
    from edgekit.devices import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Every check that was made, in order."""

    bundle: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def with_check(self, check: Check) -> Verification:
        """The same and one more check."""
        return replace(self, checks=(*self.checks, check))

    def facts(self) -> dict[str, Any]:
        """As ``verify --json`` prints it."""
        checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in self.checks]
        return {"bundle": self.bundle, "ok": self.ok, "checks": checks}


def verify_bundle(bundle: Bundle, device: Device, *, threads: int = 1) -> Verification:
    """Check the bundle on ``device``. Never raises for what is wrong with the bundle: that is what checks say.

    An artifact whose file or manifest changed is not run: nobody knows what it is.
    """
    written = [check_manifest(bundle), check_files(bundle)]
    readable, golden = read_golden(bundle)
    checks = [*written, check_steps(bundle), *_calibration(bundle), readable]
    if golden is None:
        return Verification(bundle=str(bundle.path), checks=tuple(checks))
    fits, contract = check_contract(bundle, golden)
    checks.append(fits)
    if contract is not None:
        checks += [check_encoding(bundle, contract, golden), check_prediction(bundle, contract, golden)]
    if all(check.ok for check in written):
        checks += _check_artifact(bundle, device, contract, golden, threads)
    else:
        checks.append(Check("artifact", False, "not run: files changed since the bundle was written"))
    return Verification(bundle=str(bundle.path), checks=tuple(checks))


def _calibration(bundle: Bundle) -> list[Check]:
    """Nothing is wrong with an uncalibrated artifact, but whoever checks it should know."""
    used = bundle.manifest.calibration
    return [Check("calibration", True, used.says)] if used and used.synthetic else []


def _check_artifact(
    bundle: Bundle, device: Device, contract: LoadedContract | None, golden: GoldenTensors, threads: int
) -> list[Check]:
    """The artifact loads, answers the golden input as it did, and the answer means the same."""
    assert bundle.manifest.golden is not None
    try:
        with device.start(bundle.folder, threads=threads) as session:
            session.load()
            outputs = session.infer([golden.inputs])[0]
    except DeviceError as error:
        return [Check("artifact", False, str(error))]
    found, limit = largest_error(outputs, golden.outputs), bundle.manifest.golden.max_relative_error
    manifest = bundle.manifest
    runtime = manifest.answering.runtime
    words = f"relative error {found:.2g}, at most {limit:g}"
    if found > limit:
        return [Check("artifact", False, f"{runtime} does not answer the golden input as it did: {words}")]
    return [
        Check(
            "artifact", True, f"{runtime} answers the golden input as it did: {words}{_stand_in(manifest)}"
        ),
        *([] if device.name == "local" else [_bits(device, outputs, golden)]),
        *_check_answer(bundle, contract, golden, GoldenTensors(inputs=golden.inputs, outputs=outputs)),
    ]


def _stand_in(manifest: Manifest) -> str:
    if manifest.reference is None:
        return ""
    artifact = manifest.artifact.path
    return f" ({manifest.reference.path}, what {artifact} was compiled from; that runs on {manifest.target} alone)"


def _bits(device: Device, outputs: Mapping[str, Tensor], golden: GoldenTensors) -> Check:
    """How near another processor comes to the build host's answers; nothing is wrong with a difference."""
    alike = likeness(outputs, golden.outputs)
    return Check("bits", True, f"on {device.name}: {alike.words}")


def _check_answer(
    bundle: Bundle, contract: LoadedContract | None, stored: GoldenTensors, fresh: GoldenTensors
) -> list[Check]:
    if contract is None:
        return []
    try:
        expected, found = (decode_golden(bundle, contract, pair.outputs) for pair in (stored, fresh))
    except (ContractError, DataError) as error:
        return [Check("answer", False, str(error))]
    same = agreement(found, expected)
    detail = "the artifact's answer agrees with the stored one"
    return [Check("answer", same >= 0.99, detail if same >= 0.99 else f"agrees by {same:.0%} only")]
