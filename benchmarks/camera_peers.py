"""Peers' ways to answer a clip, with edgekit's artifact, pre-processing, decoding and drawing inside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2

from edgekit.camera.answering import Answerer
from edgekit.camera.drawing import drawn
from edgekit.camera.frames import Frame
from edgekit.camera.opening import open_stored
from edgekit.camera.pace import WARM_UP
from edgekit.camera.pipeline import Result
from edgekit.contracts import Prediction
from edgekit.contracts.types import Image
from edgekit.data.capture import open_capture

MODEL_API = "openvino-model-api==0.4.7"
STREAMVISION = "streamvision==0.1.3"
"""The version that ``inference`` 1.8.3 pins."""
PREFETCHED = 4
Way = Callable[[Answerer, Path], float]
"""Frames a second of one pass over the clip."""


def supervision(_: Path, threads: int) -> Way:
    """supervision's generator of frames, which decodes ahead in a thread, and a loop over it."""
    import supervision as sv

    def way(answerer: Answerer, clip: Path) -> float:
        begun_s, count = 0.0, 0
        for count, image in enumerate(sv.get_video_frames_generator(str(clip), prefetch=PREFETCHED), 1):
            _draw(image, answerer.answer(image))
            if count == WARM_UP:
                begun_s = perf_counter()
        return (count - WARM_UP) / (perf_counter() - begun_s)

    return way


def model_api(scratch: Path, threads: int) -> Way:
    """OpenVINO Model API's AsyncPipeline as its demos use it, on all processors: a stream for each ``threads``."""
    _install(MODEL_API, scratch / "model-api")
    from model_api.adapters import OpenvinoAdapter, create_core
    from model_api.models.model import Model
    from model_api.pipelines import AsyncPipeline

    class Contracted(Model):  # type: ignore[misc]
        """A model whose steps are the contract's."""

        answerer: Answerer

        def base_preprocess(self, image: Image) -> tuple[dict[str, Any], dict[str, Any]]:
            encoded = self.answerer.prepare(image)
            return encoded.tensors, {"geometry": encoded.meta}

        def postprocess(self, outputs: dict[str, Any], meta: dict[str, Any]) -> Any:
            names = self.answerer.bundle.manifest.artifact.io.outputs
            found = {tensor.source: outputs[tensor.name] for tensor in names}
            return self.answerer.decode(found, meta["geometry"])

    def way(answerer: Answerer, clip: Path) -> float:
        model = next(answerer.bundle.folder.rglob("*.xml"))
        config = {
            "NUM_STREAMS": str(max(1, answerer.context["cores"] // threads)),
            "INFERENCE_NUM_THREADS": str(answerer.context["cores"]),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        wrapped = Contracted(OpenvinoAdapter(create_core(), str(model), plugin_config=config))
        wrapped.answerer = answerer
        running, source = AsyncPipeline(wrapped), open_stored(clip)
        begun_s, sent, shown = 0.0, 0, 0
        more = True
        while more or shown < sent:
            if (result := running.get_result(shown)) is not None:
                prediction, meta = result
                drawn(Result(meta["frame"], prediction))
                shown += 1
                if shown == WARM_UP:
                    begun_s = perf_counter()
            elif more and running.is_ready():
                frame = source.read()
                if frame is None:
                    more = False
                else:
                    running.submit_data(frame.image, sent, {"frame": frame})
                    sent += 1
            else:
                running.await_any() if more else running.await_all()
        return (shown - WARM_UP) / (perf_counter() - begun_s)

    return way


def inference_pipeline(scratch: Path, threads: int) -> Way:
    """The InferencePipeline of Roboflow's ``inference`` with custom logic and its defaults: a thread decodes up to 64
    frames ahead, a second prepares, infers and decodes, this one draws.

    It stands in a package of its own, streamvision; ``inference`` 1.8.3 inherits from it, and for custom logic overrides
    only where three settings are read, with the same defaults. ``inference`` as a whole pins an onnxruntime below 1.22,
    imports PyTorch and reports usage; this part of streamvision does none of it.
    """
    _install(STREAMVISION, scratch / "streamvision")
    from streamvision.stream.pipeline import InferencePipeline

    def way(answerer: Answerer, clip: Path) -> float:
        shown: list[int] = []
        begun_s = ended_s = 0.0

        def answer(frames: list[Any]) -> list[Prediction]:
            return [answerer.answer(frame.image) for frame in frames]

        def show(prediction: Prediction, frame: Any) -> None:
            nonlocal begun_s, ended_s
            _draw(frame.image, prediction)
            ended_s = perf_counter()
            shown.append(frame.frame_id)
            if len(shown) == WARM_UP:
                begun_s = ended_s

        running = InferencePipeline.init_with_custom_logic(
            str(clip), on_video_frame=answer, on_prediction=show
        )
        running.start()
        running.join()
        check_whole(shown, clip)
        return (len(shown) - WARM_UP) / (ended_s - begun_s)

    return way


def check_whole(shown: list[int], clip: Path) -> None:
    """SystemExit where ``shown``, numbers of frames from 1 on, is not every frame of the clip in order.

    For peers that drop frames, or log an error and end without it.
    """
    frames = int(open_capture(str(clip), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT))
    if shown != [*range(1, frames + 1)]:
        raise SystemExit(f"{clip}: the peer showed {len(shown)} of {frames} frames, or not in their order")


def _install(requirement: str, folder: Path) -> None:
    """Have it found in this process, without what it requires: peers want OpenCV 4 and work with 5."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, requirement], check=True)
    sys.path.append(str(folder))


def _draw(image: Image, prediction: Prediction) -> None:
    drawn(Result(Frame(image=image, index=0, time_ms=0.0, captured_s=0.0), prediction))


PEERS: Mapping[str, Callable[[Path, int], Way]] = {
    "supervision": supervision,
    "model-api": model_api,
    "inference-pipeline": inference_pipeline,
}
"""Each gets a folder for what it needs and the threads of one inference."""
