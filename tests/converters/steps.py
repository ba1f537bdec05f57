"""Take a test model through a converter of this repository, workers and all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Converter, Variant
from edgekit.conversion.environments import environment_state
from edgekit.conversion.protocol import ConversionReply, ConversionRequest, IoMap
from edgekit.conversion.qdq import quantize
from edgekit.conversion.workers import run_worker
from edgekit.strict import read_record
from edgekit.vocabulary import ArtifactFormat, Precision
from tests.graphs import samples, tiny_bert, tiny_cnn, write_samples
from tests.runtimes import Arrays, run_onnx, run_openvino, run_tflite

CONVERTERS = Path(__file__).parents[2] / "converters"
DATA = Path(__file__).parent / "data"
MODELS: dict[str, Callable[[], onnx.ModelProto]] = {"tiny_cnn": tiny_cnn, "tiny_bert": tiny_bert}
TASKS = {"tiny_cnn": "image-classification", "tiny_bert": "sentence-embedding"}


def load_converter(name: str) -> Converter:
    converter, problems = read_record(CONVERTERS / name / "converter.toml", Converter)
    assert converter is not None, problems
    return converter


def build_options(converter: Converter) -> dict[str, str]:
    """Those of the first target that the converter makes artifacts for."""
    runtimes = (runtime for target in load_catalog().targets.values() for runtime in target.runtimes)
    return next((runtime.build_options for runtime in runtimes if runtime.id == converter.runtime), {})


def need_environment(converter: Converter) -> None:
    """Skip the test, with the reason, where the converter's environment is not there and cannot be made."""
    state = environment_state(converter, CONVERTERS / converter.id)
    if not state.ready:
        pytest.skip(f"converter '{converter.id}' {state.detail}; try: {state.next_step}")


@dataclass(frozen=True)
class Made:
    """An artifact and what is needed to run it."""

    converter: Converter
    variant: Variant
    reply: ConversionReply
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / self.reply["artifact"]

    @property
    def format(self) -> ArtifactFormat:
        return self.variant.emits or self.converter.emits

    def run(self, inputs: list[Arrays]) -> list[Arrays]:
        """By the artifact, or by the reference that it brings where no machine here runs it."""
        reference = self.reply.get("reference")
        if reference is not None:
            assert reference["format"] == "tflite"
            return run_tflite(self.folder / reference["artifact"], inputs, reference["io"])
        match self.format:
            case "onnx" | "ort":
                return run_onnx(self.path, inputs)
            case "openvino-ir":
                return run_openvino(self.path, inputs, self.converter.runtime_options)
            case "tflite":
                return run_tflite(self.path, inputs, self.reply["io"])
        raise AssertionError(f"no runtime for {self.format}")


class Steps:
    """One test model on its way, below ``folder``."""

    def __init__(self, model: str, folder: Path) -> None:
        self.model, self.folder = model, folder
        folder.mkdir(exist_ok=True)
        self.onnx = folder / f"{model}.onnx"
        graph = MODELS[model]()
        onnx.save(graph, self.onnx)
        self.calibration = write_samples(samples(graph, 8), folder / "calibration")
        self.inputs = samples(graph, 8, seed=9)
        self.wanted = run_onnx(self.onnx, self.inputs)
        self.log = folder / "worker.log"

    def request(
        self, source: Path, out: Path, variant: Variant, io: IoMap | None = None, activations: str = "uint8"
    ) -> ConversionRequest:
        out.mkdir(parents=True)
        return {
            "source": str(source),
            "io": io,
            "out_dir": str(out),
            "precision": variant.precision,
            "options": {**variant.options, "int8_activations": activations},
            "calibration": str(self.calibration),
            "task": TASKS[self.model],
            "threads": 1,
        }

    def qdq(self, name: str = "qdq", activations: str = "uint8") -> Path:
        out = self.folder / name
        variant = Variant(precision="int8", quantized_by="edgekit", needs_calibration=True)
        request = self.request(self.onnx, out, variant, activations=activations)
        return out / quantize(request, log=self.log)["artifact"]

    def quantized_tflite(self, name: str, precision: Precision) -> tuple[Path, IoMap]:
        """What a converter gets that takes quantized files only; ranges are ai-edge-quantizer's own."""
        litert = load_converter("litert")
        variant = next(item for item in litert.variants if item.precision == precision)
        made = self.convert(litert, variant, name)
        return made.path, made.reply["io"]

    def convert(self, converter: Converter, variant: Variant, name: str = "out") -> Made:
        source, io = self.onnx, None
        if variant.quantized_by == "source":
            source, io = self.quantized_tflite(f"{name}-quantized", variant.precision)
        elif converter.accepts == "tflite":
            source, io = DATA / f"{self.model}.tflite", json.loads((DATA / f"{self.model}.json").read_text())
        elif variant.quantized_by == "edgekit":
            source = self.qdq(f"{name}-qdq")
        request = self.request(source, self.folder / name, variant, io)
        request["options"] |= build_options(converter)
        reply = run_worker(converter, CONVERTERS / converter.id, request, log=self.log)
        return Made(converter, variant, reply, self.folder / name)
