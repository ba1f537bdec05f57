"""What ``convert`` comes back with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles.manifest import Dropped, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBundle:
    """One bundle that was written."""

    target: str
    path: Path
    manifest: Manifest
    reason: str
    """Why this candidate was kept."""
    size_bytes: int
    """Of the artifact."""

    def facts(self) -> dict[str, Any]:
        timing, accuracy, fidelity = self.manifest.timing, self.manifest.accuracy, self.manifest.fidelity
        return {
            "target": self.target,
            "path": str(self.path),
            "converter": self.manifest.converter,
            "variant": self.manifest.variant,
            "precision": self.manifest.artifact.precision,
            "latency_ms": {"p50": timing.p50_ms} if timing else None,
            "source_latency_ms": {"p50": timing.source_p50_ms} if timing else None,
            "timing": timing.model_dump(mode="json") if timing else None,
            "prediction": self.manifest.prediction.model_dump(mode="json")
            if self.manifest.prediction
            else None,
            "fidelity": fidelity.model_dump(mode="json") if fidelity else None,
            "accuracy": accuracy.model_dump(mode="json") if accuracy else None,
            "isa": self.manifest.isa.model_dump(mode="json") if self.manifest.isa else None,
            "size_bytes": self.size_bytes,
            "reason": self.reason,
            "notes": list(self.manifest.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """All bundles of one ``convert``, and everything that did not become one."""

    bundles: tuple[KeptBundle, ...]
    dropped: tuple[Dropped, ...]
    """Pruned, failed or not good enough."""
    beaten: tuple[Dropped, ...]
    """Good enough, but another one was better."""
    without: tuple[tuple[str, str], ...]
    """Target that got no bundle, and why."""
    reused_steps: int
    made_steps: int
    data: str
    """What fidelity and accuracy were taken on."""
    notes: tuple[str, ...]
    """What was taken although the user did not name it, and what is known of int8 answers on the targets."""

    def facts(self) -> dict[str, Any]:
        """As ``convert --json`` prints it."""
        return {
            "bundles": [bundle.facts() for bundle in self.bundles],
            "dropped": [entry.model_dump(mode="json") for entry in (*self.dropped, *self.beaten)],
            "without_bundle": [{"target": target, "reason": reason} for target, reason in self.without],
            "reused_steps": self.reused_steps,
            "made_steps": self.made_steps,
            "data": self.data,
            "notes": list(self.notes),
        }
