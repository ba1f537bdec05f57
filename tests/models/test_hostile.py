"""Whatever the file: one clear line that names it, nothing written, the process alive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.errors import ModelError
from edgekit.models import graph_facts, load_model, prepare_onnx
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.building import saved
from tests.models.hostile import CASES
from tests.models.tflite_building import tiny_tflite

FUZZED = 200


@pytest.mark.parametrize("name", CASES)
def test_bad_file_is_one_clear_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path, words = CASES[name](folder)
    before = _listing(tmp_path)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert words in message
    assert message.startswith(str(path).replace("\0", "\\x00")[:100]) or name == "null_byte_in_the_name"
    assert message.isprintable(), "one line, no control characters"
    assert len(message) < 800
    assert _listing(tmp_path) == before, "reading writes nothing"


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def _mutants(content: bytes, count: int) -> Iterator[bytes]:
    """Truncations, flipped bits, zeroed, doubled and random stretches; the same ones every time."""
    for seed in range(count):
        rng = random.Random(seed)
        at = rng.randrange(len(content))
        stretch = rng.randrange(1, 60)
        flipped = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 20])):
            flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield rng.choice(
            [
                content[:at],
                bytes(flipped),
                bytes(flipped),
                content[:at] + bytes(stretch) + content[at + stretch :],
                content[:at] + content[max(0, at - stretch) :],
                content[:at] + rng.randbytes(stretch) + content[at + stretch :],
            ]
        )


@pytest.mark.parametrize("kind", ["onnx-structure", "onnx-weights", "tflite"])
def test_mutants_end_in_a_model_or_one_line(kind: str, tmp_path: Path) -> None:
    """A third of the mutants each; every survivor must also be counted and prepared without a crash."""
    if kind == "tflite":
        path = tmp_path / "m.tflite"
        content = tiny_tflite()
    else:
        proto = (
            tiny_bert(tokens=4, width=8, vocabulary=4, layers=1) if kind == "onnx-structure" else tiny_cnn()
        )
        path = saved(tmp_path, proto)
        content = path.read_bytes()
    messages = []
    for mutant in _mutants(content, FUZZED // 3):
        path.write_bytes(mutant)
        try:
            model = load_model(path, allow_unknown_operators=bool(len(mutant) % 2))
            graph_facts(model)
            if model.format == "onnx":
                prepare_onnx(model, tmp_path / "out.onnx")
        except ModelError as error:
            messages.append(str(error))
    assert [text for text in messages if not text.startswith(str(path)) or not text.isprintable()] == []
    assert len(messages) > FUZZED // 20, "the mutants do no harm"
