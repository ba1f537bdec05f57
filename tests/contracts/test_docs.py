"""The page on contracts: every example loads, every key and task is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from edgekit.contracts import load_contract, schema
from edgekit.models.zoo.builders.blazepose import KEYPOINTS
from edgekit.vocabulary import Task
from tests.contracts.making import write_tokenizer

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
TABLES: list[type[BaseModel]] = [
    schema.Contract,
    schema.ImageInput,
    schema.TokenInput,
    schema.TensorInput,
    schema.ClassesOutput,
    schema.EmbeddingOutput,
    schema.BoxesOutput,
    schema.KeypointsOutput,
    schema.MaskOutput,
    schema.IndexMapOutput,
    schema.TextRegionsOutput,
    schema.TextOutput,
    schema.TensorOutput,
]


def task_of(example: str) -> str:
    task: str = re.findall(r'task = "(.*)"', example)[0]
    return task


@pytest.mark.parametrize("example", EXAMPLES, ids=task_of)
def test_every_example_loads(tmp_path: Path, example: str) -> None:
    (tmp_path / "contract.toml").write_text(example)
    (tmp_path / "labels.txt").write_text("a\n")
    (tmp_path / "characters.txt").write_text("a\n")
    (tmp_path / "keypoints.txt").write_text("".join(f"{name}\n" for name in KEYPOINTS))
    write_tokenizer(tmp_path / "tokenizer.json")
    assert load_contract(tmp_path / "contract.toml").schema.task == task_of(example)


def test_every_task_has_an_example() -> None:
    assert {task_of(example) for example in EXAMPLES} == set(get_args(Task))


def test_every_kind_has_an_example() -> None:
    kinds = {kind for kinds in schema.OUTPUT_KINDS.values() for kind in kinds}
    assert kinds == {re.findall(r'\[output\]\nkind = "(.*)"', example)[0] for example in EXAMPLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_key_is_explained(table: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in table.model_fields.items()}
    explained = set(re.findall(r"`\[*([a-z_]+)\]*`", PAGE)) | {"kind"}
    assert keys <= explained
