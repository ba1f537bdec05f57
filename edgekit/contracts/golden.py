"""Does a contract still make the input tensors that were stored with a raw sample? A wrong one is caught here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.contracts.loading import LoadedContract
from edgekit.contracts.schema import ImageInput
from edgekit.contracts.types import Raw, Tensor
from edgekit.errors import ContractError


def check_inputs(contract: LoadedContract, raw: Raw, stored: Mapping[str, Tensor]) -> None:
    """ContractError where ``contract`` makes other inputs of ``raw`` than ``stored``: which, by how much, and why.

    Images may differ by OpenCV's rounding (see ``image_difference``), everything else must be equal.
    """
    fresh = contract.encode(raw).tensors
    specs = {item.name: item for item in contract.schema.inputs}
    problems = [f"input '{name}' is not in the contract" for name in stored if name not in fresh]
    for name, tensor in fresh.items():
        if name not in stored:
            problems.append(f"input '{name}' was not stored")
        elif difference := _difference(tensor, np.asarray(stored[name]), specs[name], raw):
            problems.append(f"input '{name}': {difference}")
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ContractError(f"the contract does not make the stored inputs of the golden sample:{lines}")


def _difference(fresh: Tensor, stored: Tensor, spec: object, raw: Raw) -> str | None:
    if isinstance(spec, ImageInput):
        from edgekit.contracts.image_difference import image_difference  # needs OpenCV

        return image_difference(fresh, stored, spec, raw)
    if fresh.shape != stored.shape or fresh.dtype != stored.dtype:
        return f"the contract makes {fresh.dtype} {list(fresh.shape)}, stored is {stored.dtype} {list(stored.shape)}"
    places = np.argwhere(fresh != stored)
    if not len(places):
        return None
    first = tuple(int(i) for i in places[0])
    return (
        f"differs in {len(places)} of {fresh.size} values, first at {list(first)}: "
        f"the contract makes {fresh[first]}, stored is {stored[first]}"
    )
