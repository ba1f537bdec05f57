"""Small contract folders for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tomlkit
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from edgekit.contracts import LoadedContract, load_contract

IMAGE: dict[str, Any] = {
    "kind": "image",
    "name": "x",
    "size": [4, 6],
    "resize": "stretch",
    "color": "rgb",
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
    "layout": "nchw",
}
CLASSES: dict[str, Any] = {"kind": "classes", "name": "y", "labels": "labels.txt"}
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film")


@dataclass(frozen=True)
class Spec:
    """A model's input or output."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str = "float32"


def image(**changes: Any) -> dict[str, Any]:
    return {**IMAGE, **changes}


def token_inputs(tokens: int = 6, **changes: Any) -> list[dict[str, Any]]:
    fields = {"input_ids": "ids", "attention_mask": "attention-mask"}
    return [
        {"kind": "tokens", "name": name, "field": field, "tokens": tokens, **changes}
        for name, field in fields.items()
    ]


def contract(
    folder: Path,
    task: str = "image-classification",
    inputs: list[dict[str, Any]] | None = None,
    output: Mapping[str, Any] = CLASSES,
    labels: tuple[str, ...] = ("cat", "dog", "bird"),
    **keys: Any,
) -> Path:
    """Write ``contract.toml``, ``labels.txt`` and, for texts, ``tokenizer.json`` to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "contract.toml"
    data = {
        "schema": 1,
        "task": task,
        **keys,
        "inputs": [IMAGE] if inputs is None else inputs,
        "output": dict(output),
    }
    path.write_text(tomlkit.dumps(data))
    (folder / "labels.txt").write_text("\n".join(labels) + "\n")
    if "tokenizer" in keys:
        write_tokenizer(folder / "tokenizer.json")
    return path


def loaded(folder: Path, *args: Any, **keys: Any) -> LoadedContract:
    return load_contract(contract(folder, *args, **keys))


def text_contract(folder: Path, tokens: int = 6) -> LoadedContract:
    return loaded(folder, "text-classification", token_inputs(tokens), tokenizer="tokenizer.json")


def write_tokenizer(path: Path) -> None:
    """A word tokenizer of ``WORDS`` that frames a text with [CLS] and [SEP]."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))


def picture(height: int = 40, width: int = 60) -> npt.NDArray[np.uint8]:
    """BGR, smooth, different in every channel and along both sides."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = [120 + 100 * np.sin(x / 9), 255 * y / max(1, height - 1), 60 + 50 * np.cos((x + y) / 7)]
    return np.stack(channels, -1).round().astype(np.uint8)
