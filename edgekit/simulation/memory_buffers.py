"""The buffers that a graph's activations need, and from which step to which: what every arena rule begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One operator in running order: the activations it reads and writes, by name."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    view: bool = False
    """The result is the first input seen otherwise: it takes no memory of its own."""
    in_place: bool = False
    """The result may take the place of an input of its size that nobody reads any more."""
    image: Literal["convolution", "first", "follows", "plain"] = "plain"
    """Where a runtime has a layout of its own for images: a convolution reads and writes it (``first``, of few
    channels, only writes it), what follows keeps the layout of what it reads, all else needs the plain one."""
    alone: bool = False
    """onnxruntime has a kernel for it that writes elsewhere; others fuse it."""
    in_float: bool = False
    """Quantization leaves it in float."""
    only_floats: bool = False
    """onnxruntime has no kernel for it in integers."""
    apart: bool = False
    """Nothing that XNNPACK computes: LiteRT runs it by itself."""
    sums: bool = False
    """In integers onnxruntime sums it up in 32 bits beside the result."""
    windows: int = 0
    """Addresses of a convolution's input rows, which XNNPACK writes down once."""
    positions: int = 0
    """The same of onnxruntime's kernels in integers, where neighbouring windows share none."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory in use from step ``born`` to step ``dies``, both included."""

    size_bytes: int
    born: int
    dies: int


@dataclass(slots=True)
class _Open:
    size_bytes: int
    born: int
    dies: int


def buffers_of(
    moves: Sequence[Move],
    sizes_bytes: Mapping[str, int],
    *,
    given: Iterable[str] = (),
    kept: Iterable[str] = (),
    in_place: bool = True,
) -> tuple[Buffer, ...]:
    """Buffers in the order in which they are first needed.

    ``given`` is there before the first step, ``kept`` lives to the end. What is seen in several ways is one buffer of
    the smallest of their sizes: where a quantization is fused into the operator before it, there never are floats.
    """
    last = {name: step for step, move in enumerate(moves) for name in (*move.reads, *move.writes)}
    last |= dict.fromkeys(kept, len(moves))
    held = {name: _Open(sizes_bytes[name], 0, last.get(name, 0)) for name in given}
    found = list(held.values())
    for step, move in enumerate(moves):
        for name in move.writes:
            taken = _taken(move, step, sizes_bytes[name], held, in_place=in_place)
            if taken is None:
                held[name] = _Open(sizes_bytes[name], step, last[name])
                found.append(held[name])
                continue
            held[name] = taken
            taken.dies = max(taken.dies, last[name])
            if move.view:
                taken.size_bytes = min(taken.size_bytes, sizes_bytes[name])
    return tuple(Buffer(item.size_bytes, item.born, item.dies) for item in found if item.size_bytes)


def _taken(
    move: Move, step: int, size_bytes: int, held: Mapping[str, _Open], *, in_place: bool
) -> _Open | None:
    """The buffer that the result of ``move`` lies in; None where it needs one of its own."""
    if move.view:
        return held.get(move.reads[0]) if move.reads else None
    if in_place and move.in_place:
        for name in move.reads:
            if name in held and held[name].dies == step and held[name].size_bytes == size_bytes:
                return held[name]
    return None
