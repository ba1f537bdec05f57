"""How near quantized graphs come to the float model's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from edgekit.host import detect

Array = np.ndarray[Any, Any]
CAP_DB = 200.0


class Grader:
    """Grades graphs on a few samples; the float model is asked once."""

    def __init__(self, model: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], threads: int) -> None:
        self._samples, self._threads = samples, threads
        self._wanted = self._answers(model)

    def sqnr_db(self, quantized: onnx.ModelProto) -> float:
        """10 log10 of signal over noise, the mean over all outputs of noise over signal; between -200 and 200.

        Of outputs that are no floats (classes, indices) the share of wrong values counts as noise over signal.
        """
        found = self._answers(quantized)
        ratios = []
        for place, wanted in enumerate(self._wanted[0]):
            pairs = [(ours[place], theirs[place]) for ours, theirs in zip(self._wanted, found, strict=True)]
            ratios.append(_noise(pairs) if wanted.dtype.kind == "f" else _wrong(pairs))
        mean = float(np.mean(ratios))
        return float(np.clip(-10 * np.log10(mean), -CAP_DB, CAP_DB)) if mean > 0 else CAP_DB

    def _answers(self, model: onnx.ModelProto) -> list[list[Array]]:
        session = inference_session(model, self._threads)
        return [session.run(None, dict(sample)) for sample in self._samples]


def inference_session(model: onnx.ModelProto, threads: int) -> ort.InferenceSession:
    """A session whose int8 sums are exact, which those of x86 without VNNI otherwise are not."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    # two models are quantized side by side: threads that wait for work must not keep the other's from it
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not detect().exact_int8:
        options.add_session_config_entry("session.x64quantprecision", "1")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _noise(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Noise over signal, both summed over the samples; what is not finite in ``ours`` counts for nothing."""
    signal = noise = 0.0
    for ours, theirs in pairs:
        finite = np.isfinite(ours)
        a = ours[finite].astype(np.float64)
        signal += float(a @ a)
        if theirs.shape != ours.shape:  # other boxes were found
            noise += float(a @ a)
            continue
        b = theirs[finite].astype(np.float64)
        noise += float((a - b) @ (a - b)) if np.isfinite(b).all() else np.inf
    return noise / signal if signal else float(noise > 0)


def _wrong(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Share of the values that differ, the mean over the samples."""
    return float(
        np.mean([1.0 if a.shape != b.shape else np.mean(a != b) if a.size else 0.0 for a, b in pairs])
    )
