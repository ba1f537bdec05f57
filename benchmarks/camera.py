"""The camera's pipeline against a plain loop and against peers' loops, on one clip with one artifact, in turn.

    python -m benchmarks.camera --clip vtest.avi [--model yolov3-tiny] [--runtime openvino] [--precision int8]
        [--frames 200] [--rounds 7] [--threads 1] [--inferences N] [--then BUNDLE]
        [--with supervision,model-api,inference-pipeline] [--json FILE]

Every way reads, prepares, infers, decodes and draws through the same code; they differ in how they put it together:
supervision's generator of frames, OpenVINO Model API's AsyncPipeline, the InferencePipeline of Roboflow's ``inference``. The
figures are medians over rounds in turn, each round in another order. The bounds are what the stages let a pipeline have that
overlaps perfectly, taken from the plain loop of the same round: the longest stage, which holds for one frame at a time in
each, and what the inferences, workers and processors allow that there are. The loop and most peers infer one frame at a time
and ask the bundle opened for that; the pipeline and ``profile --pipeline`` ask it opened for ``--inferences``.
Without ``--clip`` the camera pans over a sample photograph of the model.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.camera_peers import PEERS
from benchmarks.candidates import built
from benchmarks.trials import quiet_home
from edgekit.camera.answering import Answerer
from edgekit.camera.drawing import drawn
from edgekit.camera.opening import open_stored
from edgekit.camera.pace import Pace, overlapped_fps, pace
from edgekit.camera.pipeline import Pipeline
from edgekit.camera.work import OpenWork, Work
from edgekit.contracts.types import Image
from edgekit.conversion.order import Order
from edgekit.data.images import find_images, read_image
from edgekit.models.zoo import resolve
from edgekit.vocabulary import Precision

CROP, FPS = 0.9, 30.0
LOOP, PROFILE, RUN, PIPELINE = "loop", "profile --pipeline", "camera run", "pipeline"
OWN = (LOOP, PROFILE, RUN, PIPELINE)
PROFILED_S = 4.0
"""Of one ``profile --pipeline``, which takes 8 s by itself."""


def main() -> None:
    options = _options()
    with quiet_home() as scratch, tempfile.TemporaryDirectory(prefix="edgekit-camera-") as folder:
        model = resolve(options.model, lambda *_: None)
        clip = cut(frames_of(options.clip, model, options.frames), scratch / "clip.avi")
        bundle = bundle_of(model, Path(folder), options.runtime, options.precision)
        work = Work(bundle=bundle, threads=options.threads, inferences=1, then=options.then)
        alone, several = OpenWork(work), OpenWork(replace(work, inferences=options.inferences))
        ways: dict[str, Callable[[], Any]] = {
            LOOP: lambda: pace(partial(opened, alone, clip), drawn),
            PROFILE: lambda: pace(partial(opened, several, clip), lambda _: None, duration_s=PROFILED_S),
            RUN: lambda: camera_run(opened(several, clip)),
            PIPELINE: lambda: overlapped_fps(opened(several, clip), drawn),
        }
        for name in filter(None, options.peers.split(",")):
            ways[name] = partial(PEERS[name](scratch, options.threads), alone.answerer, clip)
        rounds: list[dict[str, Any]] = []
        for number in range(options.rounds + 1):
            order = random.Random(number).sample([*ways], len(ways))
            rounds.append({name: ways[name]() for name in order})
    facts = summary(options, several.answerer, rounds[1:])  # the first round warms caches up
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


def opened(work: OpenWork, clip: Path) -> Pipeline:
    return work.pipeline(open_stored(clip))


def camera_run(pipeline: Pipeline) -> float:
    """Frames a second as ``camera run`` says it: of the whole clip, with its first frames, nothing written."""
    for _ in pipeline:
        pass
    return pipeline.put_out / pipeline.seconds


def summary(options: argparse.Namespace, answerer: Answerer, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """``rounds``: of each way what it measured, a :class:`Pace` or frames a second."""
    inferences = answerer.lanes.count
    workers = rounds[0][PROFILE].workers
    paces: list[Pace] = [replace(each[LOOP], inferences=inferences, workers=workers) for each in rounds]
    ours = [float(each[PIPELINE]) for each in rounds]
    loops = [each.loop_fps for each in paces]
    bounds = [each.bound_fps for each in paces]
    longest = [each.longest_fps for each in paces]
    return {
        "command": f"--model {options.model} --runtime {options.runtime} --precision {options.precision}",
        "frames": options.frames,
        "rounds": options.rounds,
        "threads": options.threads,
        "inferences": inferences,
        "workers": workers,
        "conditions": answerer.conditions(),
        "stages_ms": {
            stage: statistics.median(each.stages_ms[stage] for each in paces) for stage in paces[0].stages_ms
        },
        "cpu_ms": statistics.median(each.cpu_ms for each in paces),
        "bound": statistics.mode(each.nearest for each in paces),
        "to_loop": _spread(ours, loops),
        "longest_to_loop": _spread(longest, loops),
        "bound_to_loop": _spread(bounds, loops),
        "to_longest": _spread(ours, longest),
        "to_bound": _spread(ours, bounds),
        "to_one_inference": _spread(ours, [each.pipeline_fps for each in paces]),
        "run_to_profiled": _spread(
            [float(each[RUN]) for each in rounds], [each[PROFILE].pipeline_fps for each in rounds]
        ),
        "to_peers": {
            name: _spread(ours, [float(each[name]) for each in rounds])
            for name in rounds[0]
            if name not in OWN
        },
    }


def _spread(values: list[float], to: list[float]) -> dict[str, float]:
    ratios = [value / other for value, other in zip(values, to, strict=True)]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def report(facts: dict[str, Any]) -> None:
    conditions = facts["conditions"]
    print(
        f"{facts['command']}: {facts['frames']} frames, {facts['rounds']} rounds, {facts['inferences']} inference(s) on "
        f"{facts['threads']} thread(s); {conditions['runtime']} {conditions['runtime_version']}; {conditions['cpu']}, "
        f"{conditions['cores']} cores, load {conditions['load_average_1m']}"
    )
    stages = ", ".join(f"{stage} {spent:.2f}" for stage, spent in facts["stages_ms"].items())
    print(f"ms a frame, one after the other: {stages}; processor time {facts['cpu_ms']:.2f}")
    bound = f"bound ({facts['bound']})"
    rows = {
        "pipeline / plain loop": facts["to_loop"],
        "longest stage / plain loop": facts["longest_to_loop"],
        f"{bound} / plain loop": facts["bound_to_loop"],
        "pipeline / longest stage": facts["to_longest"],
        f"pipeline / {bound}": facts["to_bound"],
        "pipeline / one inference at a time": facts["to_one_inference"],
        "camera run / profile --pipeline": facts["run_to_profiled"],
        **{f"pipeline / {name}": ratio for name, ratio in facts["to_peers"].items()},
    }
    for name, ratio in rows.items():
        print(f"{name:36}{ratio['median']:7.3f}  ({ratio['low']:.3f} to {ratio['high']:.3f})")


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
    parser.add_argument("--inferences", type=int, help="at a time; default: as there are processors for")
    parser.add_argument("--then", type=Path, help="a second bundle, as camera run has it")
    parser.add_argument("--with", dest="peers", default="", help=f"of {','.join(PEERS)}")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.then and options.peers:
        parser.error("peers ask no second bundle: --then without --with")
    return options


if __name__ == "__main__":
    main()
