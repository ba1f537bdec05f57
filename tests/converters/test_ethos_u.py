"""The Ethos-U converter with its own tools: what moves to the NPU, what is predicted, and what is refused in one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.catalog import load_catalog
from edgekit.conversion.environments import environment_python
from edgekit.conversion.protocol import ConversionReply
from edgekit.conversion.workers import run_worker
from edgekit.errors import WorkerError
from tests.converters.ethos import FOLDER, kinds, module, read
from tests.converters.steps import load_converter, need_environment
from tests.converters.test_ethos_passes import CASES, Made, write
from tests.converters.tiny_tflite import FLOAT32, INT32, Builder

TARGETS = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
LEFT_ON_CPU = """
import json, sys, tempfile
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import vela
found = []
for path in sys.argv[3:]:
    with tempfile.TemporaryDirectory() as out:
        compiled = vela.compile_model(Path(path), vela.Hardware(**json.loads(sys.argv[2])), Path(out))
    found.append([row.name for row in compiled.rows if not row.on_npu])
print("FOUND", json.dumps(found))
"""


def hardware(target: str) -> dict[str, str]:
    return load_catalog().target(target).runtimes[0].build_options


def free_sides() -> Made:
    b = Builder()
    b.tensor("x", [1, 4, 4, 3], signature=[-1, 4, 4, 3])
    return b, [b.conv(0, "conv", 4)]


def in_float() -> Made:
    b = Builder()
    x, y = b.tensor("x", [1, 4], FLOAT32), b.tensor("y", [1, 2], FLOAT32)
    weights = b.tensor("weights", [2, 4], FLOAT32, data=np.ones((2, 4), np.float32))
    b.op("FULLY_CONNECTED", [x, weights, -1], [y], schema.FullyConnectedOptionsT())
    return b, [y]


def custom() -> Made:
    b = Builder()
    b.tensor("x", [1, 4, 4, 3])
    y = b.tensor("strange", [1, 4, 4, 4])
    b.op("CUSTOM", [b.conv(0, "conv", 4)], [y], custom="Strange")
    return b, [y]


def arg_max() -> Made:
    """Vela 5.2.0 reads a table of its own that lacks this operator's passes, for an Ethos-U55."""
    b = Builder()
    b.tensor("x", [1, 8, 8, 8])
    y = b.tensor("largest", [1, 8, 8], INT32)
    options = schema.ArgMaxOptionsT(outputType=schema.TensorType.INT32)
    b.op("ARG_MAX", [b.conv(0, "conv", 8), b.ints("axis", [3])], [y], options)
    return b, [y]


def nothing_for_the_npu() -> Made:
    b = Builder()
    x, y = b.tensor("x", [1, 8, 8, 8], scale=0.02, zero_point=-128), b.tensor("root", [1, 8, 8, 8])
    b.op("SQRT", [x], [y])
    return b, [y]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (free_sides, r"input 'x' has free sides \[-1, 4, 4, 3\].*export the model with fixed ones"),
        (in_float, r"computes in float, an Ethos-U in integers alone; quantize it first"),
        (custom, r"operator 'strange' is a custom one \(Strange\).*rewrite it"),
    ],
    ids=["free sides", "float", "custom operator"],
)
def test_what_cannot_be_compiled_is_one_line(make: object, line: str, tmp_path: Path) -> None:
    assert callable(make)
    graph = read(write(make(), tmp_path / "model.tflite"))
    with pytest.raises(ValueError, match=line):
        module("worker").check(graph)


def test_a_good_model_has_no_problem(tmp_path: Path) -> None:
    for name, (make, _) in CASES.items():
        module("worker").check(read(write(make(), tmp_path / f"{name}.tflite")))


@pytest.fixture(scope="module")
def python() -> Path:
    """The converter's own interpreter."""
    converter = load_converter("ethos-u")
    need_environment(converter)
    return environment_python(converter, FOLDER)


def converted(made: Made, folder: Path, target: str = "ethos-u55-128") -> ConversionReply:
    source, out = write(made, folder / "model.tflite"), folder / "out"
    out.mkdir()
    return run_worker(
        load_converter("ethos-u"),
        FOLDER,
        {
            "source": str(source),
            "io": None,
            "out_dir": str(out),
            "precision": "int8",
            "options": {**hardware(target)},
            "calibration": None,
            "task": "tensor",
            "threads": 1,
        },
        log=folder / "log",
    )


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_pass_moves_operators_to_the_npu(name: str, python: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    graph = read(write(CASES[name][0](), before))
    module("passes").PASSES[name].run(graph)
    after.write_bytes(graph.packed())
    command = [python, "-c", LEFT_ON_CPU, FOLDER, json.dumps(hardware("ethos-u55-128")), before, after]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    left = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))[6:])
    assert left[0], "without the pass something stays on the CPU"
    assert not left[1], "with it nothing does"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_figures_of_each_target(target: str, python: Path, tmp_path: Path) -> None:
    reply = converted(CASES["channels-last-mean"][0](), tmp_path, target)
    found = reply["prediction"]
    assert found["accelerator"] == target
    assert found["cycles"] == sum(item["cycles"] for item in found["operators"]) > 0
    assert found["latency_ms"] == pytest.approx(1000 * found["cycles"] / found["clock_hz"])
    # at least its largest activation; weights of 24 + 32 bytes and the NPU's commands
    assert found["sram_bytes"] >= 4 * 4 * 8
    assert found["flash_bytes"] + found["dram_bytes"] > 24 + 32
    assert found["macs"] == found["npu_macs"] == 4 * 4 * 8 * 3 + 8 * 4
    assert found["cpu_operators"] == []
    # TensorFlow Lite Micro holds at least input and first activation at once
    assert found["cpu_arena_bytes"] is not None
    assert found["cpu_arena_bytes"] > 4 * 4 * 3 + 4 * 4 * 8
    assert any("bit for bit" in note for note in reply["notes"])
    named = {item["name"] for item in found["operators"]}
    assert {"first", "mean", "second"} <= named, "each layer that takes time by its own name"


@pytest.mark.network
@pytest.mark.slow
def test_what_stays_on_the_cpu_is_listed_with_its_cost(python: Path, tmp_path: Path) -> None:
    b = Builder()
    b.tensor("x", [1, 8, 8, 8])
    y = b.tensor("blocks", [1, 4, 4, 32])
    b.op("SPACE_TO_DEPTH", [b.conv(0, "conv", 8)], [y], schema.SpaceToDepthOptionsT(blockSize=2))
    (left,) = converted((b, [y]), tmp_path)["prediction"]["cpu_operators"]
    assert (left["name"], left["op"], left["macs"]) == ("blocks", "SPACE_TO_DEPTH", 0)
    assert left["bytes_moved"] == 2 * 8 * 8 * 8
    assert left["reason"] == "Unsupported opType"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "line"),
    [
        (arg_max, r"Vela 5\.2\.0 fails \(KeyError: .*for ethos-u55-128, at ARG_MAX 'largest' \(1 before it"),
        (nothing_for_the_npu, r"places no operator .* SQRT 'root': Unsupported opType"),
    ],
    ids=["a graph that Vela fails on", "nothing for the NPU"],
)  # fmt: skip
def test_what_vela_cannot_do_is_one_line(make: object, line: str, python: Path, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(WorkerError, match=line) as caught:
        converted(make(), tmp_path)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.network
@pytest.mark.slow
def test_the_reference_is_the_rewritten_int8_model(python: Path, tmp_path: Path) -> None:
    made = CASES["integer-io"][0]()
    reply = converted(made, tmp_path)
    reference = read(tmp_path / "out" / reply["reference"]["artifact"])
    assert kinds(reference) == CASES["integer-io"][1]
    compiled = read(tmp_path / "out" / reply["artifact"])
    assert kinds(compiled) == ["ethos-u"]
    assert [tensor["source"] for tensor in reply["io"]["inputs"]] == ["x"]
    assert [tensor["dtype"] for tensor in reply["io"]["outputs"]] == ["int8"]
