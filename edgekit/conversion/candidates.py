"""A candidate: one way of making an artifact for one runtime of a target, or the reason why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.catalog_schema import Converter, Target, TargetRuntime, Variant
from edgekit.vocabulary import ArtifactFormat, Precision

MIXED = "mixed"
"""Said of an int8 candidate with layers in float, or products in 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One converter of a chain, and which of its variants."""

    converter: Converter
    variant: Variant

    @property
    def emits(self) -> ArtifactFormat:
        return self.variant.emits or self.converter.emits


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A chain of converters whose last one makes what ``runtime`` runs."""

    target: Target
    runtime: TargetRuntime
    chain: tuple[Link, ...]
    """Empty only where nothing can be built for the runtime yet."""
    reason: str | None = None
    """Why it is not built; None: it is."""
    in_reserve: bool = False
    """Given up for its time alone, by prediction: it is built after all where nothing else holds."""
    rescues: int = 0
    """Further candidates that may be made of it where it loses too much, at most."""
    kept_float: tuple[str, ...] = ()
    """Source nodes that stay in float to rescue it."""
    wide_products: bool = False
    """Products and sums that edgekit's graph has in float compute in 16 bits to rescue it, where there is no float."""

    @property
    def converter(self) -> str:
        """Id of the converter that makes the artifact; the runtime's where none can."""
        return self.chain[-1].converter.id if self.chain else self.runtime.id

    @property
    def variant(self) -> str:
        """The names of the chain's variants that have one, and whether some of it is not in int8."""
        names = [link.variant.name for link in self.chain if link.variant.name]
        return " ".join([*names, MIXED] if self.kept_float or self.wide_products else names)

    @property
    def quantizer(self) -> Link:
        """The converter that quantizes; the last one where none of the chain does."""
        quantizing = (link for link in self.chain if link.variant.quantized_by in ("edgekit", "tool"))
        return next(quantizing, self.chain[-1])

    @property
    def integers_alone(self) -> bool:
        """Whether what it is made for computes in integers alone: an NPU, whose compiler takes quantized files only."""
        return any(link.variant.quantized_by == "source" for link in self.chain)

    @property
    def precision(self) -> Precision | None:
        return self.chain[-1].variant.precision if self.chain else None

    @property
    def way(self) -> str:
        """The converters in order, for people: ``onnx2tf > litert``."""
        return " > ".join(link.converter.id for link in self.chain) or self.runtime.id

    @property
    def label(self) -> str:
        """What tells it from its neighbours: ``openvino int8 nncf``."""
        return " ".join(part for part in (self.converter, self.precision or "", self.variant) if part)

    def keeping(self, names: tuple[str, ...]) -> Candidate:
        """The same with the nodes ``names`` in float."""
        return replace(self, kept_float=names)

    def widened(self) -> Candidate:
        """The same with products and sums in 16 bits."""
        return replace(self, wide_products=True)

    def reopened(self) -> Candidate:
        """The same, to be built after all."""
        return replace(self, reason=None, in_reserve=False)

    def without(self, reason: str) -> Candidate:
        """The same, given up for ``reason``."""
        return replace(self, reason=reason)
