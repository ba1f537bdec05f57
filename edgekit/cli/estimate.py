"""``edgekit estimate``: latency and memory of a model on devices that are not here, with the error of the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.facts import binary, usable_catalog
from edgekit.cli.inspect import load_shaped, memory_facts
from edgekit.cli.options import ModelArgument, ShapeOption, read_milliseconds, read_precision, read_shapes
from edgekit.cli.output import JsonOption, note, print_json, print_table, print_wrapped, progress
from edgekit.errors import GateFailedError

if TYPE_CHECKING:
    from edgekit.simulation import Prediction
    from edgekit.vocabulary import Precision

_REASONS = 3
"""For marks that are told; --json has all."""


def estimate(
    model: ModelArgument,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", help="predicted:TARGET; repeatable. Default: every one that has speeds."),
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="Only this runtime.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Only this precision. Default: int8, and floats where the model is of floats."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Only this number of threads.")] = None,
    latency: Annotated[
        str | None, typer.Option(help="Only what keeps to it, such as '<66ms'; exit 1 where nothing does.")
    ] = None,
    shape: ShapeOption = None,
    json: JsonOption = False,
) -> None:
    """Predict latency and memory on devices that are not here, from the graph alone.

    Each prediction stands beside an interval (four of five measurements lie in it) and the error that predictions
    of that runtime had on that device for families of models they were not fitted to. A mark tells where the graph
    is unlike anything that was measured there. Nothing is built and nothing runs.

    Example: edgekit estimate net.onnx --on predicted:raspberry-pi-4 --latency '<66ms'
    """
    from edgekit.models.zoo import resolve
    from edgekit.simulation import Asked
    from edgekit.simulation import estimate as run

    limit, shapes = read_milliseconds(latency), read_shapes(shape)
    asked = Asked(
        runtime=runtime, precision=read_precision(precision) if precision else None, threads=threads
    )
    with progress("edgekit estimate") as advance:
        loaded = load_shaped(resolve(model, advance), shapes)
    found = run(loaded, on or [], usable_catalog(), asked)
    kept = [item for item in found if limit is None or item.latency_ms.p50 < limit]
    if json:
        print_json({"model": str(loaded.path), "predictions": [_facts(item) for item in kept]})
    elif kept:
        _print(kept if on else _fastest(kept), limit)
        if not on and len(_fastest(kept)) < len(kept):
            note("the fastest of each target and precision; --on TARGET or --json shows all")
    if not kept:
        best = found[0]
        raise GateFailedError(
            f"{loaded.path}: nothing is predicted below {limit:g} ms; the fastest is {best.device} "
            f"({best.speed.runtime} {best.speed.precision}) at {best.latency_ms.p50:.3g} ms"
        )


def _facts(item: Prediction) -> dict[str, Any]:
    speed, latency = item.speed, item.latency_ms
    return {
        "target": item.device,
        "kind": "predicted",
        "level": "graph",
        "runtime": speed.runtime,
        "runtime_version": speed.version,
        "precision": speed.precision,
        "threads": speed.threads,
        "latency_ms": {"p50": latency.p50, "low": latency.low, "high": latency.high},
        "memory_bytes": memory_facts(item.memory) if item.memory else None,
        "in_domain": item.in_domain,
        "outside": list(item.outside),
        "error_pct": {"median": speed.error_pct.median, "p90": speed.error_pct.p90},
        "calibrated_on": {"measurements": speed.measurements, "families": speed.families},
        "shares": item.shares,
    }


def _print(found: list[Prediction], limit: float | None) -> None:
    columns = ("target~", "runtime", "prec", "thr.>", "ms>", "4 of 5 in>", "error\n%>")
    print_table(columns, [_row(item, limit) for item in found])
    print_wrapped(f"measured with {_versions(found)}")
    note(
        "predicted from the graph; error: median / 90th percentile for families of models that the fit had not seen"
    )
    if any(not item.in_domain for item in found):
        reasons = list(dict.fromkeys(item.outside[0] for item in found if item.outside))
        for reason in reasons[:_REASONS]:
            note(f"?: less sure, interval widened: {reason}")
    if limit is not None and any(item.latency_ms.high >= limit for item in found):
        note(f"~: the interval reaches over {limit:g} ms")
    _print_memory(found)


def _print_memory(found: list[Prediction]) -> None:
    """A line for each runtime, precision and architecture: the peak depends on neither board nor threads."""
    known = {
        (item.speed.runtime, item.speed.precision, item.memory.arch): item.memory
        for item in found
        if item.memory
    }
    if known:
        rows = [
            (*key, binary(memory.peak), f"{binary(memory.low)} - {binary(memory.high)}")
            for key, memory in known.items()
        ]
        print_table(("memory", "precision", "as on", "peak>", "4 of 5 in>"), rows)
        places = ", ".join(sorted({memory.measured_on for memory in known.values()}))
        note(f"predicted peak of the runner's process, Python included, as on {places}")
    if any(item.memory is None for item in found):
        note("memory is predicted for onnxruntime, openvino and litert (tflite-xnnpack) only")


def _fastest(found: list[Prediction]) -> list[Prediction]:
    """The first, which is the fastest, of each target and precision."""
    first: dict[tuple[str, Precision], Prediction] = {}
    for item in found:
        first.setdefault((item.device, item.speed.precision), item)
    return list(first.values())


def _row(item: Prediction, limit: float | None) -> tuple[str, ...]:
    speed, latency = item.speed, item.latency_ms
    marks = ("" if item.in_domain else "?") + ("~" if limit is not None and latency.high >= limit else "")
    return (
        item.device,
        speed.runtime,
        speed.precision,
        str(speed.threads or "-"),
        f"{marks}{_short(latency.p50)}",
        f"{_short(latency.low)}-{_short(latency.high)}",
        f"{speed.error_pct.median:.0f}/{speed.error_pct.p90:.0f}",
    )


def _short(milliseconds: float) -> str:
    """Three digits, and below a millisecond two: the targets' names need the room."""
    if milliseconds >= 1:
        return f"{milliseconds:.3g}"
    return f"{milliseconds:.2f}" if milliseconds >= 0.1 else f"{milliseconds:.2g}"


def _versions(found: list[Prediction]) -> str:
    """Of each runtime those in the table: ``ncnn 2023-05-04, 2023-08-25; tflite 2.7.1``."""
    versions: dict[str, set[str]] = {}
    for item in found:
        versions.setdefault(item.speed.runtime, set()).add(item.speed.version)
    return "; ".join(f"{runtime} {', '.join(sorted(known))}" for runtime, known in sorted(versions.items()))
