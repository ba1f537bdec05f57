"""Check what a worker answered before anybody relies on it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from pydantic import Field

from edgekit.conversion.prediction import Prediction
from edgekit.strict import Strict, check_record
from edgekit.vocabulary import ArtifactFormat, RuntimeId

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply


class _TensorMap(Strict):
    name: str
    source: str
    transpose: tuple[int, ...] | None
    dtype: str


class _IoMap(Strict):
    inputs: tuple[_TensorMap, ...]
    outputs: tuple[_TensorMap, ...]


class _ToolRun(Strict):
    tool: str
    version: str
    arguments: dict[str, str | int | float | bool | None]


class _Reference(Strict):
    artifact: str
    format: ArtifactFormat
    runtime: RuntimeId
    runtime_options: dict[str, str]
    io: _IoMap


class _Reply(Strict):
    artifact: str
    files: tuple[str, ...]
    io: _IoMap
    tools: tuple[_ToolRun, ...]
    notes: tuple[str, ...]
    source_nodes: dict[str, str] = Field(default_factory=dict)
    source_tensors: dict[str, str] = Field(default_factory=dict)
    reference: _Reference | None = None
    prediction: Prediction | None = None


def check_reply(answer: object, out_dir: Path) -> tuple[ConversionReply | None, list[str]]:
    """Return the reply, or a line per problem: wrong keys, files that are missing or outside ``out_dir``."""
    record, problems = check_record(answer, _Reply, where="the worker's reply")
    if record is not None:
        problems = [problem for name in record.files for problem in _file_problems(name, out_dir)]
        if record.artifact not in record.files:
            problems.append(f"'{record.artifact}' is the artifact, but not among the files")
        if record.reference and record.reference.artifact not in record.files:
            problems.append(f"'{record.reference.artifact}' is the reference, but not among the files")
    return (None, problems) if problems else (cast("ConversionReply", answer), [])


def _file_problems(name: str, out_dir: Path) -> list[str]:
    path = out_dir / name
    if PurePosixPath(name).is_absolute() or not path.resolve().is_relative_to(out_dir.resolve()):
        return [f"'{name}' lies outside the output folder"]
    if path.is_symlink() or not path.is_file():
        return [f"'{name}' was not written"]
    return []
