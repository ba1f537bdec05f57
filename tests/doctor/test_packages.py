"""Packages as they are required, and known clashes."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from packaging.requirements import Requirement

from edgekit.doctor.packages import clash_findings, installed_versions, package_findings, requirements

REQUIRED = (Requirement("numpy>=2.2,<2.5"), Requirement("onnxruntime>=1.32"), Requirement("ONNX_IR>=1"))
GOOD = {"numpy": "2.4.6", "onnxruntime": "1.32.0", "onnx-ir": "1.1.0"}


def test_all_as_required_is_one_finding_with_versions() -> None:
    (finding,) = package_findings(GOOD, REQUIRED)
    assert (finding.name, finding.status, finding.next_step) == ("3 of 3 as required", "ok", None)
    assert finding.detail == "numpy 2.4.6, onnxruntime 1.32.0, ONNX_IR 1.1.0"


def test_what_is_not_installed_is_fatal_and_says_how_to_get_it() -> None:
    _, finding = package_findings({name: GOOD[name] for name in ("numpy", "onnx-ir")}, REQUIRED)
    assert (finding.name, finding.status, finding.fatal) == ("onnxruntime", "missing", True)
    assert finding.next_step == f"{sys.executable} -m pip install 'onnxruntime>=1.32'"


@pytest.mark.parametrize("version", ["2.5.0", "2.1.3", "1.26.4"])
def test_a_wrong_version_is_a_warning(version: str) -> None:
    _, finding = package_findings({**GOOD, "numpy": version}, REQUIRED)
    assert (finding.name, finding.status, finding.fatal) == ("numpy", "warning", False)
    assert finding.detail == f"{version} is installed, numpy<2.5,>=2.2 is needed"


@pytest.mark.parametrize(
    ("installed", "named"),
    [
        ({"opencv-python": "4.12.0", "opencv-python-headless": "4.12.0"}, "opencv-python 4.12.0 with"),
        ({"tflite-runtime": "2.14.0", "numpy": "2.4.6"}, "tflite-runtime 2.14.0 with numpy 2.4.6"),
        ({"numpy": "2.5.1", "nncf": "3.4.0"}, "numpy 2.5.1 with nncf 3.4.0"),
        ({"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.32.0"}, "onnxruntime-gpu 1.32.0 with"),
    ],
)
def test_known_clashes(installed: Mapping[str, str], named: str) -> None:
    (finding,) = clash_findings(installed)
    assert finding.name.startswith(named)
    assert finding.status == "warning"
    assert finding.next_step
    assert "pip" in finding.next_step


@pytest.mark.parametrize(
    "installed",
    [
        GOOD,
        {"opencv-python-headless": "4.12.0"},
        {"tflite-runtime": "2.14.0", "numpy": "1.26.4"},
        {"numpy": "2.5.1"},
    ],
)
def test_no_clash(installed: Mapping[str, str]) -> None:
    assert list(clash_findings(installed)) == []


def test_this_environment_has_what_edgekit_asks_for() -> None:
    installed, required = installed_versions(), requirements()
    assert {"onnxruntime", "openvino", "numpy", "typer"} <= {item.name for item in required}
    assert all(finding.status == "ok" for finding in package_findings(installed, required))
