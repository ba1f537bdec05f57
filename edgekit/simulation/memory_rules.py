"""What each runtime's arenas come to for a graph: its fusions and layouts, then its rule of placing.

onnxruntime (x86) computes convolutions on blocks of channels (``NchwcTransformer``): what reads a convolution's
result in the plain layout gets a copy, and so does a convolution that reads what is plain; inputs are the caller's.
Its integers have their channels last throughout, and kernels that ask for room while they run.
In a model of integers some operators compute floats: those that the quantization leaves so, and in onnxruntime those
that have no other kernel. Where the two meet there is a conversion, with a buffer of its own.
LiteRT hands all it can to XNNPACK, in as few parts as the order of operators allows
(``PartitionGraphIntoIndependentNodeSubsets``): activations inside a part lie in a workspace that the parts share, and
is cleared when it is made; those between parts, inputs and outputs in TFLite's own arena.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgekit.simulation.memory_arenas import greedy_by_size_bytes, onnxruntime_bytes
from edgekit.simulation.memory_buffers import Buffer, Move, buffers_of
from edgekit.simulation.memory_holdings import Holdings

_ADDRESS_BYTES = 8
_FLOAT_BYTES = 4
_SUM_BYTES = 4
_PLAIN = "{} in plain layout"
_BLOCKED = "{} in blocks"
_CHANNELS_LAST = "{} with channels last"
_AS_FLOATS = "{} as floats"
_AS_INTEGERS = "{} as integers"


def openvino_arena_bytes(held: Holdings) -> int:
    """All activations in one block."""
    buffers = buffers_of(held.moves, held.sizes_bytes, given=held.inputs, kept=held.outputs, in_place=False)
    return greedy_by_size_bytes(buffers)


def onnxruntime_arena_bytes(held: Holdings, *, blocks: bool = True) -> int:
    """What the arena has come to after several inferences; ``blocks``: with a layout of its own for images."""
    mixed = _with_conversions(held, _is_float_in_onnxruntime)
    apart = replace(mixed, moves=_apart(mixed.moves))
    if held.element_bytes > 1:
        found = _with_copies(apart) if blocks else apart
        return _onnxruntime_bytes(found)
    return _onnxruntime_bytes(_channels_last(apart))


def _onnxruntime_bytes(found: Holdings) -> int:
    buffers = buffers_of(found.moves, found.sizes_bytes, kept=found.outputs)
    return onnxruntime_bytes(buffers, _scratch(found))[1]


def _scratch(held: Holdings) -> list[Buffer]:
    """What ``QLinearConv`` asks for while it runs: addresses of the rows that its windows read, and sums of 32 bits."""
    found = list[Buffer]()
    for step, move in enumerate(held.moves):
        if held.element_bytes == 1 and not _is_float_in_onnxruntime(move):
            sums = _SUM_BYTES * sum(held.sizes_bytes[name] for name in move.writes) if move.sums else 0
            found += [Buffer(size, step, step) for size in (sums, _ADDRESS_BYTES * move.positions) if size]
    return found


def _is_float_in_onnxruntime(move: Move) -> bool:
    return move.in_float or move.only_floats


def _with_copies(held: Holdings) -> Holdings:
    """The same with the copies between layouts."""
    sizes, moves = dict(held.sizes_bytes), list[Move]()
    blocked, plain = set[str](), set(held.inputs)

    def copied(name: str, into: set[str], form: str) -> str:
        if name in into:
            return name
        copy = form.format(name)
        if copy not in sizes:
            sizes[copy] = sizes[name]
            moves.append(Move(reads=(name,), writes=(copy,)))
        return copy

    for move in held.moves:
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
    return replace(held, moves=tuple(moves), sizes_bytes=sizes)


def _channels_last(held: Holdings) -> Holdings:
    """The same with a transposed copy of what the first convolutions read: all further transpositions cancel out, or
    are moved to the graph's other end.
    """
    sizes, moves = dict(held.sizes_bytes), list[Move]()
    for move in held.moves:
        if move.image == "first":
            copies = [_CHANNELS_LAST.format(name) for name in move.reads]
            for name, copy in zip(move.reads, copies, strict=True):
                if copy not in sizes:
                    sizes[copy] = sizes[name]
                    moves.append(Move(reads=(name,), writes=(copy,)))
            move = replace(move, reads=tuple(copies))
        moves.append(move)
    return replace(held, moves=tuple(moves), sizes_bytes=sizes)


def _apart(moves: Sequence[Move]) -> tuple[Move, ...]:
    """The moves, what has a kernel of its own with a result of its own."""
    return tuple(replace(move, view=False, in_place=False) if move.alone else move for move in moves)


def _with_conversions(held: Holdings, is_float: Callable[[Move], bool]) -> Holdings:
    """The same where a model in integers computes some moves in floats: their results are four times as large, and a
    conversion with a result of its own stands wherever floats and integers meet; inputs and outputs are floats.
    """
    if held.element_bytes > 1:
        return held
    sizes, moves, floats = dict(held.sizes_bytes), list[Move](), set(held.inputs)

    def converted(name: str, *, to_float: bool) -> str:
        if (name in floats) == to_float:
            return name
        copy = (_AS_FLOATS if to_float else _AS_INTEGERS).format(name)
        if copy not in sizes:
            sizes[copy] = sizes[name] * (_FLOAT_BYTES if to_float else 1)
            moves.append(Move(reads=(name,), writes=(copy,), image="follows"))
        return copy

    for move in held.moves:
        if move.view:
            moves.append(move)
            computes_floats = any(name in floats for name in move.reads[:1])
        else:
            computes_floats = is_float(move)
            reads = tuple(converted(name, to_float=computes_floats) for name in move.reads)
            moves.append(replace(move, reads=reads))
        if computes_floats:
            floats.update(move.writes)
    outputs = tuple(converted(name, to_float=True) for name in held.outputs)
    sizes |= {name: _FLOAT_BYTES * sizes[name] for name in floats}
    return replace(held, moves=tuple(moves), sizes_bytes=sizes, outputs=outputs)


@dataclass(frozen=True, slots=True)
class LitertBytes:
    arena: int
    """TFLite's own: inputs, outputs, what goes from part to part."""
    workspace: int
    """XNNPACK's."""


def litert_bytes(held: Holdings) -> LitertBytes:
    """Both arenas; only XNNPACK computes in place, where nobody else reads what it overwrites."""
    held = _with_conversions(held, lambda move: move.in_float)
    parts = _parts(held)
    outside = [part if isinstance(part, Move) else _as_one(part, parts, held.outputs) for part in parts]
    seen = {name for move in outside for name in (*move.reads, *move.writes)}
    arena = buffers_of(outside, held.sizes_bytes, given=held.inputs, kept=held.outputs, in_place=False)
    inside = [
        buffers_of([_only(move, seen) for move in part], held.sizes_bytes)
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
