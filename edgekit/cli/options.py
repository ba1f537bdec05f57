"""Options that several commands take, and how what was given is read; what cannot be read exits with 2."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgekit.vocabulary import Precision

ModelArgument = Annotated[
    str, typer.Argument(help="A model file (.onnx, .tflite), or the id of a zoo model.")
]
BundleArgument = Annotated[Path, typer.Argument(help="A bundle: folder or zip.")]
ShapeOption = Annotated[
    list[str] | None, typer.Option(help="Fix a free input shape: NAME:1,3,224,224; repeatable.")
]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of the runtime.")]
InferencesOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Inferences at a time, each on --threads; default: as many as there are processors for."
    ),
]
ThenOption = Annotated[
    Path | None,
    typer.Option(
        help="Ask a second bundle of each thing that the first finds: pose estimation of people, text recognition "
        "of regions of text."
    ),
]
PrecisionOption = Annotated[
    list[str] | None,
    typer.Option(
        help="auto, fp32, fp16, int16x8, int8, int8-dynamic, int8-weights, int4-weights; repeatable, or with commas."
    ),
]
CalibOption = Annotated[
    Path | None, typer.Option(help="Folder of images, or file of texts, to calibrate int8 with.")
]
EvalOption = Annotated[
    Path | None, typer.Option("--eval", help="Samples to compare on, with labels where you have them.")
]
ContractOption = Annotated[
    Path | None,
    typer.Option(help="How inputs are made and outputs read; default: contract.toml beside MODEL."),
]
SamplesOption = Annotated[int | None, typer.Option(min=1, help="Use at most so many samples.")]
MaxDropOption = Annotated[
    str | None, typer.Option(help="Highest loss of accuracy; default 1% where there are labels.")
]
LatencyOption = Annotated[str | None, typer.Option(help="Highest latency (p50), such as '<20ms'.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what stands in the way.")]


class Effort(StrEnum):
    """What ``--effort`` takes; the words of :mod:`edgekit.quantization.effort`, which loads onnx."""

    fast = "fast"
    normal = "normal"
    max = "max"


def read_shapes(given: list[str] | None) -> dict[str, tuple[int, ...]]:
    """The shapes by input name; what cannot be read is a mistake in the command line (exit 2)."""
    from edgekit.errors import ModelError
    from edgekit.models import parse_shapes

    try:
        return parse_shapes(given or [])
    except ModelError as error:
        raise typer.BadParameter(str(error)) from None


def read_precisions(given: list[str] | None) -> tuple[Precision, ...]:
    """What is asked for, the most exact first; ``auto``, or nothing: all that are planned unasked."""
    from edgekit.conversion.plan import AUTOMATIC, PRECISIONS

    words = [word.strip() for text in given or [] for word in text.split(",")]
    unknown = [word for word in words if word not in ("auto", *PRECISIONS)]
    if unknown:
        raise typer.BadParameter(
            f"--precision {','.join(given or [])}: '{unknown[0]}' is none; use auto, {', '.join(PRECISIONS)}"
        )
    asked = {*words, *(AUTOMATIC if not words or "auto" in words else ())}
    return tuple(precision for precision in PRECISIONS if precision in asked)


def read_precision(text: str) -> Precision:
    """One precision; another word is a mistake in the command line (exit 2)."""
    from edgekit.conversion.plan import PRECISIONS

    for precision in PRECISIONS:
        if precision == text:
            return precision
    raise typer.BadParameter(f"--precision {text}: one of {', '.join(PRECISIONS)}")


def read_share(text: str | None) -> float | None:
    """``1%`` or ``0.01`` as 0.01."""
    if text is None:
        return None
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if value >= 1 and not percent:  # a whole number is meant in percent, and would allow any loss
        raise typer.BadParameter(f"--max-drop {text}: write {text}% or {value / 100:g}")
    if not 0 <= value <= 1:
        raise typer.BadParameter(f"--max-drop {text}: give a share, such as 1% or 0.01")
    return value


def read_milliseconds(text: str | None) -> float | None:
    """``<20ms``, ``20ms`` or ``20`` as 20.0."""
    if text is None:
        return None
    number = text.strip().removeprefix("<").removeprefix("=").removesuffix("ms").strip()
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"--latency {text}: give milliseconds, such as '<20ms'")
    return value
