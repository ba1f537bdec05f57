"""What can be checked of a bundle without running it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.bundles.golden import GoldenTensors, read_tensors
from edgekit.bundles.manifest import Step
from edgekit.bundles.read import MANIFEST, MANIFEST_DIGEST, UNLISTED, Bundle, file_entries
from edgekit.bundles.write import artifact_sha256
from edgekit.contracts import LoadedContract, Prediction, Tensor, check_fit, check_inputs
from edgekit.data import read_raw
from edgekit.errors import BundleError, ContractError, DataError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    shape: tuple[int, ...]
    dtype: str


def check_manifest(bundle: Bundle) -> Check:
    """The manifest is the one that was written with the bundle, unless somebody wrote its digest anew, too."""
    try:
        stored = (bundle.folder / MANIFEST_DIGEST).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return Check("manifest", False, f"{MANIFEST_DIGEST} is missing or unreadable")
    if stored.split() != [bundle.sha256, MANIFEST]:
        return Check(
            "manifest", False, f"{MANIFEST} was changed since: {MANIFEST_DIGEST} names another content"
        )
    return Check("manifest", True, f"{MANIFEST} as it was written")


def check_files(bundle: Bundle) -> Check:
    """Every file has the hash that the manifest names, and there are no others."""
    listed = {entry.path: entry for entry in bundle.manifest.files}
    found = {entry.path: entry for entry in file_entries(bundle.folder, without=UNLISTED)}
    problems = [f"missing: {path}" for path in sorted(listed.keys() - found.keys())]
    problems += [f"not in the manifest: {path}" for path in sorted(found.keys() - listed.keys())]
    both = sorted(listed.keys() & found.keys())
    problems += [f"changed: {path}" for path in both if listed[path] != found[path]]
    return Check("files", not problems, "; ".join(problems) or f"{len(listed)} files as they were written")


def check_steps(bundle: Bundle) -> Check:
    """From the source model each step's parent is the child of the one before, and the last child is the artifact."""
    manifest = bundle.manifest
    problem = _gap(manifest.steps, manifest.model.sha256)
    if not problem and manifest.steps and manifest.steps[-1].child_sha256 != artifact_sha256(bundle.folder):
        problem = "the artifact is not what the last step made"
    steps = " > ".join(dict.fromkeys(step.variant or step.converter for step in manifest.steps))
    return Check("steps", not problem, problem or f"unbroken from {manifest.model.name}: {steps}")


def check_contract(bundle: Bundle, golden: GoldenTensors) -> tuple[Check, LoadedContract | None]:
    """The contract is readable and fits the tensors of the golden pair."""
    try:
        contract = bundle.contract()
        check_fit(contract, _specs(golden.inputs), _specs(golden.outputs))
    except ContractError as error:
        return Check("contract", False, str(error)), None
    return Check("contract", True, f"fits: {contract.schema.task}"), contract


def read_golden(bundle: Bundle) -> tuple[Check, GoldenTensors | None]:
    """The bundle has a golden pair and it can be read."""
    golden = bundle.manifest.golden
    if golden is None:
        return Check("golden", False, "the bundle has no golden pair"), None
    try:
        tensors = read_tensors(bundle.folder / golden.tensors)
    except BundleError as error:
        return Check("golden", False, str(error)), None
    if not tensors.inputs or not tensors.outputs:
        return Check("golden", False, f"{golden.tensors} holds no inputs or no outputs"), None
    return Check("golden", True, f"{golden.sample} and its tensors are readable"), tensors


def check_encoding(bundle: Bundle, contract: LoadedContract, golden: GoldenTensors) -> Check:
    """The contract makes of the golden sample the tensors that are stored: a wrong contract shows here."""
    assert bundle.manifest.golden is not None
    sample = bundle.manifest.golden.sample
    try:
        check_inputs(contract, read_raw(bundle.folder / sample), golden.inputs)
    except (DataError, ContractError) as error:
        return Check("encoding", False, f"{sample}: {error}")
    return Check("encoding", True, f"contract.toml makes the stored input of {sample}")


def check_prediction(bundle: Bundle, contract: LoadedContract, golden: GoldenTensors) -> Check:
    """The stored output, read by the contract, is the stored answer."""
    assert bundle.manifest.golden is not None
    try:
        found = decode_golden(bundle, contract, golden.outputs)
        expected = bundle.manifest.golden.prediction
        stored = json.loads(expected)
    except (DataError, ContractError, ValueError) as error:
        return Check("prediction", False, str(error))
    if found.to_json() == expected:
        return Check("prediction", True, f"the stored answer: {_short(expected)}")
    return Check("prediction", False, _first_difference(json.loads(found.to_json()), stored))


def decode_golden(bundle: Bundle, contract: LoadedContract, outputs: Mapping[str, Tensor]) -> Prediction:
    """What the contract reads in ``outputs`` to the golden sample."""
    assert bundle.manifest.golden is not None
    encoded = contract.encode(read_raw(bundle.folder / bundle.manifest.golden.sample))
    return contract.decode(outputs, encoded.meta)


def _gap(steps: Sequence[Step], source: str) -> str | None:
    """Where the chain of steps is broken; the tools of one worker share parent and child."""
    before, parent = source, source
    for step in steps:
        if step.parent_sha256 == parent and step.child_sha256 == before:
            continue
        if step.parent_sha256 != before:
            return f"step '{step.variant or step.converter}' did not begin with what the one before it made"
        parent, before = step.parent_sha256, step.child_sha256
    return None


def _specs(tensors: Mapping[str, Tensor]) -> list[_Spec]:
    return [_Spec(name, tensor.shape, tensor.dtype.name) for name, tensor in tensors.items()]


def _first_difference(found: Any, stored: Any, where: str = "the answer") -> str:
    """Where two answers, as JSON types, first differ, and what stands there in both."""
    if isinstance(found, dict) and isinstance(stored, dict):
        pairs = [(f".{key}", found.get(key), stored.get(key)) for key in sorted(found.keys() | stored.keys())]
    elif isinstance(found, list) and isinstance(stored, list) and len(found) == len(stored):
        pairs = [(f"[{index}]", *pair) for index, pair in enumerate(zip(found, stored, strict=True))]
    else:
        pairs = []
    for step, a, b in pairs:
        if a != b:
            return _first_difference(a, b, where + step)
    now, then = (_short(json.dumps(side, ensure_ascii=False)) for side in (found, stored))
    return f"{where} reads {now}, stored is {then}"


def _short(text: str) -> str:
    return text if len(text) <= 72 else f"{text[:69]}..."
