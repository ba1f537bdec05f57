"""What can be said on this machine about a target, and what cannot."""

from __future__ import annotations

from edgekit.bundles.manifest import IsaCheck
from edgekit.catalog_schema import Target
from edgekit.conversion.isa import isa_note

_IMPLIED = {"avx512-vnni": "avx-vnni"}
"""The wider form computes what the narrower one does."""


def runs_here(target: Target, host: Target) -> bool:
    """Whether a time taken on ``host`` says something about ``target``: it has all of its instructions."""
    features = {*host.isa_features, *(_IMPLIED.get(feature, feature) for feature in host.isa_features)}
    return target.arch == host.arch and set(target.isa_features) <= features


def target_notes(target: Target, host: Target, isa: IsaCheck | None = None) -> tuple[str, ...]:
    """What a bundle says about where its figures were taken; ``isa``: its golden pair on the target's own processor."""
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
        f"not timed: this machine is no {target.id}; chosen by rule (native int8 first)",
        f"answers compared on the build host ({host.arch}); {isa_note(isa) if isa else f'not verified on {other}'}",
    )
