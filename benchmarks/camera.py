"""The camera's pipeline against a plain loop and against peers' loops, on one clip with one artifact, in turn.

    python -m benchmarks.camera --clip vtest.avi [--model yolov3-tiny] [--runtime openvino] [--precision int8]
        [--frames 200] [--rounds 7] [--threads 1] [--with supervision,model-api,inference-pipeline] [--json FILE]

Every way reads, prepares, infers, decodes and draws through the same code; they differ in how they put it together:
supervision's generator of frames, OpenVINO Model API's AsyncPipeline, the InferencePipeline of Roboflow's ``inference``. The
figures are medians over rounds in turn, each round in another order. The bounds are what the stages let a pipeline have that
overlaps perfectly, taken from the plain loop of the same round: the longest stage, and with the processors that there are.
Without ``--clip`` the camera pans over a sample photograph of the model.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.camera_peers import PEERS, Way
from benchmarks.candidates import built
from benchmarks.trials import quiet_home
from edgekit.camera.answering import Answerer, open_bundle
from edgekit.camera.drawing import drawn
from edgekit.camera.opening import open_stored
from edgekit.camera.pace import Pace, overlapped_fps, pace
from edgekit.contracts.types import Image
from edgekit.conversion.order import Order
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo import resolve
from edgekit.vocabulary import Precision

CROP, FPS = 0.9, 30.0
PIPELINE = "pipeline"


def main() -> None:
    options = _options()
    with quiet_home() as scratch, tempfile.TemporaryDirectory(prefix="edgekit-camera-") as folder:
        model = resolve(options.model, lambda *_: None)
        clip = cut(frames_of(options.clip, model, options.frames), scratch / "clip.avi")
        bundle = bundle_of(model, Path(folder), options.runtime, options.precision)
        answerer = open_bundle(bundle, threads=options.threads)
        ways: dict[str, Way] = {PIPELINE: pipeline}
        ways |= {
            name: PEERS[name](scratch, options.threads) for name in filter(None, options.peers.split(","))
        }
        paces: list[Pace] = []
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.rounds + 1):
            loop = pace(answerer, partial(open_stored, clip), drawn)
            found = {
                name: ways[name](answerer, clip) for name in random.Random(number).sample([*ways], len(ways))
            }
            if number:  # the first round warms caches up
                paces.append(loop)
                for name, rate in found.items():
                    rates[name].append(rate)
    facts = summary(options, answerer, paces, rates)
    report(facts)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def frames_of(clip: Path | None, model: Path, frames: int) -> list[Image]:
    """The first frames of the clip, or of a pan over the model's first photograph."""
    if clip:
        source = open_stored(clip)
        read = (source.read() for _ in range(frames))
        return [frame.image for frame in read if frame]
    return pan(read_image(find_images(model.parent / "eval")[0]), frames)


def pan(photo: Image, frames: int) -> list[Image]:
    """What a camera sees that moves over ``photo``."""
    size = [int(side * CROP) // 2 * 2 for side in photo.shape[:2]]
    found = []
    for index in range(frames):
        top, left = ((side - part) * index // frames for side, part in zip(photo.shape, size, strict=False))
        found.append(np.ascontiguousarray(photo[top : top + size[0], left : left + size[1]]))
    return found


def cut(images: list[Image], path: Path) -> Path:
    """Motion JPEG of high quality."""
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def bundle_of(model: Path, folder: Path, runtime: str, precision: Precision) -> Path:
    """The model's artifact for this machine, as ``edgekit convert`` builds it."""
    calibration = model.parent / "calib"
    order = Order(
        model=model,
        targets=("host",),
        out=folder,
        calibration=calibration if precision == "int8" else None,
        samples=None if precision == "int8" else 1,
        precisions=(precision,),
    )
    found = built(order, lambda _, item: (item.runtime.id, item.precision) == (runtime, precision))
    return next(path for _, _, path in found)


def pipeline(answerer: Answerer, clip: Path) -> float:
    """edgekit's overlapping stages."""
    return overlapped_fps(answerer, open_stored(clip), drawn)


def summary(
    options: argparse.Namespace, answerer: Answerer, paces: list[Pace], rates: Mapping[str, list[float]]
) -> dict[str, Any]:
    def spread(values: list[float]) -> dict[str, float]:
        return {"median": statistics.median(values), "low": min(values), "high": max(values)}

    ours = rates[PIPELINE]
    return {
        "command": f"--model {options.model} --runtime {options.runtime} --precision {options.precision}",
        "frames": options.frames,
        "rounds": options.rounds,
        "threads": options.threads,
        "conditions": answerer.conditions(),
        "stages_ms": {
            stage: statistics.median(each.stages_ms[stage] for each in paces) for stage in paces[0].stages_ms
        },
        "cpu_ms": statistics.median(each.cpu_ms for each in paces),
        "to_loop": spread([rate / each.loop_fps for rate, each in zip(ours, paces, strict=True)]),
        "bound_to_loop": spread([each.bound_fps / each.loop_fps for each in paces]),
        "to_bound": spread([rate / each.bound_fps for rate, each in zip(ours, paces, strict=True)]),
        "to_profiled": spread([rate / each.pipeline_fps for rate, each in zip(ours, paces, strict=True)]),
        "to_peers": {
            name: spread([a / b for a, b in zip(ours, theirs, strict=True)])
            for name, theirs in rates.items()
            if name != PIPELINE
        },
    }


def report(facts: dict[str, Any]) -> None:
    conditions = facts["conditions"]
    print(
        f"{facts['command']}: {facts['frames']} frames, {facts['rounds']} rounds, {facts['threads']} thread(s); "
        f"{conditions['runtime']} {conditions['runtime_version']}; {conditions['cpu']}, {conditions['cores']} cores, "
        f"load {conditions['load_average_1m']}"
    )
    stages = ", ".join(f"{stage} {spent:.2f}" for stage, spent in facts["stages_ms"].items())
    print(f"ms a frame, one after the other: {stages}; processor time {facts['cpu_ms']:.2f}")
    rows = {
        "pipeline / plain loop": facts["to_loop"],
        "1 / longest stage / plain loop": facts["bound_to_loop"],
        "pipeline / 1 / longest stage": facts["to_bound"],
        "pipeline / profile --pipeline": facts["to_profiled"],
        **{f"pipeline / {name}": ratio for name, ratio in facts["to_peers"].items()},
    }
    for name, ratio in rows.items():
        print(f"{name:34}{ratio['median']:7.3f}  ({ratio['low']:.3f} to {ratio['high']:.3f})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="yolov3-tiny", help="a zoo model of pictures")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--with", dest="peers", default="", help=f"of {','.join(PEERS)}")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
