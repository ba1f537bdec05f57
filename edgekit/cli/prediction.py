"""How commands print what a compiler foretells: one line, then what it leaves to the processor and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from edgekit.cli.output import print_table, print_wrapped

if TYPE_CHECKING:
    from edgekit.conversion.prediction import Prediction

_MOST = 10


def print_prediction(prediction: Prediction, title: str) -> None:
    """The figures, their conditions, and the coverage table where anything stays on the CPU."""
    lines = [
        prediction.says,
        f"{prediction.system_config}, {prediction.memory_mode}; cycles are the NPU's alone, by the compiler's own "
        "model, which no silicon has confirmed here",
    ]
    if prediction.cpu_arena_bytes is not None:
        arena = f"{prediction.cpu_arena_bytes / 1024:,.0f} KiB"
        lines.append(
            f"on the CPU alone, TensorFlow Lite Micro needs an arena of {arena} for the same int8 model"
        )
    typer.echo()
    for line in lines:
        print_wrapped(f"{title}: {line}")
    left = sorted(prediction.cpu_operators, key=lambda item: (-item.macs, -item.bytes_moved))
    if not left:
        return
    rows = [
        [
            item.name,
            item.op,
            _share(item.macs, prediction.macs),
            f"{item.bytes_moved / 1024:,.0f}",
            item.reason,
        ]
        for item in left[:_MOST]
    ]
    if len(left) > _MOST:
        rest = left[_MOST:]
        moved = sum(item.bytes_moved for item in rest) / 1024
        macs = _share(sum(item.macs for item in rest), prediction.macs)
        rows.append([f"{len(rest)} more", "", macs, f"{moved:,.0f}", "see --json"])
    print_table(["on the CPU~", "op", "MACs>", "KiB moved>", "why"], rows, title=f"{title}: not on the NPU")


def _share(macs: int, total: int) -> str:
    return f"{macs / total:.1%}" if macs and total else "-"
