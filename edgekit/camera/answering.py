"""A bundle opened in this process, as the pipeline uses it: contract before and after, artifact between."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles import Bundle, read_bundle
from edgekit.camera.lanes import Lanes
from edgekit.contracts import Encoded, Geometry, LoadedContract, Prediction, Tensor
from edgekit.contracts.types import Image
from edgekit.errors import BundleError, DeviceError
from edgekit.runner.engine import Engine
from edgekit.runner.failure import RunnerError
from edgekit.telemetry import switch_off

SHOWN_TASKS = (
    "image-classification", "object-detection", "face-detection", "semantic-segmentation", "text-detection",
    "pose-estimation",
)  # fmt: skip
"""One picture in, and an answer that can be drawn on it."""
FOLLOWED_TASKS = ("object-detection", "face-detection")
"""Those that answer with boxes of things."""


@dataclass(frozen=True, slots=True, eq=False)
class Answerer:
    """The three steps from a picture to its answer; several threads may be at each of them."""

    bundle: Bundle
    contract: LoadedContract
    engine: Engine
    context: dict[str, Any]
    """What the runner says of the machine, this process and the runtime."""

    lanes: Lanes
    """Inferences that may be under way at once, of all frames and cameras that it answers."""

    def conditions(self) -> dict[str, Any]:
        """Under which times are measured: machine, threads, runtime and its version."""
        return {key: self.context[key] for key in _CONDITIONS}

    def prepare(self, image: Image) -> Encoded:
        """Inputs of the source model from ``image``, by the bundle's contract."""
        return self.contract.encode(image)

    def infer(self, encoded: Encoded) -> dict[str, Tensor]:
        """Outputs of the source model, in a lane that is waited for; DeviceError where the runtime fails."""
        lane = self.lanes.take()
        assert lane is not None
        try:
            return self.infer_in(lane, encoded)
        finally:
            self.lanes.give(lane)

    def infer_in(self, lane: int, encoded: Encoded) -> dict[str, Tensor]:
        """The same in a lane that the caller has taken."""
        try:
            return self.engine.answer(encoded.tensors, lane)
        except RunnerError as error:
            raise DeviceError(f"{self.bundle.path}: {error}") from error

    def decode(self, outputs: dict[str, Tensor], geometry: Geometry | None) -> Prediction:
        """What the outputs say, boxes and masks in pixels of the picture; ContractError where they say nothing."""
        return self.contract.decode(outputs, geometry)

    def answer(self, image: Image) -> Prediction:
        """All three steps."""
        encoded = self.prepare(image)
        return self.decode(self.infer(encoded), encoded.meta)


_CONDITIONS = (
    "machine",
    "cpu",
    "cores",
    "threads",
    "inferences",
    "governor",
    "load_average_1m",
    "runtime",
    "runtime_version",
)


def fitting_inferences(threads: int) -> int:
    """As many at once as this process has processors for, each on ``threads`` threads."""
    return max(1, len(os.sched_getaffinity(0)) // threads)


def open_bundle(
    path: Path, *, threads: int, inferences: int = 1, tasks: Sequence[str] = SHOWN_TASKS
) -> Answerer:
    """Open the bundle at ``path`` for so many inferences at once, each on ``threads`` threads, check its files, and let it
    answer its golden input.

    BundleError where its task is none of ``tasks``, DeviceError where it does not run here.
    """
    bundle = read_bundle(path)
    contract = bundle.contract()
    if contract.schema.task not in tasks:
        raise BundleError(
            f"{path}: a bundle of task '{contract.schema.task}' cannot be shown on pictures; "
            f"the camera takes: {', '.join(tasks)}"
            if tasks == SHOWN_TASKS
            else f"{path}: a bundle of task '{contract.schema.task}'; one of {', '.join(tasks)} is wanted"
        )
    switch_off()
    try:
        engine = Engine(bundle.folder, threads=threads, at_once=inferences, reset_peaks=False)
        context = {**engine.context(), "inferences": inferences}
        engine.load()
        # the first frame should not wait for this, nor for what a runtime puts off until its first inference
        engine.warm_up()
    except RunnerError as error:
        raise DeviceError(f"{path}: {error}") from error
    return Answerer(bundle, contract, engine, context, Lanes(inferences))
