"""Encode samples once, for workers that calibrate and for the record of what they saw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.contracts import Encoded, LoadedContract
from edgekit.contracts.types import Tensor
from edgekit.data.arrays import write_arrays
from edgekit.data.samples import Sample, Samples, listing
from edgekit.errors import DataError
from edgekit.progress import Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """A folder of ``00000.npz``… as ``conversion.protocol.ConversionRequest.calibration`` wants it."""

    folder: Path
    source: str
    samples: int
    sha256: str
    """Over all encoded samples in order: of each its inputs by name, with dtype and shape."""


def write_calibration(
    samples: Samples, contract: LoadedContract, out_dir: Path, progress: Advance | None = None
) -> CalibrationSet:
    """Encode ``samples`` into ``out_dir`` (made where missing), one .npz each: input name -> array, batch 1.

    DataError names every sample that cannot be read or encoded; the folder is then incomplete.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    digest, problems = hashlib.sha256(), []
    for place, sample in enumerate(samples):
        try:
            tensors = encode_sample(sample, contract).tensors
        except DataError as error:
            problems.append(str(error))
            continue
        _add(digest, tensors)
        write_arrays(out_dir / f"{place:05d}.npz", tensors)
        if progress:
            progress(place + 1, len(samples), "encoding samples")
    if problems:
        raise listing(samples.name, problems, "samples that cannot be used")
    return CalibrationSet(
        folder=out_dir, source=samples.name, samples=len(samples), sha256=digest.hexdigest()
    )


def encode_sample(sample: Sample, contract: LoadedContract) -> Encoded:
    """A sample as the model's inputs; DataError names it."""
    raw = sample.load()
    try:
        return contract.encode(raw)
    except DataError as error:
        raise DataError(f"{sample.id}: {error}") from None


def _add(digest: hashlib._Hash, tensors: Mapping[str, Tensor]) -> None:
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}\0{value.dtype.str}\0{value.shape}\0".encode())
        digest.update(value.tobytes())
