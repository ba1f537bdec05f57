"""The camera's pipeline against a plain loop, on one clip with one bundle, in turn.

    python -m benchmarks.camera [--model yolov3-tiny] [--frames 120] [--rounds 5] [--threads 1]

The clip pans over a sample photograph of the model. The loop does what the pipeline's stages do, one after the other,
through the same code: read, prepare, infer, decode, draw. Both are timed in each round, and every other round the loop
goes first; the figures are medians over the rounds. The bound is what perfect overlap would bring: the sum of the
loop's stages over the longest one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from benchmarks.candidates import built
from benchmarks.trials import quiet_home
from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.drawing import drawn
from edgekit.camera.opening import open_stored
from edgekit.camera.pipeline import Pipeline, Result
from edgekit.camera.times import STAGES, Times
from edgekit.conversion.order import Order
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo import resolve

CROP, FPS = 0.9, 30.0


@dataclass(frozen=True, slots=True)
class Timed:
    """One pass over the clip."""

    seconds: float
    stages_ms: dict[str, float]
    """Mean of each stage a frame."""


def main() -> None:
    options = _options()
    with quiet_home() as scratch, tempfile.TemporaryDirectory(prefix="edgekit-camera-") as folder:
        model = resolve(options.model, lambda *_: None)
        clip = pan(read_image(find_images(model.parent / "eval")[0]), scratch / "clip.mp4", options.frames)
        answerer = open_bundle(onnxruntime_bundle(model, Path(folder)), threads=options.threads)
        rounds: dict[str, list[Timed]] = {"loop": [], "pipeline": []}
        ways: list[tuple[str, Callable[[Answerer, Path], Timed]]] = [("loop", loop), ("pipeline", pipeline)]
        for number in range(options.rounds + 1):
            for name, way in ways if number % 2 else reversed(ways):
                timed = way(answerer, clip)
                if number:  # the first round warms caches up
                    rounds[name].append(timed)
    report(options, answerer, rounds)


def pan(photo: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path, frames: int) -> Path:
    """A clip of a crop that moves over ``photo``, MPEG-4."""
    height, width = photo.shape[:2]
    size = (int(width * CROP) // 2 * 2, int(height * CROP) // 2 * 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    for index in range(frames):
        left, top = (
            (side - part) * index // frames for side, part in zip((width, height), size, strict=True)
        )
        writer.write(np.ascontiguousarray(photo[top : top + size[1], left : left + size[0]]))
    writer.release()
    return path


def onnxruntime_bundle(model: Path, folder: Path) -> Path:
    """The model in floats on onnxruntime, as ``edgekit convert`` builds it."""
    order = Order(model=model, targets=("host",), out=folder, samples=1, precisions=("fp32",))
    found = built(order, lambda _, item: item.converter == "onnxruntime")
    return next(path for _, _, path in found)


def loop(answerer: Answerer, clip: Path) -> Timed:
    """Read, prepare, infer, decode and draw one frame after the other."""
    source, times = open_stored(clip), Times()
    started = perf_counter()
    while True:
        with times.of("capture"):
            frame = source.read()
        if frame is None:
            return Timed(perf_counter() - started, means(times))
        with times.of("preprocess"):
            encoded = answerer.prepare(frame.image)
        with times.of("inference"):
            outputs = answerer.infer(encoded)
        with times.of("postprocess"):
            prediction = answerer.decode(outputs, encoded.meta)
        with times.of("output"):
            drawn(Result(frame, prediction))


def pipeline(answerer: Answerer, clip: Path) -> Timed:
    """The same in overlapping stages."""
    running = Pipeline(answerer, open_stored(clip))
    started = perf_counter()
    for result in running:
        drawn(result)
    return Timed(perf_counter() - started, means(running.times))


def means(times: Times) -> dict[str, float]:
    return {stage: float(facts["mean"] or 0.0) for stage, facts in times.stages_ms().items() if facts}


def report(options: argparse.Namespace, answerer: Answerer, rounds: dict[str, list[Timed]]) -> None:
    context = answerer.context
    print(
        f"{options.model}, {options.frames} frames, {options.rounds} rounds; {context['runtime']} "
        f"{context['runtime_version']} fp32, {options.threads} thread(s), {context['cores']} cores, "
        f"load {context['load_average_1m']}; {context['cpu']}"
    )
    print(f"{'ms a frame':14}{'loop':>9}{'pipeline':>10}")
    middle = {
        name: {stage: statistics.median(timed.stages_ms[stage] for timed in passes) for stage in STAGES}
        for name, passes in rounds.items()
    }
    for stage in STAGES:
        print(f"{stage:14}{middle['loop'][stage]:9.2f}{middle['pipeline'][stage]:10.2f}")
    whole = {
        name: statistics.median(timed.seconds for timed in passes) * 1000 / options.frames
        for name, passes in rounds.items()
    }
    print(f"{'whole':14}{whole['loop']:9.2f}{whole['pipeline']:10.2f}")
    ratios = [a.seconds / b.seconds for a, b in zip(rounds["loop"], rounds["pipeline"], strict=True)]
    stages = middle["loop"].values()
    print(
        f"pipeline / loop, frames a second: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"bound {sum(stages) / max(stages):.2f}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="yolov3-tiny", help="a zoo model of pictures")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
