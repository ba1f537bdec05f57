"""Run an artifact with its own runtime, in the source model's names and layouts: the reference for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.conversion.protocol import IoMap, TensorMap

Arrays = dict[str, np.ndarray[Any, Any]]


def run_onnx(path: Path, samples: Sequence[Arrays], *, optimized: bool = True) -> list[Arrays]:
    """What onnxruntime answers to ``path`` (.onnx or .ort); not ``optimized``: node by node as written."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, sample), strict=True)) for sample in samples]


def run_openvino(path: Path, samples: Sequence[Arrays], config: Mapping[str, str]) -> list[Arrays]:
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {**config, "INFERENCE_NUM_THREADS": "1"})
    answers = [compiled(sample) for sample in samples]
    return [{output.get_any_name(): answer[output] for output in compiled.outputs} for answer in answers]


def run_tflite(path: Path, samples: Sequence[Arrays], io: IoMap) -> list[Arrays]:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(path), num_threads=1)
    model.allocate_tensors()
    inputs = {detail["name"]: detail for detail in model.get_input_details()}
    outputs = {detail["name"]: detail for detail in model.get_output_details()}
    answers = []
    for sample in samples:
        for tensor in io["inputs"]:
            detail = inputs[tensor["name"]]
            value = on_grid(sample[tensor["source"]], detail["quantization"], detail["dtype"])
            model.set_tensor(detail["index"], to_artifact(value, tensor))
        model.invoke()
        answers.append(
            {
                t["source"]: to_source(
                    off_grid(
                        model.get_tensor(outputs[t["name"]]["index"]), outputs[t["name"]]["quantization"]
                    ),
                    t,
                )
                for t in io["outputs"]
            }
        )
    return answers


def on_grid(value: np.ndarray[Any, Any], grid: tuple[float, int], dtype: Any) -> np.ndarray[Any, Any]:
    """Real values as the integers of an input with a scale; others as they are."""
    scale, zero_point = grid
    if not scale:
        return value
    bounds = np.iinfo(dtype)
    return np.rint(value / scale + zero_point).clip(bounds.min, bounds.max)


def off_grid(value: np.ndarray[Any, Any], grid: tuple[float, int]) -> np.ndarray[Any, Any]:
    scale, zero_point = grid
    return (value.astype(np.float32) - zero_point) * np.float32(scale) if scale else value


def to_artifact(value: np.ndarray[Any, Any], tensor: TensorMap) -> np.ndarray[Any, Any]:
    turned = value if tensor["transpose"] is None else value.transpose(tensor["transpose"])
    return np.ascontiguousarray(turned.astype(tensor["dtype"]))


def to_source(value: np.ndarray[Any, Any], tensor: TensorMap) -> np.ndarray[Any, Any]:
    return value if tensor["transpose"] is None else value.transpose(np.argsort(tensor["transpose"]))
