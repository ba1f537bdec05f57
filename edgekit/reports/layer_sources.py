"""Where the facts about a bundle's layers come from: the bundle, its source model, a measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles.golden import read_tensors
from edgekit.catalog import load_catalog
from edgekit.conversion.qdq import sense
from edgekit.conversion.targets import runs_here
from edgekit.data import open_samples, write_calibration
from edgekit.data.arrays import write_arrays
from edgekit.devices import open_device
from edgekit.errors import BundleError, CatalogError, DeviceError, ModelError
from edgekit.models import graph_facts, load_model, prepare_onnx
from edgekit.profiling.files import read_measurements
from edgekit.profiling.names import source_operators
from edgekit.profiling.predicted import predicted
from edgekit.profiling.record import OperatorTime
from edgekit.quantization.placement import WEIGHTED
from edgekit.quantization.table import LayerSensitivity, Sensitivity, read_sensitivity
from edgekit.reports.layers import Times, Why, explain
from edgekit.staging import Scratch
from edgekit.vocabulary import PREDICTED

if TYPE_CHECKING:
    from edgekit.bundles import Bundle
    from edgekit.models import Model
    from edgekit.progress import Advance

OPERATOR_RUNS = 20
MOST_SAMPLES = 16


def why(
    bundle: Bundle,
    *,
    source: Path | None = None,
    calibration: Path | None = None,
    times: Path | None = None,
    threads: int = 1,
    advance: Advance | None = None,
) -> Why:
    """Everything that is known of the bundle's layers, and what is missing.

    source: the model it was made from, for what the bundle does not carry. times: a file of ``profile -o``; None: the
    operators are timed here where the target's instructions are. EdgekitError for files that do not belong to it.
    """
    missing: list[str] = []
    model = _source(bundle, source) if source else None
    if advance:
        advance(0, 2, "error by layer")
    table = _stored_table(bundle) or _fresh_table(bundle, model, calibration, threads, missing)
    layers = table.layers if table else _layers(model)
    if not layers:
        missing.append("layers and their MACs: give the source model with --source MODEL")
    if advance:
        advance(1, 2, "time by layer")
    measured = _stored_times(bundle, times) if times else _fresh_times(bundle, threads, missing)
    return explain(bundle, layers, table=table, times=measured, missing=missing)


def _source(bundle: Bundle, path: Path) -> Model:
    stated = bundle.manifest.model
    model = load_model(path, stated.shapes)
    if model.sha256 != stated.sha256:
        raise ModelError(
            f"{path}: not the model that {bundle.path.name} was made from: sha256 {model.sha256[:16]}…, the bundle "
            f"names {stated.sha256[:16]}… ({stated.name})"
        )
    return model


def _stored_table(bundle: Bundle) -> Sensitivity | None:
    name = bundle.manifest.sensitivity
    if name is None:
        return None
    table, problems = read_sensitivity(bundle.folder / name)
    if table is None:
        raise BundleError("\n".join(problems))
    return table


def _fresh_table(
    bundle: Bundle, model: Model | None, calibration: Path | None, threads: int, missing: list[str]
) -> Sensitivity | None:
    """Computed from the source model, with the ranges that the artifact holds."""
    manifest = bundle.manifest
    if manifest.artifact.precision != "int8":
        return None
    steps = [step for step in manifest.steps if step.tool == "edgekit.quantization"]
    if not steps or manifest.artifact.format != "onnx":
        missing.append(
            "error by layer: this int8 artifact does not show its ranges; convert again with --effort normal, "
            "and the bundle carries them"
        )
        return None
    if model is None:
        missing.append("error by layer: give the source model with --source MODEL, and samples with --calib")
        return None
    arguments = steps[0].arguments
    with Scratch("why") as room:
        samples = _samples(bundle, calibration, room / "samples", missing)
        prepared = prepare_onnx(model, room / "model.onnx")
        (room / "out").mkdir()
        reply = sense(
            {
                "source": str(prepared),
                "io": None,
                "out_dir": str(room / "out"),
                "precision": "int8",
                "options": {
                    "int8_activations": str(arguments.get("activations", "uint8")),
                    "int8_weight_bits": 7 if arguments.get("weight_bits") == 7 else 8,
                    "effort": "max",
                    "qdq": str(bundle.artifact.resolve()),
                },
                "calibration": str(samples),
                "task": manifest.task,
                "threads": threads,
            },
            log=room / "log",
        )
        table, problems = read_sensitivity(room / "out" / reply["artifact"])
    if table is None:
        raise BundleError("\n".join(problems))
    kept = set(json.loads(str(arguments.get("kept_in_float", "[]"))))
    return table.rescued(kept).model_copy(update={"unseen": False})


def _samples(bundle: Bundle, calibration: Path | None, folder: Path, missing: list[str]) -> Path:
    if calibration is not None:
        contract = bundle.contract()
        return write_calibration(open_samples(calibration, contract, MOST_SAMPLES), contract, folder).folder
    golden = bundle.manifest.golden
    if golden is None:
        raise BundleError(
            f"{bundle.path}: holds no golden sample to try layers on; give samples with --calib"
        )
    missing.append(
        "more than one sample: layers were tried on the golden one alone; give others with --calib"
    )
    folder.mkdir()
    write_arrays(folder / "00000.npz", read_tensors(bundle.folder / golden.tensors).inputs)
    return folder


def _layers(model: Model | None) -> tuple[LayerSensitivity, ...]:
    """What multiplies in the source, without errors."""
    if model is None:
        return ()
    return tuple(
        LayerSensitivity(node=layer.name, op=layer.op, macs=layer.macs or 0, in_float="", sqnr_db=None)
        for layer in graph_facts(model).layers
        if layer.macs or layer.op in WEIGHTED
    )


def _stored_times(bundle: Bundle, path: Path) -> Times:
    for run in read_measurements(path):
        if run.bundle_sha256 == bundle.sha256 and run.operators:
            where = f"{run.context.cpu}, {run.context.threads} thread(s)"
            return Times(operators=run.operators, kind=run.kind, where=where, how=run.operators_method)
    raise BundleError(
        f"{path}: holds no times by operator of {bundle.path}. Make them: edgekit profile {bundle.path}"
    )


def _fresh_times(bundle: Bundle, threads: int, missing: list[str]) -> Times | None:
    target = bundle.manifest.target
    if bundle.manifest.prediction is not None:
        return _foretold(bundle)
    if not _runs_here(target):
        missing.append(
            f"time by layer: this machine is no {target}; edgekit profile there with -o, and give the file as --times"
        )
        return None
    device = open_device("local")
    try:
        with device.start(bundle.folder, threads=threads) as session:
            session.load()
            session.run(3)
            found, how = session.operators(OPERATOR_RUNS)
            where = f"{session.ready['cpu']}, {threads} thread(s)"
    except DeviceError as error:
        missing.append(f"time by layer: {error}")
        return None
    operators = source_operators(bundle, [OperatorTime(**operator) for operator in found])
    return Times(operators=operators, kind=device.kind, where=where, how=how)


def _foretold(bundle: Bundle) -> Times:
    run = predicted(bundle, f"{PREDICTED}{bundle.manifest.target}", load_catalog())
    return Times(operators=run.operators, kind=run.kind, where=run.context.cpu, how=run.operators_method)


def _runs_here(target: str) -> bool:
    catalog = load_catalog()
    try:
        return runs_here(catalog.target(target), catalog.target("host"))
    except CatalogError:
        return False
