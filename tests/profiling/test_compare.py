"""Compare what a user names: bundles now, in turn; files of earlier measurements; one of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from edgekit.devices import LocalDevice
from edgekit.errors import EdgekitError
from edgekit.profiling import Extent, profile
from edgekit.profiling.compare import compare, read_measurement
from edgekit.profiling.gates import check_gates, parse_gate
from edgekit.reports import read_evidence
from tests.runner.bundles import conv_net, onnx_bundle

LAYERS, SIZE = 4, 48


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("compare") / "net", _net(LAYERS))


@pytest.fixture(scope="module")
def heavier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four times as many convolutions: more than four times the work."""
    return onnx_bundle(tmp_path_factory.mktemp("compare") / "heavier", _net(4 * LAYERS))


@pytest.mark.slow
def test_the_same_bundle_is_no_different(net: Path) -> None:
    """Timings are no part of the tests: whether 5 % are found is tested on seeded data in ``test_live.py``.

    Only that real processes are compared in turn is seen here, with a margin that no neighbour reaches: a gate of
    half as much again must not fail, and memory, which is no timing, must agree.
    """
    comparison = compare(str(net), str(net), LocalDevice(), threads=1, duration_s=4)
    assert comparison.how == "interleaved"
    assert check_gates([parse_gate("p50>+50%")], comparison)[0].status != "failed"
    assert check_gates([parse_gate("memory>+3%")], comparison)[0].status == "passed"


@pytest.mark.slow
def test_several_times_the_work_is_found(net: Path, heavier: Path) -> None:
    """The right way round, too: four times the work takes longer on whatever machine."""
    comparison = compare(str(net), str(heavier), LocalDevice(), threads=1, duration_s=4)
    metric = comparison.metric("p50")
    assert metric is not None
    assert comparison.verdict == "worse", metric
    assert check_gates([parse_gate("p50>+50%")], comparison)[0].status == "failed", metric


def test_reads_what_profile_wrote(net: Path, tmp_path: Path) -> None:
    first = _stored(net, tmp_path / "first.json")
    second = _stored(net, tmp_path / "second.json")
    comparison = compare(str(first), str(second), LocalDevice(), threads=1, duration_s=1)
    assert comparison.how == "stored"
    assert {metric.name for metric in comparison.metrics} == {"p50", "p90", "p99", "cold_start", "memory"}
    assert comparison.facts()["verdict"] in ("same", "better", "worse")


def test_a_file_against_a_bundle_measures_the_bundle_now(net: Path, tmp_path: Path) -> None:
    first = _stored(net, tmp_path / "first.json")
    comparison = compare(str(first), str(net), LocalDevice(), threads=1, duration_s=0.5)
    assert (comparison.how, comparison.b) == ("stored", "net")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a file that `edgekit profile -o` writes"),
        ("[" * 100_000, "not a file that `edgekit profile -o` writes"),
        ("[]", "not a file that `edgekit profile -o` writes. Make one with"),
        ('{"a": 1}', "not a file that `edgekit profile -o` writes. Make one with"),
        ('{"measurements": 1}', "not a file that `edgekit profile -o` writes. Make one with"),
        ('{"measurements": []}', "compare takes files with one measurement"),
        ('{"measurements": [{"bundl": 1}]}', "bundl: unknown key; did you mean 'bundle'"),
    ],
)
def test_a_broken_file_is_one_clear_error(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(EdgekitError, match=message) as caught:
        read_measurement(path)
    assert str(path) in str(caught.value)
    if "compare takes" not in message:
        with pytest.raises(EdgekitError) as by_report:
            read_evidence([path])
        assert str(by_report.value) == str(caught.value)


def test_an_absent_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match=r"absent\.json: cannot be read: No such file"):
        read_measurement(tmp_path / "absent.json")


def test_the_commands(net: Path, tmp_path: Path) -> None:
    """``profile`` writes what ``compare`` reads; a failed gate is exit 1, with the facts still on stdout."""
    out = tmp_path / "net.json"
    profiled = _edgekit("profile", str(net), "--runs", "20", "-o", str(out), "--json")
    assert profiled.returncode == 0, profiled.stderr
    facts = json.loads(profiled.stdout)
    assert facts == json.loads(out.read_text())
    assert {"p50", "p90", "p99", "mean", "samples", "ci_low", "ci_high"} <= set(
        facts["measurements"][0]["latency_ms"]
    )
    gates = ["--fail-if", "p50>1us", "--fail-if", "memory>+90%", "--junit", str(tmp_path / "gates.xml")]
    compared = _edgekit("compare", str(out), str(out), "--json", *gates)
    assert compared.returncode == 1
    assert [gate["status"] for gate in json.loads(compared.stdout)["gates"]] == ["failed", "passed"]
    assert "gate failed: p50>1us" in compared.stderr
    assert (tmp_path / "gates.xml").is_file()


def test_the_tables_fit_eighty_columns(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.json"
    profiled = _edgekit("profile", str(net), "--runs", "20", "-o", str(out))
    compared = _edgekit("compare", str(out), str(out))
    assert compared.returncode == 0, compared.stderr
    assert "B is no different from A" in compared.stdout
    assert max(map(len, (profiled.stdout + compared.stdout).splitlines())) <= 80


def _net(layers: int) -> onnx.ModelProto:
    return conv_net(channels=48, layers=layers, size=SIZE)


def _stored(bundle: Path, path: Path) -> Path:
    taken = profile(bundle, LocalDevice(), extent=Extent(runs=30, processes=2))
    path.write_text(json.dumps({"measurements": [taken.model_dump(mode="json", by_alias=True)]}))
    return path


def _edgekit(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from edgekit.cli.main import main; main()", *arguments]
    environment = {**os.environ, "COLUMNS": "80"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
