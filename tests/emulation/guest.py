"""Runs inside the emulated machine: ``python guest.py ANSWERS FILE INPUTS [FILE INPUTS]…``; needs numpy and a runtime.

FILE: an .onnx, .tflite or OpenVINO's .xml; ``.exact`` in its name asks onnxruntime for exact sums on x86.
INPUTS: an .npz with one array per sample, the file's first input.
ANSWERS: the .npz to write, of the first outputs, stacked; its keys are the files' names.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported
import numpy as np

Array = np.ndarray[Any, Any]


def main(answers: str, *pairs: str) -> None:
    files = zip(pairs[::2], pairs[1::2], strict=True)
    found: dict[str, Any] = {Path(file).name: ask(Path(file), inputs) for file, inputs in files}
    np.savez(answers, **found)


def ask(path: Path, inputs: str) -> Array:
    with np.load(inputs) as arrays:
        samples = [arrays[name] for name in arrays.files]
    run = {".onnx": onnx, ".tflite": tflite, ".xml": openvino}[path.suffix](path)
    return np.stack([run(sample) for sample in samples])


def onnx(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if ".exact" in path.suffixes:
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda sample: session.run(None, {name: sample})[0]


def openvino(path: Path) -> Any:
    import openvino

    model = openvino.Core().compile_model(
        path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    )
    return lambda sample: np.array(model(sample)[0])


def tflite(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(path), num_threads=1)
    model.allocate_tensors()
    (given,), (wanted, *_) = model.get_input_details(), model.get_output_details()

    def run(sample: Array) -> Array:
        model.set_tensor(given["index"], sample)
        model.invoke()
        return np.array(model.get_tensor(wanted["index"]))

    return run


if __name__ == "__main__":
    main(*sys.argv[1:])
