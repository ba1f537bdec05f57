"""A float TFLite file as an ONNX graph that computes the same, in ONNX's own layout.

Tensors of four dimensions are NHWC in TFLite and NCHW here, the graph's inputs and outputs included; the others
keep their shapes. The TFLite file's names stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import ModelError
from edgekit.models.zoo.builders._graph import Graph
from edgekit.models.zoo.builders._tflite_operators import OPERATORS, Writer, to_nchw
from edgekit.models.zoo.builders._tflite_source import Operator, Source, read_source


def tflite_graph(path: Path, name: str, outputs: Sequence[str] | None = None) -> Graph:
    """The graph of the TFLite file ``path``, called ``name``, of float32 and of the static shapes that the file has.

    ``outputs`` names the outputs wanted, in order: what only the others need is left out. ModelError where the file
    is damaged, quantized, has not these outputs, or an operator or an option of one is not known here.
    """
    source = read_source(path)
    wanted = _wanted(source, outputs)
    graph = Graph(name)
    for index in source.inputs:
        _check_float(source, index)
        graph.input(source.names[index], "float32", to_nchw(source.shape(index)))
    for operator in _needed(source, wanted):
        for index in (*operator.outputs, *(index for index in operator.inputs if index >= 0)):
            if index not in source.constants:
                _check_float(source, index)
        if operator.op not in OPERATORS:
            known = ", ".join(sorted(OPERATORS))
            raise ModelError(
                f"{path}: operator {operator.op} that makes '{operator.name}' is not among {known}"
            )
        OPERATORS[operator.op](Writer(source, graph, operator))
    for index in wanted:
        if index in source.constants or index in source.inputs:
            raise ModelError(f"{path}: output '{source.names[index]}' is not computed")
        graph.output(source.names[index], "float32", to_nchw(source.shape(index)))
    return graph


def _wanted(source: Source, outputs: Sequence[str] | None) -> list[int]:
    by_name = {source.names[index]: index for index in source.outputs}
    if absent := [name for name in outputs or () if name not in by_name]:
        raise ModelError(f"{source.path}: has no output '{absent[0]}'; it has {', '.join(by_name)}")
    return list(source.outputs) if outputs is None else [by_name[name] for name in outputs]


def _needed(source: Source, wanted: Sequence[int]) -> list[Operator]:
    """The operators that ``wanted`` depend on, in the order in which they run."""
    needed, kept = set(wanted), []
    for operator in reversed(source.operators):
        if needed & set(operator.outputs):
            kept.append(operator)
            needed |= set(operator.inputs)
    return kept[::-1]


def _check_float(source: Source, index: int) -> None:
    if (dtype := source.tensors[index].dtype) != "float32":
        raise ModelError(
            f"{source.path}: tensor '{source.names[index]}' is {dtype}; only float models are read"
        )
