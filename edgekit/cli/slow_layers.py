"""How ``inspect`` shows where a predicted time goes: the slowest layers on a target, and kinds of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.cli.output import note, print_table, print_wrapped

if TYPE_CHECKING:
    from edgekit.simulation.by_layer import LayerTime, TimeByLayer

_SLOWEST = 8
_LEAST_SHARE = 0.02
"""Kinds below it are not named."""


def latency_facts(found: TimeByLayer) -> dict[str, Any]:
    """One prediction with all its layers, the slowest first; times in milliseconds, shares of the whole time."""
    item = found.prediction
    speed, latency = item.speed, item.latency_ms
    return {
        "kind": "predicted",
        "runtime": speed.runtime,
        "runtime_version": speed.version,
        "precision": speed.precision,
        "threads": speed.threads,
        "latency_ms": {"p50": latency.p50, "low": latency.low, "high": latency.high},
        "in_domain": item.in_domain,
        "outside": list(item.outside),
        "error_pct": {"median": speed.error_pct.median, "p90": speed.error_pct.p90},
        "layers": [
            {
                "name": layer.layer.name,
                "op": layer.layer.op,
                "what": layer.kind,
                "ms": layer.ms,
                "share": layer.share,
                "bound": layer.bound,
                "bound_share": layer.bound_share,
                "macs_per_element": layer.macs_per_element,
            }
            for layer in found.layers
        ],
        "kinds": [
            {"what": kind, "share": share, "macs_share": macs_share}
            for kind, (share, macs_share) in found.by_kind.items()
        ],
    }


def print_slow_layers(target: str, found: list[TimeByLayer]) -> None:
    """The layers that dominate the first of the predictions, beside their shares of the others."""
    if not found:
        return
    first, *others = found
    shares = [{id(item.layer): item.share for item in other.layers} for other in others]
    columns = ["layer~", "what", *(f"{_precision(item)}>" for item in found), "MACs an\nelement>", "bound by"]
    rows = [
        [slow.layer.name, slow.kind, *_shares(slow, shares), _pace(slow), slow.bound]
        for slow in first.layers[:_SLOWEST]
    ]
    print_table(columns, rows, title=f"Slowest layers on {target}, predicted: share of the time")
    for item in found:
        print_wrapped(f"{_precision(item)}: {_whole(item)}; {_kinds(item)}")
        for reason in item.prediction.outside:
            note(f"?: less sure of {target}, interval widened: {reason}")


def _shares(slow: LayerTime, others: list[dict[int, float]]) -> list[str]:
    return [f"{share:.1%}" for share in (slow.share, *(shares[id(slow.layer)] for shares in others))]


def _pace(slow: LayerTime) -> str:
    pace = slow.macs_per_element
    return f"{pace:.0f}" if pace >= 10 else f"{pace:.1f}"


def _precision(item: TimeByLayer) -> str:
    return item.prediction.speed.precision


def _whole(found: TimeByLayer) -> str:
    speed, latency = found.prediction.speed, found.prediction.latency_ms
    threads = f", {speed.threads} thread{'s' if speed.threads > 1 else ''}" if speed.threads else ""
    mark = "" if found.prediction.in_domain else "?"
    return (
        f"{latency.p50:.3g} ms{mark} ({latency.low:.3g}-{latency.high:.3g}) "
        f"by {speed.runtime} {speed.version}{threads}"
    )


def _kinds(found: TimeByLayer) -> str:
    """Who has the time, and how many of the MACs: what has much more of the one is worth replacing."""
    return ", ".join(
        f"{kind} {share:.0%} ({macs:.0%} of the MACs)"
        for kind, (share, macs) in found.by_kind.items()
        if share >= _LEAST_SHARE
    )
