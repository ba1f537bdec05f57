"""How inputs and outputs of a rewritten graph map to the source model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tflite_graph import Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.conversion.protocol import IoMap, TensorMap


def identity(graph: Graph) -> IoMap:
    """The map of a TFLite file that is the source model itself."""
    return {"inputs": entries(graph, graph.main.inputs), "outputs": entries(graph, graph.main.outputs)}


def entries(graph: Graph, indices: Sequence[int]) -> list[TensorMap]:
    names = [(str(graph.tensor(index).name.decode()), graph.dtype(index)) for index in indices]
    return [{"name": name, "source": name, "transpose": None, "dtype": dtype} for name, dtype in names]


def carried_over(io: IoMap, before: Graph, after: Graph) -> IoMap:
    """``io`` of ``before`` in the names and dtypes of ``after``, whose inputs and outputs have the same order."""
    old, new = identity(before), identity(after)
    return {"inputs": renamed(io["inputs"], old["inputs"], new["inputs"]),
            "outputs": renamed(io["outputs"], old["outputs"], new["outputs"])}  # fmt: skip


def renamed(maps: list[TensorMap], before: list[TensorMap], after: list[TensorMap]) -> list[TensorMap]:
    now = {old["name"]: new for old, new in zip(before, after, strict=True)}
    return [{**one, "name": now[one["name"]]["name"], "dtype": now[one["name"]]["dtype"]} for one in maps]
