"""Does an artifact answer like its source model? Figures first, then a verdict with its reason.

Converters write loadable files with wrong numbers and no error; nothing leaves edgekit without this gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgekit.vocabulary import Precision

Array = np.ndarray[Any, Any]
Outputs = Mapping[str, Array]

NOTHING_QUANTIZED = "nothing was quantized"
"""How the reason begins where a file merely calls itself quantized."""
CAP_DB = 200.0
"""SQNR of equal tensors, which would be infinite."""
UNDECIDED = 0.3
"""A sample's output this much shorter than the root mean square over all samples has no direction to lose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFidelity:
    """One output of the artifact against the source's, over all samples."""

    name: str
    sqnr_db: float
    """10 log10(sum source^2 / sum (source - artifact)^2) over all samples; within ±200. Of integers, between which there
    are no distances: of the share of elements that differ, as ``Grader`` has it."""
    cosine: float
    """Smallest cosine over the samples that have a direction (``UNDECIDED``); of integers the smallest share of equal
    elements."""
    equal: float
    """Share of exactly equal elements."""
    integer: bool = False
    problem: str | None = None
    """Why it cannot be compared: missing, another shape, not finite where the source is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """Artifact against source on the user's samples."""

    samples: int
    outputs: tuple[OutputFidelity, ...]
    agreement: float | None = None
    """Mean over the samples of how far the decoded answers agree; None where nothing was decoded."""

    @property
    def first(self) -> OutputFidelity:
        """The output whose figures stand for the artifact: the first that is not of integers."""
        return next((output for output in self.outputs if not output.integer), self.outputs[0])

    @property
    def sqnr_db(self) -> float:
        return self.first.sqnr_db

    @property
    def cosine(self) -> float:
        return self.first.cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an artifact of a precision must reach in every float output; below it is broken, not rounded."""

    sqnr_db: float
    cosine: float
    agreement: float


LIMITS: Mapping[Precision, Limits] = {
    # reordered float32 sums stay above 90 dB; bfloat16, which a runtime may take by itself, is at 20 to 25 dB
    "fp32": Limits(sqnr_db=60, cosine=0.9999, agreement=0.99),
    # 11 bits of mantissa give 35 dB through a deep network
    "fp16": Limits(sqnr_db=28, cosine=0.999, agreement=0.95),
    # Deep text recognition still reads at 10 dB; attention fed with a ruined range is below 4 dB.
    "int8": Limits(sqnr_db=7, cosine=0.8, agreement=0.8),
    # its weights are int8's: PP-OCRv4 recognition reads 98 % of the characters at 9.9 dB
    "int16x8": Limits(sqnr_db=7, cosine=0.8, agreement=0.8),
    "int8-dynamic": Limits(sqnr_db=7, cosine=0.8, agreement=0.8),
    # 8 bits a block leave 25 to 30 dB of MiniLM (worst cosine .997): static int8's limits would hide a fault
    "int8-weights": Limits(sqnr_db=18, cosine=0.98, agreement=0.9),
    # MiniLM: nearest rounding by blocks of 32 gives 13 dB and .95, by 64 symmetric .88; below 8 dB a unit vector's
    # cosine is under .92 on average, and sentences no longer find their neighbours
    "int4-weights": Limits(sqnr_db=8, cosine=0.88, agreement=0.8),
}

_STORED_AS: Mapping[Precision, frozenset[str]] = {
    "fp16": frozenset({"float16"}),
    "int8": frozenset({"int8", "uint8", "int4", "uint4"}),
    "int16x8": frozenset({"int8"}),
    "int8-dynamic": frozenset({"int8", "uint8", "int4", "uint4"}),
    "int8-weights": frozenset({"int8", "uint8"}),
    "int4-weights": frozenset({"int4", "uint4"}),
}


def fidelity(
    source: Sequence[Outputs], artifact: Sequence[Outputs], *, agreements: Sequence[float] | None = None
) -> Fidelity:
    """Compare what the source and the artifact answered to the same samples, both in the source's names.

    ``agreements``: of each sample, how far the decoded answers agree (0 to 1). Only outputs of ``source`` count.
    """
    if not source or len(source) != len(artifact):
        raise ValueError(f"{len(source)} answers of the source, {len(artifact)} of the artifact")
    outputs = tuple(_compare(name, source, artifact) for name in source[0])
    mean = None if agreements is None else float(np.mean(agreements))
    return Fidelity(samples=len(source), outputs=outputs, agreement=mean)


def judge(
    found: Fidelity,
    precision: Precision,
    *,
    weights: Mapping[str, int] | None = None,
    limits: Limits | None = None,
) -> str | None:
    """Return why the artifact must not be handed out, or None.

    ``weights``: stored weight elements by dtype (:func:`edgekit.conversion.weights.stored_weights`), against files
    that were "quantized" without a single quantized weight.
    """
    limits = limits or LIMITS[precision]
    reasons = [
        _unquantized(weights, precision),
        *(_too_far(output, precision, limits) for output in found.outputs),
    ]
    if found.agreement is not None and found.agreement < limits.agreement:
        reasons.append(f"answers agree on {found.agreement:.1%}, {precision} needs {limits.agreement:.0%}")
    return "; ".join(reason for reason in reasons if reason) or None


def _compare(name: str, source: Sequence[Outputs], artifact: Sequence[Outputs]) -> OutputFidelity:
    problems = (_problem(name, ours, theirs) for ours, theirs in zip(source, artifact, strict=True))
    problem = next((found for found in problems if found), None)
    integer = source[0][name].dtype.kind in "iub"
    if problem is not None:
        return OutputFidelity(
            name=name, sqnr_db=-CAP_DB, cosine=-1.0, equal=0.0, integer=integer, problem=problem
        )
    pairs = [_finite_pair(ours[name], theirs[name]) for ours, theirs in zip(source, artifact, strict=True)]
    same = [a == b for a, b in pairs]
    equal = float(np.mean(np.concatenate(same)))
    return OutputFidelity(
        name=name,
        sqnr_db=_wrong_db(1 - equal) if integer else _sqnr_db(pairs),
        cosine=min(float(np.mean(one)) for one in same) if integer else _worst_cosine(pairs),
        equal=equal,
        integer=integer,
    )


def _problem(name: str, ours: Outputs, theirs: Outputs) -> str | None:
    if name not in theirs:
        return "is missing"
    a, b = ours[name], theirs[name]
    if a.shape != b.shape:
        return f"has shape {list(b.shape)}, {list(a.shape)} in the source"
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return (
            "is not finite where the source is"
            if not np.isfinite(b).all()
            else "is finite where the source is not"
        )
    return None


def _finite_pair(a: Array, b: Array) -> tuple[Array, Array]:
    """Both flat and in double precision, without the elements that are infinite or no number in both."""
    finite = np.isfinite(a)
    return a[finite].astype(np.float64), b[finite].astype(np.float64)


def _sqnr_db(pairs: Sequence[tuple[Array, Array]]) -> float:
    signal = sum(float(a @ a) for a, _ in pairs)
    noise = sum(float((a - b) @ (a - b)) for a, b in pairs)
    if noise == 0.0:
        return CAP_DB
    return float(np.clip(10 * np.log10(signal / noise), -CAP_DB, CAP_DB)) if signal else -CAP_DB


def _wrong_db(share: float) -> float:
    return min(CAP_DB, -10 * float(np.log10(share))) if share > 0 else CAP_DB


def _worst_cosine(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Smallest cosine over the samples whose answer is not far shorter than usual.

    Two logits of an undecided sample lie near zero: noise that no other sample feels turns their direction round.
    Their error still counts in the SQNR, and a changed decision in the agreement.
    """
    lengths = np.array([np.linalg.norm(a) for a, _ in pairs])
    usual = float(np.sqrt(np.mean(lengths**2)))
    return min(
        _cosine(a, b) for (a, b), length in zip(pairs, lengths, strict=True) if length >= UNDECIDED * usual
    )


def _cosine(a: Array, b: Array) -> float:
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0.0:
        return float(np.array_equal(a, b))
    return min(1.0, float(a @ b) / lengths)


def _unquantized(weights: Mapping[str, int] | None, precision: Precision) -> str | None:
    wanted = _STORED_AS.get(precision)
    if weights is None or wanted is None or any(weights[dtype] for dtype in wanted & weights.keys()):
        return None
    kind = precision.removesuffix("-dynamic").removesuffix("-weights")
    return f"{NOTHING_QUANTIZED}: no weight is stored as {kind}"


def _too_far(output: OutputFidelity, precision: Precision, limits: Limits) -> str | None:
    if output.problem is not None:
        return f"output '{output.name}' {output.problem}"
    if output.integer:  # indices and labels: whether they are right shows in the decoded answers
        return None
    figures = [
        (output.sqnr_db >= limits.sqnr_db, f"SQNR {output.sqnr_db:.1f} dB", f"{limits.sqnr_db:.0f} dB"),
        (output.cosine >= limits.cosine, f"worst cosine {output.cosine:.4f}", f"{limits.cosine}"),
    ]
    missed = [f"{figure}, {precision} needs {least}" for enough, figure, least in figures if not enough]
    held = "".join(f" ({figure} is enough)" for enough, figure, _ in figures if enough)
    return f"output '{output.name}': {', and '.join(missed)}{held}" if missed else None
