"""Compare a finished bundle with its source model once more, as ``verify --model`` asks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundles import Bundle
from edgekit.bundles.checks import Check
from edgekit.contracts.hysteresis import SCORE_BAND
from edgekit.conversion.answers import ask, compare
from edgekit.conversion.order import Intake, Order, take_in
from edgekit.conversion.samples import Evaluation
from edgekit.conversion.trial import make_yardstick, source_answers
from edgekit.data import Sample, Samples, read_raw
from edgekit.errors import BundleError, ContractError, DeviceError
from edgekit.staging import Scratch

if TYPE_CHECKING:
    from edgekit.devices import Device

NAME = "source"


def compare_with_source(
    bundle: Bundle, model: Path, evaluation: Path | None, device: Device, *, threads: int
) -> Check:
    """Is ``model`` what the bundle was made from, and does the artifact still answer like it?

    On ``evaluation``, else on the bundle's golden sample. ModelError or DataError for files that cannot be read.
    """
    manifest = bundle.manifest
    order = Order(
        model=model,
        targets=(),
        out=Path(),
        contract=bundle.folder / manifest.contract,
        shapes=manifest.model.shapes,
        evaluation=evaluation,
    )
    intake = take_in(order)
    if intake.model.sha256 != manifest.model.sha256:
        return Check(NAME, False, f"{model} is not the model this bundle was made from: other content")
    if intake.evaluation.random:
        intake = replace(intake, evaluation=_golden_evaluation(bundle))
    try:
        return _compared(bundle, intake, device, threads)
    except (DeviceError, ContractError) as error:
        return Check(NAME, False, str(error))


def _compared(bundle: Bundle, intake: Intake, device: Device, threads: int) -> Check:
    artifact = bundle.manifest.artifact
    with Scratch("verify") as work:
        yardstick = make_yardstick(intake, device, work, threads=threads)
        answers = ask(bundle.folder, yardstick.inputs, intake.contract, device, threads=threads)
        precision = "fp32" if intake.model.quantized else artifact.precision
        source = source_answers(yardstick, bundle.manifest)
        verdict = compare(source, answers, intake.contract, intake.evaluation, precision)
    if verdict.reason:
        return Check(NAME, False, f"on {intake.evaluation.data}: {verdict.reason}")
    figures = verdict.fidelity
    words = (
        f"SQNR {figures.sqnr_db:.1f} dB, worst cosine {figures.cosine:.4f}, agreement {figures.agreement:.1%}"
    )
    if figures.hysteresis_agreement is not None:
        words += f" ({figures.hysteresis_agreement:.1%} where scores up to {SCORE_BAND} below the threshold count as found)"
    if verdict.accuracy:
        words += f", {verdict.accuracy.metric} {verdict.accuracy.artifact:.1%} (source {verdict.accuracy.source:.1%})"
    return Check(NAME, True, f"answers like {intake.model.name} on {figures.data}: {words}")


def _golden_evaluation(bundle: Bundle) -> Evaluation:
    """The one sample that the bundle brings along."""
    golden = bundle.manifest.golden
    if golden is None:
        raise BundleError(f"{bundle.path}: has no golden sample to compare on; give samples with --eval")
    sample = Sample(golden.sample, partial(read_raw, bundle.folder / golden.sample))
    return Evaluation(samples=Samples(golden.sample, (sample,)), data="the bundle's golden sample")
