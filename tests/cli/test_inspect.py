"""``edgekit inspect`` as a user types it: facts on stdout, one line on stderr where something is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.cli.running import edgekit
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.building import model, node, random, saved, untyped, value
from tests.models.hostile import CASES
from tests.models.tflite_building import tiny_tflite


def inspect(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run in an empty folder of its own, so that whatever is written there is seen."""
    cwd = folder / "cwd"
    cwd.mkdir()
    done = edgekit(cwd, "inspect", *words)
    assert list(cwd.iterdir()) == []
    return done


def facts(folder: Path, *words: str | Path, code: int = 0) -> Any:
    done = inspect(folder, *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_keys_scripts_rely_on(tmp_path: Path) -> None:
    found = facts(tmp_path, saved(tmp_path, tiny_cnn()), "-t", "host")
    assert found["macs"] == 256 * 40 * (27 + 9 + 40) + 400
    assert found["parameters"] == 40 * 28 + 360 + 41 * 40 + 410 + 2
    assert found["weights_bytes"] == 4 * found["parameters"]
    assert found["peak_activation_bytes"] == 3 * 40 * 256 * 4
    assert found["quantized"] is False
    assert found["operators"]["Conv"] == 3
    (target,) = found["targets"]
    assert (target["target"], target["runs"], target["refused"]) == ("host", True, [])
    assert set(target["runtimes"]) >= {"onnxruntime", "litert"}
    assert found["inputs"] == [{"name": "x", "shape": [1, 3, 16, 16], "dtype": "float32"}]
    assert [layer["macs"] for layer in found["layers"] if layer["op"] == "Gemm"] == [400]


def test_a_target_that_cannot_run_it_is_exit_1_with_the_table(tmp_path: Path) -> None:
    odd = helper.make_node("Frobnicate", ["x"], ["y"], "odd", domain="my.ops")
    path = saved(tmp_path, model([odd], [value("x", 1)], [untyped("y")], domains={"my.ops": 1}))
    found = facts(tmp_path, path, "-t", "host", code=1)
    rows = found["targets"][0]["refused"]
    assert {(row["node"], row["op"]) for row in rows} == {("odd", "my.ops::Frobnicate")}
    assert all("my.ops" in row["reason"] for row in rows)


def test_an_unknown_operator_without_a_target_is_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path, model([node("Reluu", "x", "y")], [value("x", 1)], [untyped("y")]))
    done = inspect(tmp_path, path, "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("did you mean Relu?")
    assert json.loads(done.stdout)["operators"] == {"Reluu": 1}


def test_free_dimensions_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    proto = model(
        [node("Conv", "x w", "y")],
        [value("x", "N", 3, "h", "w")],
        [untyped("y")],
        {"w": random((4, 3, 3, 3))},
    )
    path = saved(tmp_path, proto)
    done = inspect(tmp_path, path)
    assert done.returncode == 0
    assert "--shape 'x:1,3,H,W'" in " ".join(done.stderr.split())
    assert "unknown" in done.stdout


def test_given_shapes_are_used(tmp_path: Path) -> None:
    proto = model(
        [node("Conv", "x w", "y")],
        [value("x", "N", 3, "h", "w")],
        [untyped("y")],
        {"w": random((4, 3, 3, 3))},
    )
    assert facts(tmp_path, saved(tmp_path, proto), "--shape", "x:1,3,5,5")["macs"] == 9 * 4 * 27


def test_the_contract_beside_the_model_gives_the_shape(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "c"), node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "y")]
    proto = model(nodes, [value("x", "N", 3, "h", "w")], [untyped("y")], {"w": random((2, 3, 3, 3))})
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "contract.toml").write_text(
        'schema = 1\ntask = "image-classification"\n[[inputs]]\nkind = "image"\nname = "x"\nsize = [7, 7]\n'
        'resize = "stretch"\ncolor = "rgb"\nmean = [0, 0, 0]\nstd = [1, 1, 1]\nlayout = "nchw"\n'
        '[output]\nkind = "classes"\nname = "y"\nlabels = "labels.txt"\n'
    )
    path = saved(tmp_path, proto)
    assert facts(tmp_path, path)["inputs"][0]["shape"] == [1, 3, 7, 7]


@pytest.mark.parametrize("kind", ["cnn", "bert", "tflite"])
def test_text_fits_80_columns(tmp_path: Path, kind: str) -> None:
    if kind == "tflite":
        path = tmp_path / "m.tflite"
        path.write_bytes(tiny_tflite())
    else:
        path = saved(tmp_path, tiny_cnn() if kind == "cnn" else tiny_bert())
    done = inspect(tmp_path, path, "-t", "rk3588", "-t", "host")
    assert done.returncode == 0
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    if kind == "cnn":
        assert "Memory on rk3588, predicted: " in done.stdout
    assert "Slowest layers on rk3588, predicted" in done.stdout
    assert "Slowest layers on host" not in done.stdout
    for word in ("MACs", "parameters", "peak", "licence", "operators", "Heaviest layers", "host: runs on"):
        assert word in done.stdout


def test_a_quantized_model_is_recognised_and_said_so(tmp_path: Path) -> None:
    nodes = [node("DequantizeLinear", "q s", "w"), node("MatMul", "x w", "y")]
    proto = model(
        nodes, [value("x", 1, 8)], [untyped("y")], {"q": np.zeros((8, 8), np.int8), "s": np.float32(1)}
    )
    found = facts(tmp_path, saved(tmp_path, proto))
    assert found["quantized"] is True
    assert "weight-only" in found["quantization"]


@pytest.mark.parametrize(
    "name",
    [
        "empty",
        "truncated",
        "cycle",
        "absurd_input",
        "external_absolute",
    ],
)
def test_bad_files_end_in_one_clear_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path, words = CASES[name](folder)
    done = inspect(tmp_path, path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgekit: {path}")
    assert words in line


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--shape", "z:1,3"], "--shape names 'z'"), (["-t", "raspberry-pi-9"], "'raspberry-pi-9'")],
)
def test_other_mistakes_end_in_one_clear_line(tmp_path: Path, words: list[str], named: str) -> None:
    done = inspect(tmp_path, saved(tmp_path, tiny_cnn()), *words)
    assert done.returncode == 1
    assert named in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_unknown_ids_are_refused(tmp_path: Path) -> None:
    done = inspect(tmp_path, "efficientnet-lite9")
    assert done.returncode == 1
    assert "efficientnet-lite0" in done.stderr


def test_external_data_is_found_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / "m.onnx"
    onnx.save(tiny_bert(), path, save_as_external_data=True, location="w.bin", size_threshold=16)
    assert facts(tmp_path, path)["macs"] == 294_912


def test_peaks_stand_against_what_the_target_leaves(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_cnn())
    target = facts(tmp_path, path, "-t", "raspberry-pi-4")["targets"][0]
    found = {(item["runtime"], item["precision"]): item for item in target["memory"]}
    assert {
        ("litert", "fp32"),
        ("litert", "int8"),
        ("onnxruntime", "fp32"),
        ("openvino", "fp32"),
    } <= found.keys()
    for item in found.values():
        assert item["kind"] == "predicted"
        assert item["fits"]
        assert item["memory_bytes"]["high"] < item["usable_bytes"] == 4 * 2**30 * 3 // 4
        assert item["memory_bytes"]["measured_on"] == "aarch64, emulated"


def test_layers_that_dominate_the_predicted_time(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_cnn())
    target = facts(tmp_path, path, "-t", "raspberry-pi-4")["targets"][0]
    floats, integers = target["latency"]
    assert (floats["runtime"], floats["precision"], integers["precision"]) == ("tflite", "fp32", "int8")
    for found in (floats, integers):
        assert found["kind"] == "predicted"
        assert found["latency_ms"]["low"] < found["latency_ms"]["p50"] < found["latency_ms"]["high"]
        assert sum(layer["ms"] for layer in found["layers"]) == pytest.approx(found["latency_ms"]["p50"])
        assert sum(kind["share"] for kind in found["kinds"]) == pytest.approx(1)
        # far below a millisecond, where nothing was measured
        assert found["in_domain"] is False
        assert found["outside"]
    kinds = {layer["name"]: layer["what"] for layer in floats["layers"]}
    assert "depthwise" in kinds.values()
    assert {layer["bound"] for layer in floats["layers"]} <= {"arithmetic", "memory", "overhead"}


def test_no_peak_is_made_up_for_free_shapes(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], [value("x", 1, "length")], [value("y", 1, "length")])
    target = facts(tmp_path, saved(tmp_path, proto), "-t", "rk3588")["targets"][0]
    assert (target["memory"], target["latency"]) == ([], [])
