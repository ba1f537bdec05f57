"""The hash-locked requirements: complete, and without the frameworks that the core must not need."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE = PROJECT["project"]["dependencies"]
DEV = PROJECT["dependency-groups"]["dev"]


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return {canonicalize_name(package): version for package, version in LOCKED.findall(text)}


@pytest.mark.parametrize("name", ["core.lock", "dev.lock"])
def test_no_framework_is_pulled_in(name: str) -> None:
    frameworks = {"torch", "tensorflow", "tensorflow-cpu", "tf-nightly", "jax", "keras"}
    assert frameworks.isdisjoint(locked(name))


@pytest.mark.parametrize(("name", "needed"), [("core.lock", CORE), ("dev.lock", CORE + DEV)])
def test_every_dependency_is_locked_at_a_version_it_allows(name: str, needed: list[str]) -> None:
    versions = locked(name)
    for requirement in map(Requirement, needed):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements/{name}: make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: make lock"


def test_the_tests_run_on_the_versions_of_the_core() -> None:
    assert locked("core.lock").items() <= locked("dev.lock").items()


def test_the_core_takes_less_than_a_gigabyte() -> None:
    """As installed here; packages for other systems only are not there and count nothing."""
    sizes = {name: _installed_bytes(name) for name in locked("core.lock")}
    assert sum(sizes.values()) > 200e6  # onnxruntime, OpenVINO and OpenCV alone take as much
    assert sum(sizes.values()) < 1e9, sorted(sizes.items(), key=lambda item: -item[1])[:10]


def _installed_bytes(name: str) -> int:
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return 0
    return sum(file.size or 0 for file in files)


@pytest.mark.parametrize("name", ["core.lock", "dev.lock"])
def test_every_version_has_its_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text())
    assert [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []
