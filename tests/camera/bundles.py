"""Bundles of whole models in floats on onnxruntime, without a conversion."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx

from edgekit.contracts import find_contract, load_contract
from edgekit.contracts.types import Raw
from tests.runner.bundles import answer, seal


def bundle_of(model: Path, folder: Path, sample: Raw) -> Path:
    """The model and its contract as they are; the golden pair is what it answers to ``sample``."""
    found = find_contract(model)
    assert found
    contract = load_contract(found)
    folder.mkdir(parents=True)
    contract.write_to(folder)
    shutil.copyfile(model, folder / "model.onnx")
    feeds = contract.encode(sample).tensors
    return seal(folder, "model.onnx", "onnx", "onnxruntime", feeds, answer(onnx.load(model), feeds))
