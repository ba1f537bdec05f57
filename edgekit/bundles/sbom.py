"""The bill of materials of a bundle, CycloneDX 1.6 as JSON: model, artifact, runtime, and the tools between them.

https://cyclonedx.org/docs/1.6/json/ ; no time and a serial number made from the content, so that the same
bundle has the same bill.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.bundles.manifest import Artifact, FileEntry, SourceModel, Step

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.6")


def sbom(
    *,
    name: str,
    model: SourceModel,
    artifact: Artifact,
    files: Sequence[FileEntry],
    steps: Sequence[Step],
    runtime_version: str | None,
) -> str:
    """Return the bill of materials as JSON text. ``files``: those of the artifact, in the bundle's names."""
    bundle = {"type": "application", "bom-ref": "bundle", "name": name}
    components = [_model(model), *map(_file, files), _runtime(artifact, runtime_version)]
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": bundle, "tools": {"components": _tools(steps)}},
        "components": components,
        "dependencies": [
            {"ref": "bundle", "dependsOn": [f"file:{entry.path}" for entry in files] + ["runtime"]},
            *({"ref": f"file:{entry.path}", "dependsOn": ["model"]} for entry in files),
        ],
    }
    content = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return json.dumps(bill, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _model(model: SourceModel) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": model.name,
        "hashes": [{"alg": "SHA-256", "content": model.sha256}],
    }
    if model.licence:
        component["licenses"] = [{"license": {"name": model.licence}}]
    if model.origin:
        component["properties"] = [{"name": "edgekit:origin", "value": model.origin}]
    return component


def _file(entry: FileEntry) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{entry.path}",
        "name": entry.path,
        "hashes": [{"alg": "SHA-256", "content": entry.sha256}],
    }


def _runtime(artifact: Artifact, version: str | None) -> dict[str, Any]:
    known: Mapping[str, str] = {"version": version} if version else {}
    return {"type": "library", "bom-ref": "runtime", "name": artifact.runtime, **known}


def _tools(steps: Sequence[Step]) -> list[dict[str, Any]]:
    tools = sorted({(step.tool, step.version) for step in steps})
    return [{"type": "application", "name": tool, "version": version} for tool, version in tools]
