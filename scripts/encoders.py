"""Lay out the transformers that published measurements name."""

from __future__ import annotations

from edgekit.simulation.layer import plain
from scripts.branches import Branches

_TOKENS = 128
"""Of OpenVINO's models of BERT; their benchmark does not state it again."""


def bert_base(net: Branches) -> None:
    """arXiv:1810.04805: twelve blocks of 768, twelve heads of 64."""
    width, inside = 768, 3072
    whole = _TOKENS * width
    for _ in range(3):
        net.move(whole)  # words, positions and kinds are looked up
    net.layers += [plain("elementwise", reads=2 * whole, writes=whole)] * 2
    net.layers.append(plain("norm", reads=whole, writes=whole))
    for _ in range(12):
        for _ in range(3):
            net.linear(_TOKENS, width, width)
        net.move(2 * whole)
        net.attend(heads=12, rows=_TOKENS, key=64, value=64)
        net.linear(_TOKENS, width, width)
        _joined(net, whole)
        net.linear(_TOKENS, width, inside)
        net.layers.append(plain("elementwise", reads=_TOKENS * inside, writes=_TOKENS * inside))
        net.linear(_TOKENS, inside, width)
        _joined(net, whole)


def _joined(net: Branches, elements: int) -> None:
    """What went around a block is added, then normalized."""
    net.layers += [
        plain("elementwise", reads=2 * elements, writes=elements),
        plain("norm", reads=elements, writes=elements),
    ]
