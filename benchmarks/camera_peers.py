"""Peers' ways to answer a clip, with edgekit's artifact, pre-processing, decoding and drawing inside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from edgekit.camera.answering import Answerer
from edgekit.camera.drawing import drawn
from edgekit.camera.frames import Frame
from edgekit.camera.opening import open_stored
from edgekit.camera.pace import WARM_UP
from edgekit.camera.pipeline import Result
from edgekit.contracts.types import Image

MODEL_API = "openvino-model-api==0.4.7"
PREFETCHED = 4
Way = Callable[[Answerer, Path], float]
"""Frames a second of one pass over the clip."""


def supervision(_: Path, threads: int) -> Way:
    """supervision's generator of frames, which decodes ahead in a thread, and a loop over it."""
    import supervision as sv

    def way(answerer: Answerer, clip: Path) -> float:
        begun_s, count = 0.0, 0
        for count, image in enumerate(sv.get_video_frames_generator(str(clip), prefetch=PREFETCHED), 1):
            encoded = answerer.prepare(image)
            _draw(answerer, image, answerer.infer(encoded), encoded.meta)
            if count == WARM_UP:
                begun_s = perf_counter()
        return (count - WARM_UP) / (perf_counter() - begun_s)

    return way


def model_api(scratch: Path, threads: int) -> Way:
    """OpenVINO Model API's AsyncPipeline as its demos use it, on all processors: a stream for each ``threads``."""
    folder = scratch / "model-api"
    # it wants OpenCV 4 and works with 5
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder),
        MODEL_API,
    ]
    subprocess.run(install, check=True)
    sys.path.append(str(folder))
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


def _draw(answerer: Answerer, image: Image, outputs: dict[str, Any], geometry: Any) -> None:
    frame = Frame(image=image, index=0, time_ms=0.0, captured_s=0.0)
    drawn(Result(frame, answerer.decode(outputs, geometry)))


PEERS: Mapping[str, Callable[[Path, int], Way]] = {"supervision": supervision, "model-api": model_api}
"""Each gets a folder for what it needs and the threads of one inference."""
