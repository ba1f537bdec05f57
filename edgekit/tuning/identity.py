"""What measured trials depend on; where any of it changes, a search begins anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import __version__
from edgekit.bundles.golden import TENSORS
from edgekit.conversion.cache import Key, digest
from edgekit.conversion.keys import code_sha256, package_versions, tool_versions
from edgekit.digest import digests, tree_sha256
from edgekit.host import detect

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Target
    from edgekit.conversion.candidates import Candidate
    from edgekit.conversion.trial import Yardstick
    from edgekit.conversion.workshop import Workshop

SCHEMA = 1
"""Of the records in the journal."""
_ENGINE = Path(__file__).parents[1]
_ROOMS = ("models", "quantization", "runner")
_RUNTIMES = ("onnxruntime", "openvino", "ai_edge_litert", "numpy")


def search_id(
    catalog: Catalog,
    target: Target,
    plan: tuple[Candidate, ...],
    workshop: Workshop,
    yardstick: Yardstick,
    *,
    threads: int,
) -> str:
    """The name of the search: model, data, contract, target, ways to it, effort, machine, code and tools.

    Limits, precisions asked for, the number of trials and the seed are not in it: they say which trials are wanted and
    what is done with them, not what these find.
    """
    ways = {link.converter.id: link.converter for candidate in plan for link in candidate.chain}
    samples = yardstick.intake.evaluation.samples
    machine = detect()
    key: Key = {
        "step": "tune",
        "schema": SCHEMA,
        "edgekit": __version__,
        "source": tree_sha256(digests(yardstick.bundle, without=(TENSORS,))),
        "inputs": [tree_sha256(digests(path.parent)) for path in yardstick.inputs.files[:1]],
        "labels": repr(samples.labels) if samples.labelled else None,
        "calibration": workshop.calibration.sha256 if workshop.calibration else None,
        "target": target.model_dump(mode="json"),
        "threads": threads,
        "candidates": [[candidate.way, candidate.label, candidate.runtime.id] for candidate in plan],
        "effort": workshop.effort,
        "machine": [machine.cpu, machine.threads],
        "code": [
            *(code_sha256(_ENGINE / room) for room in _ROOMS),
            *(code_sha256(catalog.converter_dir(name)) for name in ways),
        ],
        "tools": [package_versions(_RUNTIMES), *(tool_versions(converter) for converter in ways.values())],
    }
    return digest(key)
