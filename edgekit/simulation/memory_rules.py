"""What each runtime's arenas come to for a graph: its fusions and layouts, then its rule of placing.

onnxruntime (x86) computes convolutions on blocks of channels (``NchwcTransformer``): what reads a convolution's
result in the plain layout gets a copy, and so does a convolution that reads what is plain; inputs are the caller's.
LiteRT hands all it can to XNNPACK, in as few parts as the order of operators allows
(``PartitionGraphIntoIndependentNodeSubsets``): activations inside a part lie in a workspace that the parts share, and
is cleared when it is made; those between parts, inputs and outputs in TFLite's own arena.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.simulation.memory_arenas import greedy_by_size_bytes, onnxruntime_bytes
from edgekit.simulation.memory_buffers import Buffer, Move, buffers_of
from edgekit.simulation.memory_holdings import Holdings

_ADDRESS_BYTES = 8
_PLAIN = "{} in plain layout"
_BLOCKED = "{} in blocks"


def openvino_arena_bytes(held: Holdings) -> int:
    """All activations in one block."""
    buffers = buffers_of(held.moves, held.sizes_bytes, given=held.inputs, kept=held.outputs, in_place=False)
    return greedy_by_size_bytes(buffers)


def onnxruntime_arena_bytes(held: Holdings, *, blocks: bool = True) -> int:
    """What the arena has come to after several inferences; ``blocks``: with a layout of its own for images."""
    moves, sizes = _with_copies(held) if blocks else (_apart(held), _with_floats(held))
    buffers = buffers_of(moves, sizes, kept=held.outputs)
    return onnxruntime_bytes(buffers, _scratch(moves) if held.element_bytes == 1 else ())[1]


def _scratch(moves: Sequence[Move]) -> list[Buffer]:
    """What ``QLinearConv`` asks for while it runs: the addresses of the rows that its windows read."""
    return [
        Buffer(_ADDRESS_BYTES * move.windows, step, step) for step, move in enumerate(moves) if move.windows
    ]


def _with_copies(held: Holdings) -> tuple[list[Move], dict[str, int]]:
    """The moves with those between layouts, and the sizes of what they make."""
    sizes, moves = _with_floats(held), list[Move]()
    blocked, plain = set[str](), set(held.inputs)

    def copied(name: str, into: set[str], form: str) -> str:
        if name in into:
            return name
        copy = form.format(name)
        if copy not in sizes:
            sizes[copy] = sizes[name]
            moves.append(Move(reads=(name,), writes=(copy,)))
        return copy

    for move in _apart(held):
        follows = move.image == "follows" and all(name in blocked for name in move.reads)
        if move.image == "convolution" or follows:
            reads = tuple(copied(name, blocked, _BLOCKED) for name in move.reads)
        else:
            reads = tuple(copied(name, plain, _PLAIN) for name in move.reads)
        moves.append(replace(move, reads=reads))
        (blocked if follows or move.image in ("convolution", "first") else plain).update(move.writes)
    for name in held.outputs:
        if name in blocked:
            copied(name, plain, _PLAIN)
    return moves, sizes


def _apart(held: Holdings) -> list[Move]:
    """The moves, what has a kernel of its own with a result of its own."""
    return [replace(move, view=False, in_place=False) if move.alone else move for move in held.moves]


def _with_floats(held: Holdings) -> dict[str, int]:
    """Sizes where what no integer kernel computes is computed, and read, in floats."""
    floats = {name for move in held.moves if move.only_floats for name in (*move.reads, *move.writes)}
    scale = 4 // held.element_bytes
    return {name: size * (scale if name in floats else 1) for name, size in held.sizes_bytes.items()}


@dataclass(frozen=True, slots=True)
class LitertBytes:
    arena: int
    """TFLite's own: inputs, outputs, what goes from part to part."""
    workspace: int
    """XNNPACK's."""


def litert_bytes(held: Holdings) -> LitertBytes:
    """Both arenas; nothing is computed in place."""
    parts = _parts(held)
    outside = [part if isinstance(part, Move) else _as_one(part, parts, held.outputs) for part in parts]
    seen = {name for move in outside for name in (*move.reads, *move.writes)}
    arena = buffers_of(outside, held.sizes_bytes, given=held.inputs, kept=held.outputs, in_place=False)
    inside = [
        buffers_of([_only(move, seen) for move in part], held.sizes_bytes, in_place=False)
        for part in parts
        if not isinstance(part, Move)
    ]
    return LitertBytes(
        arena=greedy_by_size_bytes(arena),
        workspace=max(map(greedy_by_size_bytes, inside), default=0),
    )


def _parts(held: Holdings) -> list[Move | list[Move]]:
    """What XNNPACK gets in one go, and operators that LiteRT runs alone."""
    ready, left, parts = set(held.inputs), list(held.moves), list[Move | list[Move]]()
    made = {name for move in held.moves for name in move.writes}
    ready |= {name for move in held.moves for name in move.reads if name not in made}
    while left:
        apart = next(move for move in left if ready.issuperset(move.reads)).apart
        taken, waiting = list[Move](), list[Move]()
        for move in left:
            fits = move.apart == apart and ready.issuperset(move.reads)
            (taken if fits else waiting).append(move)
            if fits:
                ready.update(move.writes)
        parts += taken if apart else [taken]
        left = waiting
    return parts


def _as_one(part: list[Move], parts: Sequence[Move | list[Move]], outputs: Sequence[str]) -> Move:
    made = {name for move in part for name in move.writes}
    elsewhere = {
        name
        for other in parts
        if other is not part
        for move in ([other] if isinstance(other, Move) else other)
        for name in move.reads
    }
    reads = dict.fromkeys(name for move in part for name in move.reads if name not in made)
    return Move(reads=tuple(reads), writes=tuple(made & (elsewhere | {*outputs})))


def _only(move: Move, seen: set[str]) -> Move:
    """The move without what lies outside of its part."""
    reads = tuple(name for name in move.reads if name not in seen)
    return replace(move, reads=reads, writes=tuple(name for name in move.writes if name not in seen))
