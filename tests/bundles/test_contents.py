"""What stands in a bundle beside the artifact: a README whose code runs, a bill of materials, the licence."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edgekit.bundles import read_bundle
from edgekit.bundles.golden import read_tensors
from edgekit.bundles.manifest import Manifest
from edgekit.bundles.write import LICENCE, write_manifest
from edgekit.digest import sha256_of
from tests.bundles.making import make_bundle


def run_readme(bundle: Path) -> object:
    """Run the code of README.txt in the bundle, where edgekit is not imported; its first output."""
    lines = (bundle / "README.txt").read_text().splitlines()
    code = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
    code += "\nvalues = list(outputs.values()) if hasattr(outputs, 'values') else outputs\n"
    code += "print(np.asarray(values[0]).tolist())\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        cwd=bundle,
        check=False,
        env={"ORT_DISABLE_TELEMETRY": "1"},
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("runtime", "format_"), [("onnxruntime", "onnx"), ("openvino", "openvino-ir")])
def test_the_code_of_the_readme_runs_without_edgekit(runtime: str, format_: str, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, runtime=runtime, format_=format_)
    golden = read_tensors(bundle / "golden.npz").outputs["y"]
    assert run_readme(bundle) == [pytest.approx(golden.ravel().tolist(), rel=1e-3)]


def test_the_bill_of_materials_names_model_artifact_runtime_and_tools(bundle: Path) -> None:
    bill = json.loads((bundle / "sbom.cdx.json").read_text())
    manifest = read_bundle(bundle).manifest
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert parts["model"]["hashes"] == [{"alg": "SHA-256", "content": manifest.model.sha256}]
    artifact = parts["file:artifact/model.onnx"]
    assert artifact["hashes"][0]["content"] == sha256_of(bundle / "artifact" / "model.onnx")
    assert parts["runtime"]["name"] == "onnxruntime"
    assert parts["runtime"]["version"]
    tools = {tool["name"] for tool in bill["metadata"]["tools"]["components"]}
    assert {"edgekit", "onnxruntime"} <= tools
    refs = {dependency["ref"] for dependency in bill["dependencies"]}
    assert refs <= {"bundle", *parts}


def test_an_unknown_licence_is_said_to_be_unknown(bundle: Path) -> None:
    assert read_bundle(bundle).manifest.licence is None
    assert "No licence is stated" in (bundle / LICENCE).read_text()


def test_figures_that_are_not_finite_are_never_written(bundle: Path, tmp_path: Path) -> None:
    manifest = read_bundle(bundle).manifest
    assert manifest.fidelity is not None
    spoiled = manifest.fidelity.model_copy(update={"sqnr_db": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_manifest(tmp_path, manifest.model_copy(update={"fidelity": spoiled}))


def test_a_manifest_reads_back_as_it_was_written(bundle: Path) -> None:
    manifest = read_bundle(bundle).manifest
    assert Manifest.model_validate(manifest.model_dump(by_alias=True)) == manifest
