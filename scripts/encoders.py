"""Lay out the transformers that published measurements name."""

from __future__ import annotations

from edgekit.simulation.layer import plain
from scripts.branches import Branches

OPENVINO_TOKENS = 128
"""Of OpenVINO's models of BERT; their benchmark does not state it again."""


def bert(net: Branches, tokens: int, *, width: int = 768, blocks: int = 12, embedded: int = 0) -> None:
    """arXiv:1810.04805: heads of 64, four times ``width`` inside.

    ``embedded``: the width of words before a matrix widens them (ALBERT, arXiv:1909.11942).
    """
    inside, whole = 4 * width, tokens * width
    looked_up = tokens * (embedded or width)
    for _ in range(3):
        net.move(looked_up)  # words, positions and kinds are looked up
    net.layers += [plain("elementwise", reads=2 * looked_up, writes=looked_up)] * 2
    net.layers.append(plain("norm", reads=looked_up, writes=looked_up))
    if embedded:
        net.linear(tokens, embedded, width)
    for _ in range(blocks):
        for _ in range(3):
            net.linear(tokens, width, width)
        net.move(2 * whole)
        net.attend(heads=width // 64, rows=tokens, key=64, value=64)
        net.linear(tokens, width, width)
        _joined(net, whole)
        net.linear(tokens, width, inside)
        net.layers.append(plain("elementwise", reads=tokens * inside, writes=tokens * inside))
        net.linear(tokens, inside, width)
        _joined(net, whole)


def _joined(net: Branches, elements: int) -> None:
    """What went around a block is added, then normalized."""
    net.layers += [
        plain("elementwise", reads=2 * elements, writes=elements),
        plain("norm", reads=elements, writes=elements),
    ]
