"""What can be said on this machine about a target, and what cannot."""

from __future__ import annotations

from edgekit.catalog_schema import Target
from edgekit.conversion.prediction import Prediction

_IMPLIED = {"avx512-vnni": "avx-vnni"}
"""The wider form computes what the narrower one does."""


def runs_here(target: Target, host: Target) -> bool:
    """Whether a time taken on ``host`` says something about ``target``: it has all of its instructions."""
    features = {*host.isa_features, *(_IMPLIED.get(feature, feature) for feature in host.isa_features)}
    return target.arch == host.arch and set(target.isa_features) <= features


def threads_on(target: Target, host: Target, asked: int | None) -> int:
    """Of an artifact for ``target``: ``asked``, else what the target gives to inference, timed here on what ``host`` has."""
    if asked is not None:
        return asked
    return min(target.threads, host.threads) if runs_here(target, host) else target.threads


def memory_problem(prediction: Prediction | None, target: Target) -> str | None:
    """Why the artifact does not fit into the target's memories, by its compiler's figures; None where it does."""
    if prediction is None:
        return None
    memory = target.memory
    areas = [
        (
            "SRAM",
            prediction.sram_bytes,
            memory.usable_bytes if memory.sram_bytes is None else memory.sram_bytes,
        ),
        ("DRAM", prediction.dram_bytes, memory.usable_bytes),
        ("flash", prediction.flash_bytes, memory.flash_bytes),
    ]
    short = [
        f"{_kib(needed)} of {name}, and an application on {target.id} has {_kib(has)}"
        for name, needed, has in areas
        if has is not None and needed > has
    ]
    return f"needs {'; and '.join(short)} ({prediction.maker})" if short else None


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _rule(target: Target) -> str:
    return "what the compiler foretells" if target.foretold else "rule (native int8 first)"


def target_notes(target: Target, host: Target, tried: str = "") -> tuple[str, ...]:
    """What a bundle says about where its figures were taken; ``tried``: what the target's processor answered."""
    if target.id == host.id:
        return ()
    if runs_here(target, host):
        return (
            f"timed on the build host, which has the instructions of {target.id}: "
            "the ratio to the source carries over better than the milliseconds",
        )
    missing = sorted(set(target.isa_features) - set(host.isa_features))
    other = target.arch if target.arch != host.arch else f"{target.arch} with {', '.join(missing)}"
    return (
        f"not timed: this machine is no {target.id}; chosen by {_rule(target)}",
        f"answers compared on the build host ({host.arch}); {tried or f'not verified on {other}'}",
    )
