"""How runtimes place buffers in memory, each by its own rule.

``greedy_by_size_bytes``: TensorFlow Lite's ArenaPlanner, XNNPACK's memory planner and OpenVINO's MemorySolver, as they are
described, held to measured peaks. ``onnxruntime_bytes``: onnxruntime's BFCArena (best fit in regions that double), and from
the second inference on one block for all activations, laid out by MemPatternPlanner as the first inference went; both as in
its source.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgekit.simulation.memory_buffers import Buffer

ALIGNMENT_BYTES = 64
"""TFLite: ``kDefaultTensorAlignment``; XNNPACK and OpenVINO align to a cache line too."""
_UNIT_BYTES = 256
"""BFCArena: ``kMinAllocationSize``."""
_REGION_BYTES = 1 << 20
"""BFCArena: ``DEFAULT_INITIAL_CHUNK_SIZE_BYTES``; each further region is twice the last."""
_DEAD_BYTES = 128 << 20
"""BFCArena: ``DEFAULT_MAX_DEAD_BYTES_PER_CHUNK``: the most that a chunk may be larger than what it is used for."""


def greedy_by_size_bytes(buffers: Sequence[Buffer], alignment: int = ALIGNMENT_BYTES) -> int:
    """Size of an arena filled from the largest buffer on, each in the lowest gap that fits while it lives."""
    placed: list[tuple[int, int, Buffer]] = []
    end = 0
    for buffer in sorted(buffers, key=lambda item: (-item.size_bytes, item.born)):
        size = _aligned(buffer.size_bytes, alignment)
        best, waste, reached = None, None, 0
        for offset, top, other in placed:
            if other.dies < buffer.born or buffer.dies < other.born:
                continue
            gap = offset - reached
            if gap >= size and (waste is None or gap - size < waste):
                best, waste = reached, gap - size
            reached = max(reached, top)
        start = reached if best is None else best
        insort(placed, (start, start + size, buffer), key=lambda item: item[0])
        end = max(end, start + size)
    return end


def onnxruntime_bytes(buffers: Sequence[Buffer], scratch: Sequence[Buffer] = ()) -> tuple[int, int]:
    """Bytes of the arena that were ever written: after the first inference, and after all further ones.

    ``scratch`` is what kernels ask for while they run; no pattern holds it.
    """
    arena = _Bfc()
    _run(arena, sorted((*buffers, *scratch), key=lambda buffer: buffer.born))
    first = arena.touched_bytes
    block = arena.allocate(_pattern_bytes(buffers)) if buffers else None
    _run(arena, scratch)
    if block:
        arena.free(block)
    return first, arena.touched_bytes


def _pattern_bytes(buffers: Sequence[Buffer]) -> int:
    """MemPatternPlanner: in running order, each in the gap that fits best, else on top."""
    placed: list[tuple[int, int, int]] = []
    end = 0
    for buffer in buffers:
        placed = [item for item in placed if item[2] >= buffer.born]
        size = _aligned(buffer.size_bytes, ALIGNMENT_BYTES)
        best, waste, reached = None, None, 0
        for offset, top, _ in placed:
            gap = offset - reached
            if gap >= size and (waste is None or gap - size < waste):
                best, waste = reached, gap - size
            reached = top
        start = reached if best is None else best
        insort(placed, (start, start + size, buffer.dies))
        end = max(end, start + size)
    return end


@dataclass(slots=True)
class _Region:
    size: int
    free: list[tuple[int, int]]
    """Offset and size of what is free, in order."""
    touched: int = 0
    """Highest byte ever used: what lies below was written to sooner or later."""


@dataclass(slots=True)
class _Bfc:
    regions: list[_Region] = field(default_factory=list)
    next_bytes: int = _REGION_BYTES

    @property
    def touched_bytes(self) -> int:
        return sum(region.touched for region in self.regions)

    def allocate(self, size_bytes: int) -> tuple[_Region, int, int]:
        """The chunk: region, offset, size."""
        size = _aligned(size_bytes, _UNIT_BYTES)
        region, offset, room = self._find(size) or self._extend(size)
        region.free.remove((offset, room))
        taken = size if room >= 2 * size or room - size >= _DEAD_BYTES else room
        if room > taken:
            insort(region.free, (offset + taken, room - taken))
        region.touched = max(region.touched, offset + size)
        return region, offset, taken

    def free(self, chunk: tuple[_Region, int, int]) -> None:
        region, offset, size = chunk
        insort(region.free, (offset, size))
        joined: list[tuple[int, int]] = []
        for start, room in region.free:
            if joined and sum(joined[-1]) == start:
                joined[-1] = (joined[-1][0], joined[-1][1] + room)
            else:
                joined.append((start, room))
        region.free = joined

    def _find(self, size: int) -> tuple[_Region, int, int] | None:
        fitting = [
            (room, number, offset)
            for number, region in enumerate(self.regions)
            for offset, room in region.free
            if room >= size
        ]
        if not fitting:
            return None
        room, number, offset = min(fitting)
        return self.regions[number], offset, room

    def _extend(self, size: int) -> tuple[_Region, int, int]:
        grown = False
        while size > self.next_bytes:
            self.next_bytes *= 2
            grown = True
        region = _Region(self.next_bytes, [(0, self.next_bytes)])
        if not grown:
            self.next_bytes *= 2
        self.regions.append(region)
        return region, 0, region.size


def _run(arena: _Bfc, buffers: Sequence[Buffer]) -> None:
    """One inference: what is needed is allocated, what nobody reads any more is freed."""
    living: list[tuple[int, tuple[_Region, int, int]]] = []
    for buffer in buffers:
        for dies, chunk in living:
            if dies < buffer.born:
                arena.free(chunk)
        living = [item for item in living if item[0] >= buffer.born]
        living.append((buffer.dies, arena.allocate(buffer.size_bytes)))
    for _, chunk in living:
        arena.free(chunk)


def _aligned(size_bytes: int, alignment: int) -> int:
    return -(-size_bytes // alignment) * alignment
