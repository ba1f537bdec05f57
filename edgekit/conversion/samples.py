"""The samples a conversion is judged on: the user's, or seeded random ones that are marked as such."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.contracts import LoadedContract, Raw
from edgekit.contracts.schema import ImageInput, TensorInput
from edgekit.data import Sample, Samples, open_samples

EVALUATION_LABELLED = (200, 1000)
"""At least and at most; in between what ``EVALUATION_MACS`` allow."""
EVALUATION_MACS = 2 * 10**11
"""A few seconds a candidate. A count, not a time: the same samples are taken on every machine."""
EVALUATION_UNLABELLED = 64
"""Their outputs are compared number by number and stay in memory."""
CALIBRATION = 100
RANDOM = 16
RANDOM_INPUTS = "random inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What artifacts are compared and scored on."""

    samples: Samples
    data: str
    """Where they come from, for the manifest."""
    random: bool = False

    @property
    def labelled(self) -> bool:
        return self.samples.labelled


def open_evaluation(
    contract: LoadedContract,
    *,
    evaluation: Path | None,
    calibration: Path | None,
    limit: int | None,
    macs: int | None,
) -> Evaluation:
    """The samples of ``evaluation``, else those of ``calibration``, else random ones. Raises DataError.

    ``limit``: at most so many; None: what is reasonable for a model of ``macs``.
    """
    path = evaluation or calibration
    if path is None:
        return _random_evaluation(contract, limit or RANDOM)
    samples = open_samples(path, contract)
    samples = samples.subset(limit or (labelled_count(macs) if samples.labelled else EVALUATION_UNLABELLED))
    kind = "labelled " if samples.labelled else ""
    note = "" if evaluation else ", the calibration data"
    return Evaluation(samples=samples, data=f"{samples.name}: {len(samples)} {kind}samples{note}")


def labelled_count(macs: int | None) -> int:
    """How many labelled samples a model of ``macs`` is scored on."""
    low, high = EVALUATION_LABELLED
    return max(low, min(high, EVALUATION_MACS // macs)) if macs else high


def _random_evaluation(contract: LoadedContract, count: int) -> Evaluation:
    items = tuple(Sample(f"random {seed}", partial(_random_raw, contract, seed)) for seed in range(count))
    samples = Samples(RANDOM_INPUTS, items)
    return Evaluation(
        samples=samples, data=f"{count} {RANDOM_INPUTS}, seeded; give --eval for yours", random=True
    )


def _random_raw(contract: LoadedContract, seed: int) -> Raw:
    """One raw sample of the kind the contract takes, always the same for a seed."""
    rng = np.random.default_rng(seed)
    first = contract.schema.inputs[0]
    if isinstance(first, ImageInput):
        return rng.integers(0, 256, (*first.size, 3), dtype=np.uint8)
    if isinstance(first, TensorInput):
        inputs = [item for item in contract.schema.inputs if isinstance(item, TensorInput)]
        return {item.name: _random_array(rng, item) for item in inputs}
    letters = np.array(list(string.ascii_lowercase))
    words = ("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(int(rng.integers(4, 20))))
    return " ".join(words)


def _random_array(
    rng: np.random.Generator, item: TensorInput
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    if np.dtype(item.dtype).kind == "f":
        return rng.standard_normal(item.shape).astype(item.dtype)
    # indices of a table whose length nobody knows: 0 and 1 are in most
    return rng.integers(0, 2, item.shape).astype(item.dtype)
