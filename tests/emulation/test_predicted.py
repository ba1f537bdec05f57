"""A real model predicted from the counts of its true runtime on an emulated core, with constants of the board."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.catalog import load_catalog
from edgekit.profiling.record import Instructions
from edgekit.simulation.count_predict import predict_counts
from tests.emulation.making import zoo_bundle

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.network,
    pytest.mark.slow,
    # once fell back on the graph where other tests ran beside it
    pytest.mark.alone,
    pytest.mark.usefixtures("emulation"),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]


def profiled(bundle: Path, device: str, *more: str) -> dict[str, Any]:
    main = "from edgekit.cli.main import main; main()"
    command = [sys.executable, "-c", main, "profile", str(bundle), "--on", device, *more, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)["measurements"]
    return dict(found) | {"said": done.stderr}


def test_a_model_is_predicted_from_its_instructions_and_misses(tmp_path: Path) -> None:
    bundle = zoo_bundle("efficientnet-lite0", "raspberry-pi-4", "litert", "int8", tmp_path / "made").path
    found = profiled(bundle, "predicted:raspberry-pi-4")
    estimate, counted = found["estimate"], found["instructions"]
    assert (found["kind"], found["latency_ms"], estimate["level"]) == ("predicted", None, "emulation"), found[
        "said"
    ]
    assert estimate["emulated"].startswith("litert")
    assert estimate["outside"] == []
    assert 100e6 < counted["total"] < 200e6  # 140 M stand in docs/emulation.md
    (speed,) = (
        item
        for item in load_catalog().profile("raspberry-pi-4").counted_speeds
        if (item.runtime, item.threads) == (estimate["runtime"], 1)
    )
    again = predict_counts(speed, "litert", Instructions.model_validate(counted))
    assert estimate["latency_ms"] == again.latency_ms.p50
    assert estimate["low_ms"] < estimate["latency_ms"] < estimate["high_ms"]
    # an A72 at 1.8 GHz: no emulated second, which would be a hundred times as long, is in it
    assert 0.5 < counted["total"] / 1.8e6 / estimate["latency_ms"] < 2, "instructions per cycle"
    assert found["memory_bytes"]["peak"] == estimate["ram_bytes"]
    assert (found["context"]["cores"], found["context"]["threads"]) == (4, 1)

    graph = profiled(bundle, "predicted:raspberry-pi-4?from=graph")
    assert graph["estimate"]["level"] == "graph"
    four = profiled(bundle, "predicted:raspberry-pi-4", "--threads", "4")["estimate"]
    assert (four["level"], four["threads"]) == ("emulation", 4)
    assert four["latency_ms"] < estimate["latency_ms"]
