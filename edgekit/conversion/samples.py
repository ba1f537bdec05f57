"""The samples a conversion is calibrated and judged on: the user's, or seeded ones that are marked as such."""

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
SYNTHETIC = "synthetic"
"""Name of the calibration data that ``--data-free`` makes."""
CONTRASTS = (15.0, 30.0, 50.0, 70.0)
"""Standard deviations of synthetic images, of 255: from fog to a street at noon."""


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
    synthetic: bool = False,
) -> Evaluation:
    """The samples of ``evaluation``, else those of ``calibration``, else random ones. Raises DataError.

    ``synthetic``: the random ones are of the kind of :func:`synthetic_samples`, but others.

    ``limit``: at most so many; None: what is reasonable for a model of ``macs``.
    """
    path = evaluation or calibration
    if path is None:
        return _random_evaluation(contract, limit or RANDOM, synthetic=synthetic)
    samples = open_samples(path, contract)
    samples = samples.subset(limit or (labelled_count(macs) if samples.labelled else EVALUATION_UNLABELLED))
    kind = "labelled " if samples.labelled else ""
    note = "" if evaluation else ", the calibration data"
    return Evaluation(samples=samples, data=f"{samples.name}: {len(samples)} {kind}samples{note}")


def labelled_count(macs: int | None) -> int:
    """How many labelled samples a model of ``macs`` is scored on."""
    low, high = EVALUATION_LABELLED
    return max(low, min(high, EVALUATION_MACS // macs)) if macs else high


def synthetic_samples(contract: LoadedContract, count: int) -> Samples:
    """What ``--data-free`` calibrates on: raw samples of the kind the contract takes, always the same."""
    # seeds from 0 on belong to the evaluation
    seeds = range(RANDOM, RANDOM + count)
    return Samples(
        SYNTHETIC, tuple(Sample(f"synthetic {n}", partial(_synthetic_raw, contract, n)) for n in seeds)
    )


def _random_evaluation(contract: LoadedContract, count: int, *, synthetic: bool) -> Evaluation:
    make = _synthetic_raw if synthetic else _random_raw
    # none of the calibration's, which begin at RANDOM, however many it takes
    seeds = [seed if seed < RANDOM else seed + 10**6 for seed in range(count)]
    samples = Samples(
        RANDOM_INPUTS, tuple(Sample(f"random {seed}", partial(make, contract, seed)) for seed in seeds)
    )
    return Evaluation(
        samples=samples, data=f"{count} {RANDOM_INPUTS}, seeded; give --eval for yours", random=True
    )


def _synthetic_raw(contract: LoadedContract, seed: int) -> Raw:
    first = contract.schema.inputs[0]
    return pink_image(first.size, seed) if isinstance(first, ImageInput) else _random_raw(contract, seed)


def pink_image(size: tuple[int, int], seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Noise with the statistics of photographs, [height, width, 3], RGB.

    Amplitudes fall with the frequency (Field, 1987: "Relations between the statistics of natural images and the
    response properties of cortical cells"), channels are much alike, brightness and contrast differ from image to image.
    Evenly distributed noise has none of it: a network answers it with activations that no photograph brings about.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # the mean is chosen below
    fall = frequency ** -rng.uniform(1.0, 1.4)
    grey, colours = rng.standard_normal((1, *size)), rng.standard_normal((3, *size))
    field = np.fft.irfft2(np.fft.rfft2(grey + 0.35 * colours) * fall, s=size)
    contrast = CONTRASTS[seed % len(CONTRASTS)]
    # an image of one pixel has no contrast
    image = (
        field / max(float(field.std()), 1e-12) * contrast + rng.uniform(80, 160) + rng.normal(0, 8, (3, 1, 1))
    )
    return np.clip(np.rint(image), 0, 255).astype(np.uint8).transpose(1, 2, 0)


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
