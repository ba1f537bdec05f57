"""What can be said of a zoo model, fetched or not, as JSON types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.contracts.schema import Contract
from edgekit.errors import ContractError
from edgekit.models.zoo.entries import FOLDER
from edgekit.models.zoo.making import local_folder
from edgekit.models.zoo.schema import ZooModel
from edgekit.models.zoo.store import is_fetched, model_folder
from edgekit.strict import read_record


def brief(model: ZooModel) -> dict[str, Any]:
    """One line of ``models ls``; ``path`` and ``size_bytes`` are null where the model is not fetched."""
    folder = model_folder(model.id) if is_fetched(model) else None
    onnx = folder / f"{model.id}.onnx" if folder else None
    return {
        "id": model.id,
        "name": model.name,
        "task": model.task,
        "summary": model.summary,
        "licence": model.licences[0].spdx,
        "fetched": folder is not None,
        "path": str(onnx) if onnx else None,
        "size_bytes": onnx.stat().st_size if onnx else None,
    }


def full(model: ZooModel) -> dict[str, Any]:
    """All that its zoo file and its contract say, and where it is."""
    stated = model.model_dump(mode="json", exclude={"schema_version", "builder", "contract"})
    contract = contract_of(model)
    return {**stated, **brief(model), "contract": contract.model_dump(mode="json", by_alias=True)}


def contract_of(model: ZooModel) -> Contract:
    """The contract that goes with the model; ContractError where its file is wrong or gone."""
    contract, problems = read_record(_contract_file(model), Contract)
    if contract is None:
        raise ContractError("\n".join(problems))
    return contract


def _contract_file(model: ZooModel) -> Path:
    if model.contract:
        return FOLDER / "contracts" / model.contract
    return (local_folder(model) if model.local else model_folder(model.id)) / "contract.toml"
