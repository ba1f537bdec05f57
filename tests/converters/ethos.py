"""The parts of converters/ethos-u that need none of its tools: imported from its folder, as its launcher does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from tests.converters.steps import CONVERTERS

FOLDER = CONVERTERS / "ethos-u"


def module(name: str) -> Any:
    """``passes``, ``reference``, ``tflite_graph``…"""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)


def read(path: Path) -> Any:
    """The file as a graph that a pass may change."""
    return module("tflite_graph").Graph.read(path)


def kinds(graph: Any) -> list[str]:
    """Its operators, in the order they run."""
    return [graph.op(operator) for operator in graph.operators]
