"""A real network on its way to each Ethos-U: GhostNet, from ONNX to bundles that verify and foretell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.bundles import Bundle, read_bundle
from edgekit.bundles.golden import read_tensors
from edgekit.cli.main import app
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.prediction import Prediction
from tests.bundles.test_contents import run_readme
from tests.converters.steps import load_converter, need_environment

GHOSTNET = Path(__file__).parents[2] / "examples" / "ghostnet" / "ghostnet.onnx"
TARGETS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    for name in ("onnx2tf", "ethos-u"):
        need_environment(load_converter(name))
    out = tmp_path_factory.mktemp("out")
    found = convert(Order(model=GHOSTNET, targets=TARGETS, out=out, effort="fast", samples=16, threads=2))
    assert not found.without
    return {bundle.target: read_bundle(bundle.path) for bundle in found.bundles}


def foretold(bundle: Bundle) -> Prediction:
    assert bundle.manifest.prediction is not None
    return bundle.manifest.prediction


@pytest.mark.parametrize("target", TARGETS)
def test_all_of_it_runs_on_the_npu(target: str, bundles: dict[str, Bundle]) -> None:
    manifest, found = bundles[target].manifest, foretold(bundles[target])
    assert (found.accelerator, found.npu_macs_share, found.cpu_operators) == (target, 1.0, ())
    tools = [step.tool for step in manifest.steps]
    assert tools[-4:] == ["pass integer-io", "pass integer-clamp", "pass channels-last-mean", "ethos-u-vela"]
    assert manifest.timing is None
    assert manifest.fidelity is not None
    # int8 of this network: 25 dB and more on these images; other roundings would show as less
    assert manifest.fidelity.sqnr_db > 20
    # two sets of reference kernels: the same, but for a rounding in the last place
    (compared,) = (note for note in manifest.notes if "tflite-micro" in note and "answers 4 samples" in note)
    assert "bit for bit" in compared or "within 1 of int8's 256 steps" in compared
    # 4.3 M MACs on 128 a cycle take 34 k cycles at the very least; depthwise layers fill the array badly
    assert 34_000 < found.cycles < 3_000_000


@pytest.fixture(scope="module")
def wide(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same for the smallest, activations of 16 bits; calibrated and quantized by what ``bundles`` made."""
    out, target = tmp_path_factory.mktemp("wide"), TARGETS[0]
    order = Order(
        model=GHOSTNET,
        targets=(target,),
        out=out,
        effort="fast",
        samples=16,
        threads=2,
        precisions=("int16x8",),
    )
    (kept,) = convert(order).bundles
    return read_bundle(kept.path)


def test_activations_of_16_bits_are_nearer_and_cost_what_vela_says(
    wide: Bundle, bundles: dict[str, Bundle]
) -> None:
    narrow, manifest = bundles[TARGETS[0]].manifest, wide.manifest
    assert (narrow.artifact.precision, manifest.artifact.precision) == ("int8", "int16x8")
    assert manifest.fidelity is not None
    assert narrow.fidelity is not None
    # weights are the same: what is left is their rounding
    assert manifest.fidelity.sqnr_db > narrow.fidelity.sqnr_db
    found, before = foretold(wide), foretold(bundles[TARGETS[0]])
    assert (found.npu_macs_share, found.cpu_operators) == (1.0, ())
    assert before.cycles < found.cycles < 2 * before.cycles
    assert found.sram_bytes > 1.5 * before.sram_bytes
    (compared,) = (note for note in manifest.notes if "tflite-micro" in note and "answers 4 samples" in note)
    assert "bit for bit" in compared or "within 1 of int16's 65536 steps" in compared
    assert "artifact/reference.tflite" in run("verify", str(wide.path))


def test_larger_units_are_foretold_to_be_faster(bundles: dict[str, Bundle]) -> None:
    times = [foretold(bundles[target]).latency_ms for target in TARGETS]
    assert times == sorted(times, reverse=True)


def test_it_verifies_here_and_is_profiled_as_predicted(bundles: dict[str, Bundle]) -> None:
    path = str(bundles["ethos-u55-128"].path)
    verified = run("verify", path)
    assert "artifact/reference.tflite, what artifact/model.tflite was compiled from" in verified
    (taken,) = json.loads(run("profile", path, "--on", "predicted:ethos-u55-128", "--json"))["measurements"]
    assert (taken["kind"], taken["latency_ms"]) == ("predicted", None)
    assert taken["prediction"]["cycles"] == sum(item["cycles"] for item in taken["prediction"]["operators"])
    layers = json.loads(run("why", path, "--source", str(GHOSTNET), "--json"))
    spent = {layer["node"]: layer["ms"] for layer in layers["layers"]}
    assert layers["times"]["kind"] == "predicted"
    # Vela calls what it fuses by its last tensor; still, every convolution has time of its own
    assert min(spent.values()) > 0, spent
    refused = CliRunner().invoke(app, ["profile", path])
    assert refused.exit_code == 1


def test_the_readme_runs_what_was_verified(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["ethos-u85-256"]
    golden = read_tensors(bundle.folder / "golden.npz").outputs
    (logits,) = golden.values()
    assert run_readme(bundle.folder) == [pytest.approx(logits.ravel().tolist(), rel=1e-6)]
    text = (bundle.folder / "README.txt").read_text()
    assert "runs on ethos-u85-256 alone, in tflite-micro" in text
    assert "Predicted by ethos-u-vela" in text


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout
