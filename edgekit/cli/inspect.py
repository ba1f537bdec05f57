"""``edgekit inspect``: what a model is made of, and what of it will not run where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.facts import binary, print_facts, si, usable_catalog
from edgekit.cli.options import ModelArgument, ShapeOption, read_shapes
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress
from edgekit.cli.slow_layers import latency_facts, print_slow_layers
from edgekit.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.models import GraphFacts, Model, Refusal, TensorSpec
    from edgekit.simulation.budget import TargetPeak
    from edgekit.simulation.by_layer import TimeByLayer
    from edgekit.simulation.memory import MemoryPrediction
    from edgekit.vocabulary import RuntimeId

    Refused = dict[str, dict[RuntimeId, tuple[Refusal, ...]]]
    Peaks = dict[str, tuple[TargetPeak, ...]]
    Times = dict[str, list[TimeByLayer]]

_HEAVIEST = 8
_ROWS_A_REASON = 3


def inspect(
    model: ModelArgument,
    target: Annotated[
        list[str] | None, typer.Option("-t", "--target", help="Say what will not run there; repeatable.")
    ] = None,
    shape: ShapeOption = None,
    json: JsonOption = False,
) -> None:
    """Show operators, MACs, parameters, memory and licence of a model, and what will not run on a target.

    MACs and peak activation memory are at batch 1 unless --shape says otherwise. With a target, the peak memory of
    each runtime there is predicted, with the interval that four of five measurements lie in; where latencies of the
    target were published, so are the layers that dominate its time. Exit code 0 where every target asked for has a
    runtime that takes the whole model; 1 where one has none, or the file is no sound model.

    Example: edgekit inspect net.onnx -t raspberry-pi-5 --shape x:1,3,640,640
    """
    from edgekit.models import graph_facts
    from edgekit.models.zoo import resolve

    shapes = read_shapes(shape)
    with progress("edgekit inspect") as advance:
        loaded = load_shaped(resolve(model, advance), shapes)
        advance(1, 2, "counting")
        facts = graph_facts(loaded)
        refused = _refused(loaded, target or [])
        peaks = _peaks(loaded, target or [])
        times = _times(loaded, target or [])
    if json:
        print_json(_facts(loaded, facts, refused, peaks, times))
    else:
        _print(loaded, facts, refused, peaks, times)
    _judge(loaded, refused)


def load_shaped(path: Path, shapes: dict[str, tuple[int, ...]]) -> Model:
    """The model at ``shapes``, else at those its contract makes, where they fit what it leaves free."""
    from edgekit.models import load_model

    model = load_model(path, shapes, allow_unknown_operators=True)
    free = {spec.name for spec in model.inputs if not all(isinstance(side, int) for side in spec.shape)}
    made = {name: sides for name, sides in _contract_shapes(path).items() if name in free}
    return load_model(path, {**made, **shapes}, allow_unknown_operators=True) if made else model


def _contract_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from edgekit.contracts import find_contract, load_contract
    from edgekit.contracts.fitting import input_shape

    contract = find_contract(path)
    if contract is None:
        return {}
    shapes = {item.name: input_shape(item) for item in load_contract(contract).schema.inputs}
    sides = {name: tuple(side for side in shape if side is not None) for name, shape in shapes.items()}
    return {name: known for name, known in sides.items() if len(known) == len(shapes[name])}


def _refused(model: Model, targets: list[str]) -> Refused:
    if not targets:
        return {}
    from edgekit.models import refusals

    catalog = usable_catalog()
    return {name: refusals(model, catalog.target(name), catalog) for name in targets}


def _peaks(model: Model, targets: list[str]) -> Peaks:
    """None of a graph that does not tell what it needs: what is unknown of it is said elsewhere."""
    if not targets:
        return {}
    from edgekit.simulation.budget import peaks_on

    catalog = usable_catalog()
    try:
        return {name: peaks_on(model, catalog.target(name)) for name in targets}
    except ModelError:
        return {}


def _times(model: Model, targets: list[str]) -> Times:
    """None of a graph that does not tell, and on targets whose speed nobody published."""
    if not targets:
        return {}
    from edgekit.simulation.asking import precisions_of
    from edgekit.simulation.by_layer import times_on
    from edgekit.simulation.layers import layers_of

    catalog = usable_catalog()
    try:
        layers = layers_of(model)
    except ModelError:
        return {}
    found = {}
    for name in targets:
        target = catalog.target(name)
        found[name] = times_on(target, catalog.profile(target.profile), layers, precisions_of(model))
    return found


def _judge(model: Model, refused: Refused) -> None:
    """Exit 1, after the facts, where the model cannot run."""
    if not refused and model.unknown_operators:
        raise ModelError(f"{model.path}: {model.unknown_operators[0]}")
    lost = [name for name, runtimes in refused.items() if not _runs(runtimes)]
    if lost:
        raise ModelError(f"{model.path}: no runtime of {', '.join(lost)} takes all of it; the table says why")


def _runs(runtimes: dict[RuntimeId, tuple[Refusal, ...]]) -> bool:
    return any(not found for found in runtimes.values())


# --- as JSON ---------------------------------------------------------------------------------------------


def _facts(model: Model, facts: GraphFacts, refused: Refused, peaks: Peaks, times: Times) -> dict[str, Any]:
    return {
        "model": str(model.path),
        "format": model.format,
        "sha256": model.sha256,
        "size_bytes": model.size_bytes,
        "opset": model.opset,
        "licence": model.licence,
        "inputs": [_spec(spec) for spec in model.inputs],
        "outputs": [_spec(spec) for spec in model.outputs],
        "macs": facts.macs,
        "parameters": facts.parameters,
        "weights_bytes": facts.weights_bytes,
        "peak_activation_bytes": facts.peak_activation_bytes,
        "quantized": model.quantized,
        "quantization": model.quantization,
        "operators": facts.operators,
        "layers": [
            {
                "name": layer.name,
                "op": layer.op,
                "macs": layer.macs,
                "parameters": layer.parameters,
                "output_shape": list(layer.output_shape),
            }
            for layer in facts.layers
        ],
        "notes": list(facts.notes),
        "targets": [
            {
                **_target(name, runtimes, facts),
                "memory": [_peak_facts(peak) for peak in peaks.get(name, ())],
                "latency": [latency_facts(item) for item in times.get(name, ())],
            }
            for name, runtimes in refused.items()
        ],
    }


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}


def _target(name: str, runtimes: dict[RuntimeId, tuple[Refusal, ...]], facts: GraphFacts) -> dict[str, Any]:
    return {
        "target": name,
        "runs": _runs(runtimes),
        "runtimes": [runtime for runtime, found in runtimes.items() if not found],
        "refused": [
            {
                "node": refusal.node,
                "op": refusal.op,
                "reason": refusal.reason,
                "runtime": refusal.runtime,
                "converter": refusal.converter,
                "macs": refusal.macs,
                "macs_share": _share(refusal, facts),
            }
            for found in runtimes.values()
            for refusal in found
        ],
    }


def memory_facts(memory: MemoryPrediction) -> dict[str, Any]:
    """A predicted peak, in bytes but for the errors."""
    error = memory.error_pct
    return {
        "peak": memory.peak,
        "low": memory.low,
        "high": memory.high,
        "phase": memory.phase,
        "base": memory.base,
        "error_pct": {"median": error.median, "p90": error.p90, "largest": error.largest},
        "measured_on": memory.measured_on,
    }


def _peak_facts(peak: TargetPeak) -> dict[str, Any]:
    return {
        "runtime": peak.runtime,
        "precision": peak.precision,
        "kind": "predicted",
        "memory_bytes": memory_facts(peak.memory),
        "usable_bytes": peak.usable_bytes,
        "fits": not peak.exceeds,
    }


def _share(refusal: Refusal, facts: GraphFacts) -> float | None:
    """Which part of the model's MACs falls back with the operator."""
    return None if refusal.macs is None or not facts.macs else refusal.macs / facts.macs


# --- as text ---------------------------------------------------------------------------------------------


def _print(model: Model, facts: GraphFacts, refused: Refused, peaks: Peaks, times: Times) -> None:
    opset = f", opset {model.opset}" if model.opset else ""
    print_facts(
        f"{model.path.name}: {model.format}{opset}, {binary(model.size_bytes)}",
        (
            ("MACs", si(facts.macs, "") or "unknown"),
            ("parameters", si(facts.parameters, "") or 0),
            ("weights", binary(facts.weights_bytes)),
            ("activations", f"{binary(facts.peak_activation_bytes) or 'unknown'} at the peak"),
            ("quantized", model.quantization or "no"),
            ("licence", model.licence or "not stated"),
            ("operators", ", ".join(f"{op} {count}" for op, count in facts.operators.items())),
            ("sha256", model.sha256),
        ),
    )
    rows = [("input", spec) for spec in model.inputs] + [("output", spec) for spec in model.outputs]
    print_table(("", "name", "shape", "type"), [(kind, s.name, _shape(s.shape), s.dtype) for kind, s in rows])
    _print_heaviest(facts)
    for name, runtimes in refused.items():
        _print_target(name, runtimes, facts)
        _print_peaks(name, peaks.get(name, ()))
        print_slow_layers(name, times.get(name, []))
    for line in facts.notes:
        note(line)


def _print_heaviest(facts: GraphFacts) -> None:
    heaviest = sorted(facts.layers, key=lambda layer: -(layer.macs or 0))[:_HEAVIEST]
    rows = [
        (
            layer.name,
            layer.op,
            si(layer.macs, ""),
            f"{(layer.macs or 0) / facts.macs:.1%}" if facts.macs else "",
            si(layer.parameters, "") or "0",
            _shape(layer.output_shape),
        )
        for layer in heaviest
        if layer.macs
    ]
    if rows and facts.macs:
        print_table(("layer~", "op", "MACs>", "share>", "params>", "output"), rows, title="Heaviest layers")


def _print_target(name: str, runtimes: dict[RuntimeId, tuple[Refusal, ...]], facts: GraphFacts) -> None:
    taking = [runtime for runtime, found in runtimes.items() if not found]
    typer.echo(f"{name}: {'runs on ' + ', '.join(taking) if taking else 'nothing there runs all of it'}")
    rows = [row for found in runtimes.values() for row in _grouped(found, facts)]
    if rows:
        print_table(("runtime", "node", "op", "reason", "MACs>"), rows)


def _print_peaks(name: str, peaks: tuple[TargetPeak, ...]) -> None:
    rows = [
        (
            peak.runtime,
            peak.precision,
            binary(peak.memory.peak),
            f"{binary(peak.memory.low)} - {binary(peak.memory.high)}",
            f"{peak.memory.peak / peak.usable_bytes:.1%}",
            "does not fit" if peak.exceeds else "may not fit" if peak.is_close else "",
        )
        for peak in peaks
    ]
    if rows:
        usable = binary(peaks[0].usable_bytes)
        columns = ("runtime", "precision", "peak>", "4 of 5 in>", "of usable>", "")
        print_table(columns, rows, title=f"Memory on {name}, predicted: {usable} usable")


def _grouped(found: tuple[Refusal, ...], facts: GraphFacts) -> list[tuple[str, str, str, str, str]]:
    """Rows of one runtime; of many nodes with one reason the first are shown and the others counted."""
    groups: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in found:
        groups.setdefault((refusal.op, refusal.reason), []).append(refusal)
    rows: list[tuple[str, str, str, str, str]] = []
    for (op, reason), members in groups.items():
        shown = ", ".join(refusal.node for refusal in members[:_ROWS_A_REASON])
        more = f" and {len(members) - _ROWS_A_REASON} more" if len(members) > _ROWS_A_REASON else ""
        shares = [share for refusal in members if (share := _share(refusal, facts)) is not None]
        cost = f"{sum(shares):.1%}" if shares else ""
        rows.append((members[0].runtime, shown + more, op, reason, cost))
    return rows


def _shape(shape: tuple[int | str, ...]) -> str:
    return ",".join(str(side) for side in shape) or "scalar"
