"""Messages of one line, whatever names a hostile file holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from edgekit.errors import ModelError

MAX_LENGTH = 600
_CONTEXT = re.compile(r"\s*==> Context: Bad node spec for node\. Name: (\S*) OpType: (\S+)")
_INFERENCE = re.compile(r"\[(?:Shape|Type)InferenceError\]\s*(?:Inference error\(s\):\s*)?")
_NEXT_PROBLEM = re.compile(r"\n\s*\n|\n\s*(?=\(op_type)")
_PLACE = re.compile(r"\(op_type:\s*(\S+?)(?:, node name: ([^)]*))?\):\s*")

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


def one_line(text: str) -> str:
    """``text`` with control characters escaped, shortened in the middle where it is very long."""
    flat = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    if len(flat) <= MAX_LENGTH:
        return flat
    return f"{flat[: MAX_LENGTH // 2]} … {flat[-MAX_LENGTH // 2 :]}"


def in_our_words(reason: str) -> str:
    """The first thing that onnx's checker or shape inference says, without its brackets and arrows."""
    first = reason if "==> Context" in reason else _NEXT_PROBLEM.split(reason.strip())[0]
    text = _INFERENCE.sub("", " ".join(first.split()))
    text = _CONTEXT.sub(lambda found: f" (node '{found[1]}', {found[2]})", text)
    text = _PLACE.sub(lambda found: f"node '{found[2] or ''}' ({found[1]}): ", text)
    return text.strip() or "no reason given"


def one_line_errors(function: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
    """Let every ModelError of ``function`` be one line."""

    @wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
        try:
            return function(*args, **kwargs)
        except ModelError as error:
            raise ModelError(one_line(str(error))) from error.__cause__

    return checked
