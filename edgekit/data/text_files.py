"""Texts from a file: one a line, or a table or JSON lines with ``text`` and, where there are labels, ``label``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from edgekit.data.samples import Sample, listing
from edgekit.errors import DataError

SUFFIXES = (".csv", ".jsonl", ".tsv", ".txt")
_Row = tuple[int, str | None, str | None]
"""Line number, text, label."""


def text_samples(path: Path, *, labelled: bool) -> tuple[Sample, ...]:
    """Every text of ``path``: a file, or a folder that holds exactly one such file. Blank texts are no samples.

    Labels are read where ``labelled``; a task without classes has no use for them.
    """
    path = _only_file(path) if path.is_dir() else path
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the model takes texts; give a {', '.join(SUFFIXES)} file")
    rows = list(_rows(path))
    problems = [f"line {line}: no 'text'" for line, text, _ in rows if text is None]
    if problems:
        raise listing(path, problems, "lines without a text")
    samples = tuple(
        _sample(line, text, label if labelled else None)
        for line, text, label in rows
        if text and text.strip()
    )
    if not samples:
        raise DataError(f"{path}: no texts in this file")
    return samples


def _sample(line: int, text: str, label: str | None) -> Sample:
    return Sample(f"line {line}", lambda: text.strip("\r\n"), label or None)


def _only_file(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise DataError(
            f"{folder}: the model takes texts; give one file ({', '.join(SUFFIXES)}), here are: {found}"
        )
    return files[0]


def _rows(path: Path) -> Iterator[_Row]:
    text = read_text_file(path)
    match path.suffix.lower():
        case ".txt":
            yield from ((i, line, None) for i, line in enumerate(text.split("\n"), 1))
        case ".jsonl":
            yield from (
                _json_row(path, i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()
            )
        case suffix:
            yield from _table_rows(path, text, "\t" if suffix == ".tsv" else ",")


def _table_rows(path: Path, text: str, delimiter: str) -> Iterator[_Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if "text" not in (reader.fieldnames or ()):
        raise DataError(f"{path}: the first line must name the columns: text, or text{delimiter}label")
    try:
        for row in reader:
            yield reader.line_num, row["text"], row.get("label")
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None


def _json_row(path: Path, number: int, line: str) -> _Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}: line {number}: no JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return number, None, None
    label = row.get("label")
    return number, row["text"], None if label is None else str(label)


def read_text_file(path: Path) -> str:
    """The text of ``path``, UTF-8 with or without a byte order mark; DataError where it is not."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: not UTF-8 in line {line}; save it as UTF-8") from None
