"""The protocol as another program sees it: JSON lines in and out, and nothing else on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.vocabulary import ArtifactFormat, RuntimeId
from tests.runner.bundles import answer, conv_net, image, onnx_bundle
from tests.runner.test_standalone import RUNNER


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return onnx_bundle(tmp_path / "bundle")


def test_answers_each_request_with_a_line(bundle: Path) -> None:
    lines = _talk(
        bundle, [{"op": "load"}, {"op": "golden"}, {"op": "run", "runs": 3, "warmup": 1}, {"op": "quit"}]
    )
    ready, load, golden, run, bye = lines
    assert ready["event"] == "ready"
    assert load["ok"]
    assert load["load_ms"] > 0
    assert golden["reproduced"]
    assert len(run["samples_ms"]) == len(run["cpu_ms"]) == 3
    assert bye == {"ok": True}


def test_ready_states_the_conditions(bundle: Path) -> None:
    context = _talk(bundle, [])[0]["context"]
    assert {"cpu", "isa_features", "cores", "threads", "governor", "load_average_1m", "kernel"} <= set(
        context
    )
    assert context["threads"] == 1
    assert context["runtime"] == "onnxruntime"


def test_finishes_what_was_asked_before_the_input_ended(bundle: Path) -> None:
    """``echo '{"op": "load"}' | python -m runner serve BUNDLE`` gets its answer."""
    assert len(_talk(bundle, [{"op": "load"}, {"op": "run", "runs": 20}])) == 3


def test_a_bad_request_is_answered_and_the_next_one_served(bundle: Path) -> None:
    lines = _talk(bundle, ["nonsense", [1], {"op": "fly"}, {"op": "run", "runs": 1}, {"op": "load"}])
    assert [line["ok"] for line in lines[1:]] == [False, False, False, False, True]
    assert "known: load, golden" in lines[3]["error"]
    assert lines[4]["error"] == "load first"


def test_infers_in_the_source_models_names(bundle: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", image=image())
    out = tmp_path / "out"
    out.mkdir()
    request = {"op": "infer", "inputs": [str(tmp_path / "a.npz")], "out": str(out)}
    reply = _talk(bundle, [{"op": "load"}, request])[2]
    with np.load(reply["outputs"][0]) as arrays:
        # the same runtime on the same machine; only the thread count may change the order of sums
        np.testing.assert_allclose(
            arrays["scores"], answer(conv_net(), {"image": image()})["scores"], rtol=1e-5
        )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"picture": np.zeros(3)}, "inputs missing: image; given: picture"),
        (
            {"image": np.zeros((1, 3, 8, 8), np.float32)},
            "shape (1, 3, 8, 8), the artifact takes (1, 3, 32, 32)",
        ),
    ],
)
def test_names_the_input_that_does_not_fit(
    bundle: Path, tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    request = {"op": "infer", "inputs": [str(tmp_path / "a.npz")], "out": str(tmp_path)}
    assert message in _talk(bundle, [{"op": "load"}, request])[2]["error"]


@pytest.mark.parametrize(
    ("name", "format_", "runtime"),
    [("model.onnx", "onnx", "onnxruntime"), ("model.xml", "openvino-ir", "openvino")],
)
def test_an_unreadable_artifact_is_one_line(
    tmp_path: Path, name: str, format_: ArtifactFormat, runtime: RuntimeId
) -> None:
    from tests.runner.bundles import seal

    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_bytes(b"no model")
    feeds = {"image": image()}
    bundle = seal(tmp_path / "b", name, format_, runtime, feeds, {"scores": image()})
    reply = _talk(bundle, [{"op": "load"}])[1]
    assert reply["ok"] is False
    assert f"does not open {name}: " in reply["error"]
    assert "\n" not in reply["error"].strip()
    assert "Exception from" not in reply["error"], "places in OpenVINO's source"


def test_a_bundle_without_manifest_is_one_line(tmp_path: Path) -> None:
    lines = _talk(tmp_path, [])
    assert lines == [
        {"ok": False, "error": f"{tmp_path}/manifest.json: cannot be read: No such file or directory"}
    ]


def _talk(bundle: Path, requests: list[Any]) -> list[dict[str, Any]]:
    """Send all requests at once, close the input, and parse every line of stdout."""
    text = "".join(
        (request if isinstance(request, str) else json.dumps(request)) + "\n" for request in requests
    )
    done = subprocess.run(
        [sys.executable, "-m", "runner", "serve", str(bundle)],
        cwd=RUNNER.parent,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
