"""What the user asks ``convert`` for, and everything that can be checked of it before any work is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.contracts import check_fit, find_contract, load_contract, tensor_contract
from edgekit.contracts.fitting import input_shape
from edgekit.conversion.plan import AUTOMATIC, Wish
from edgekit.conversion.samples import CALIBRATION, Evaluation, open_evaluation, synthetic_samples
from edgekit.data import open_samples
from edgekit.errors import DataError
from edgekit.models import graph_facts, load_model
from edgekit.vocabulary import Precision

if TYPE_CHECKING:
    from edgekit.contracts import LoadedContract
    from edgekit.data import Samples
    from edgekit.models import Model
    from edgekit.quantization.effort import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One ``edgekit convert``."""

    model: Path
    targets: tuple[str, ...]
    out: Path
    """Folder the bundles are written to."""
    contract: Path | None = None
    """None: the one beside the model, else plain tensors."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    calibration: Path | None = None
    evaluation: Path | None = None
    """None, both: ``calib/`` and ``eval/`` beside the model, where they are."""
    data_free: bool = False
    """Calibrate on synthetic inputs; ``calibration`` is then None, and ``calib/`` is left aside."""
    precisions: tuple[Precision, ...] = AUTOMATIC
    max_drop: float | None = None
    """Highest loss of accuracy (of agreement where there are no labels), 0.01 = one point."""
    latency_ms: float | None = None
    """Highest p50 allowed."""
    threads: int | None = None
    """None: what the target gives to inference, at most this machine's processors."""
    effort: Effort = "normal"
    """How much time quantization may take."""
    samples: int | None = None
    """At most so many for calibration and for evaluation each."""
    zipped: bool = False
    force: bool = False
    """Replace what stands in the way even where it is no bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The order's files, read and found to fit each other."""

    model: Model
    contract: LoadedContract
    calibration: Samples | None
    evaluation: Evaluation
    wish: Wish
    origin: str | None
    licence_files: tuple[Path, ...]
    notes: tuple[str, ...]


def take_in(order: Order) -> Intake:
    """Read model, contract and data. ModelError, ContractError or DataError says what is wrong with them."""
    model = load_model(order.model, order.shapes)
    contract = _contract(order, model)
    check_fit(contract, model.inputs, model.outputs)
    model = _fixed(order, model, contract)
    if order.data_free and order.calibration:
        raise DataError(
            f"{order.calibration}: give calibration data or ask for none with --data-free, not both"
        )
    calib = None if order.data_free else _data(order.calibration, order, "calib")
    evaluation_path = _data(order.evaluation, order, "eval")
    calibration = open_samples(calib, contract, order.samples or CALIBRATION) if calib else None
    if order.data_free:
        calibration = synthetic_samples(contract, order.samples or CALIBRATION)
    evaluation = open_evaluation(
        contract,
        evaluation=evaluation_path,
        calibration=calib,
        limit=order.samples,
        macs=graph_facts(model).macs,
        synthetic=order.data_free,
    )
    wish = Wish(
        model=model,
        task=contract.schema.task,
        calibrated=calibration is not None,
        precisions=order.precisions,
    )
    return Intake(
        model=model,
        contract=contract,
        calibration=calibration,
        evaluation=evaluation,
        wish=wish,
        origin=_origin(order.model),
        licence_files=_licence_files(order.model),
        notes=_notes(order, calibration, evaluation),
    )


def _data(given: Path | None, order: Order, folder: str) -> Path | None:
    """What the user gave, else the folder of that name beside the model, else None."""
    beside = order.model.parent / folder
    return given or (beside if beside.is_dir() else None)


def _notes(order: Order, calibration: Samples | None, evaluation: Evaluation) -> tuple[str, ...]:
    """What was taken although the user did not name it."""
    notes = []
    if order.data_free:
        notes.append(
            "--data-free: what needs calibration data gets synthetic inputs, and is marked as uncalibrated"
        )
    elif order.calibration is None and calibration is not None:
        notes.append(f"calibrated on {len(calibration)} samples of {calibration.name}/ beside the model")
    if order.evaluation is None:
        notes.append(f"compared on {evaluation.data}")
    return tuple(notes)


def _contract(order: Order, model: Model) -> LoadedContract:
    path = order.contract or find_contract(order.model)
    return load_contract(path) if path else tensor_contract(model.inputs, model.outputs)


def _fixed(order: Order, model: Model, contract: LoadedContract) -> Model:
    """The model with the sizes that the contract makes where it leaves them free."""
    free = {spec.name for spec in model.inputs if not all(isinstance(side, int) for side in spec.shape)}
    shapes = dict(order.shapes)
    for item in contract.schema.inputs:
        sides = [side for side in input_shape(item) if side is not None]
        if item.name in free and len(sides) == len(input_shape(item)):
            shapes[item.name] = tuple(sides)
    return load_model(order.model, shapes) if shapes != order.shapes else model


def _origin(model: Path) -> str | None:
    """Where a model of the zoo comes from, as ``origin.json`` beside it says; None for others."""
    try:
        facts = json.loads((model.parent / "origin.json").read_bytes())
        return str(facts["origin"]["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _licence_files(model: Path) -> tuple[Path, ...]:
    names = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
    return tuple(
        path
        for path in sorted(model.parent.iterdir())
        if path.is_file() and path.name.upper().startswith(names)
    )
