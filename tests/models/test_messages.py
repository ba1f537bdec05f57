"""Errors of others in our words, and every message on one line."""

from __future__ import annotations

import pytest

from edgekit.errors import ModelError
from edgekit.models.messages import MAX_LENGTH, in_our_words, one_line, one_line_errors


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (
            "[ShapeInferenceError] Inference error(s): (op_type:Transpose, node name: tr): [ShapeInferenceError] "
            "Invalid attribute perm\n(op_type:Softmax, node name: s): axis must be in range\n",
            "node 'tr' (Transpose): Invalid attribute perm",
        ),
        (
            "Unrecognized attribute: slope for operator Relu\n\n==> Context: Bad node spec for node. Name: r OpType: Relu",
            "Unrecognized attribute: slope for operator Relu (node 'r', Relu)",
        ),
        ("something else", "something else"),
        ("", "no reason given"),
    ],
)
def test_reasons_of_onnx(said: str, ours: str) -> None:
    assert in_our_words(said) == ours


def test_control_characters_are_shown_not_sent() -> None:
    assert one_line("a\nb\x1b[31mc\u202ed") == "a\\nb\\x1b[31mc\\u202ed"
    assert one_line("Größe 模型") == "Größe 模型"


def test_long_messages_keep_both_ends() -> None:
    short = one_line("begin" + "x" * 10_000 + "end")
    assert short.startswith("begin")
    assert short.endswith("end")
    assert len(short) <= MAX_LENGTH + 3


def test_errors_are_put_on_one_line() -> None:
    @one_line_errors
    def fails() -> None:
        raise ModelError("two\nlines")

    with pytest.raises(ModelError, match=r"^two\\nlines$"):
        fails()
