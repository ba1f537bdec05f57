"""Calibrate in a process of its own, in turn with plain inference over the same files; prints JSON.

    python -m benchmarks.calibrators MODEL FOLDER --of plain,"edgekit mse" --rounds 6

One thread on one processor: processor time is what another process on a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from benchmarks.peers import Reader, openvino_nncf_int8
from edgekit.quantization.calibration import CalibrationFiles
from edgekit.quantization.grading import inference_session
from edgekit.quantization.insertion import Scheme, quantized_tensors
from edgekit.quantization.observers import RangeMethod
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.watching import observe
from edgekit.runner.memory import peak_bytes

PLAIN = "plain"


def plain(path: Path, files: Path) -> None:
    """Run the float model over every file."""
    session = inference_session(onnx.load(path), 1)
    for feeds in CalibrationFiles(files):
        session.run(None, feeds)


def edgekit(path: Path, files: Path, *, methods: Sequence[RangeMethod]) -> None:
    """edgekit's ranges of every activation that it quantizes."""
    model, tensors = _model_and_tensors(path)
    observe(model, tensors, CalibrationFiles(files), methods, threads=1)


@cache
def _model_and_tensors(path: Path) -> tuple[onnx.ModelProto, list[str]]:
    """What the quantizer knows before it calibrates."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    return model, quantized_tensors(model, float_nodes(model.graph), Scheme())


def onnxruntime(path: Path, files: Path, *, method: str) -> None:
    """What ``quantize_static`` does before it writes a graph, with its defaults."""
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    with tempfile.TemporaryDirectory() as scratch:
        calibrator = create_calibrator(
            path,
            sorted({*QLinearOpsRegistry, *QDQRegistry}),
            augmented_model_path=f"{scratch}/augmented.onnx",
            calibrate_method=CalibrationMethod[method],
        )
        calibrator.collect_data(Reader(CalibrationFiles(files)))
        calibrator.compute_data()


def nncf(path: Path, files: Path) -> None:
    """``nncf.quantize`` with its defaults, which also corrects biases: it does not offer its statistics alone."""
    text = "attention_mask" in {value.name for value in onnx.load(path).graph.input}
    with tempfile.TemporaryDirectory() as scratch:
        openvino_nncf_int8(path, CalibrationFiles(files), Path(scratch), text=text)


METHODS: tuple[RangeMethod, ...] = ("minmax", "percentile", "mse", "entropy")
OURS: Mapping[str, Callable[[Path, Path], None]] = {
    **{f"edgekit {method}": partial(edgekit, methods=(method,)) for method in METHODS},
    "edgekit all four": partial(edgekit, methods=METHODS),
}
THEIRS: Mapping[str, Callable[[Path, Path], None]] = {
    "onnxruntime MinMax": partial(onnxruntime, method="MinMax"),
    "onnxruntime Percentile": partial(onnxruntime, method="Percentile"),
    "onnxruntime Entropy": partial(onnxruntime, method="Entropy"),
    "NNCF quantize": nncf,
}
CALIBRATORS = {PLAIN: plain, **OURS, **THEIRS}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path)
    parser.add_argument("--of", required=True, help=", ".join(CALIBRATORS))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    _stay_on_one_processor()
    names = options.of.split(",")
    _model_and_tensors(options.model)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for index in range(options.rounds):
        for name in names if index % 2 == 0 else names[::-1]:
            begin = time.process_time()
            CALIBRATORS[name](options.model, options.files)
            spent[name].append(time.process_time() - begin)
    print("\n" + json.dumps({"cpu_s": spent, "peak_bytes": peak_bytes()}))


def _stay_on_one_processor() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    make: Callable[[], Any] = ort.SessionOptions

    def one_thread() -> Any:
        options = make()
        options.intra_op_num_threads = 1
        return options

    # onnxruntime's calibrators take no session options
    ort.SessionOptions = one_thread


if __name__ == "__main__":
    main()
