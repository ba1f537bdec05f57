"""Peak activation memory of a graph that runs node by node.

The rule: a tensor is alive from the node that makes it to the last node that uses it; inputs of the graph from
the start, outputs of the graph to the end. While a node runs, its inputs and its outputs are alive together:
nothing is computed in place, and no operators are fused. Constants are weights, not activations. Runtimes that
fuse and reuse stay below this figure; workspaces they allocate (im2col, threads) come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One node in running order: the activations it uses and makes."""

    uses: frozenset[str]
    makes: frozenset[str]
    inside_bytes: int = 0
    """Peak of the graphs inside the node, for If, Loop and Scan."""


def peak_bytes(
    steps: Sequence[Step], sizes: Mapping[str, int], inputs: Iterable[str], outputs: Iterable[str]
) -> int:
    """Largest sum of the bytes alive at any step; tensors without an entry in ``sizes`` do not count."""
    last_use = {name: index for index, step in enumerate(steps) for name in step.uses | step.makes}
    last_use |= dict.fromkeys(outputs, len(steps))
    alive = {name for name in inputs if name in sizes}
    total = peak = sum(sizes[name] for name in alive)
    dying: dict[int, list[str]] = {}
    for name, index in last_use.items():
        dying.setdefault(index, []).append(name)
    for index, step in enumerate(steps):
        born = {name for name in step.makes - alive if name in sizes}
        alive |= born
        total += sum(sizes[name] for name in born)
        peak = max(peak, total + step.inside_bytes)
        for name in dying.get(index, ()):
            if name in alive:
                alive.remove(name)
                total -= sizes[name]
    return peak
