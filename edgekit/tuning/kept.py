"""What artifacts answered, kept beside the trials: a run that goes on does not ask them again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundles.golden import GoldenTensors, read_tensors, write_tensors
from edgekit.bundles.manifest import Accuracy, Fidelity
from edgekit.conversion.answers import Verdict
from edgekit.conversion.places import writing
from edgekit.staging import move_into_place, staging_folder

Key = tuple[str, str, str]
"""Digest of an artifact, its runtime and its precision, as ``Yardstick.known`` has it."""
Known = tuple[Verdict, GoldenTensors, str]
_TENSORS, _VERDICT = "golden.npz", "verdict.json"


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """Verdicts and golden pairs below ``folder``, each whole or absent."""

    folder: Path

    def all(self) -> dict[Key, Known]:
        return dict(self._read()) if self.folder.is_dir() else {}

    def keep(self, found: Mapping[Key, Known]) -> None:
        """Write those down that are not here yet."""
        for key, known in found.items():
            place = self.folder / "-".join(key)
            if not place.exists():
                with writing(self.folder):
                    self._write(place, key, known)

    def _write(self, place: Path, key: Key, known: Known) -> None:
        verdict, golden, prediction = known
        facts = {
            "key": key,
            "fidelity": verdict.fidelity.model_dump(mode="json"),
            "accuracy": verdict.accuracy.model_dump(mode="json") if verdict.accuracy else None,
            "reason": verdict.reason,
            "prediction": prediction,
        }
        with staging_folder(self.folder) as staging:
            made = staging / "answers"
            made.mkdir()
            write_tensors(golden, made / _TENSORS)
            (made / _VERDICT).write_text(json.dumps(facts), encoding="utf-8")
            move_into_place(made, place)

    def _read(self) -> Iterator[tuple[Key, Known]]:
        for path in sorted(self.folder.glob(f"*/{_VERDICT}")):
            facts: dict[str, Any] = json.loads(path.read_bytes())
            digest, runtime, precision = facts["key"]
            accuracy = facts["accuracy"]
            verdict = Verdict(
                fidelity=Fidelity.model_validate(facts["fidelity"]),
                accuracy=Accuracy.model_validate(accuracy) if accuracy else None,
                reason=facts["reason"],
            )
            golden = read_tensors(path.with_name(_TENSORS))
            yield (digest, runtime, precision), (verdict, golden, facts["prediction"])
