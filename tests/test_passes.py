"""``scripts/test``: what must be alone comes after all others, and a failure of either is one of the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOOD = "def test_{0}(): pass\n"
BAD = "def test_{0}(): assert False\n"
ALONE = "import pytest\n@pytest.mark.alone\n"
SETTINGS = """
[pytest]
addopts = --import-mode=importlib --strict-markers -p no:cacheprovider
markers =
    alone
    nothing
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    hooks = "from tests.conftest import pytest_addoption, pytest_collection_modifyitems\n"
    (tmp_path / "conftest.py").write_text(f"import sys; sys.path.append({str(ROOT)!r})\n{hooks}")
    return tmp_path


def passes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "test", sys.executable, "0", *arguments],
        cwd=folder, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("together", "alone", "code"), [(GOOD, BAD, 1), (BAD, GOOD, 1), (GOOD, "", 0), ("", GOOD, 0), ("", "", 5)]
)
def test_either_failure_is_told(project: Path, together: str, alone: str, code: int) -> None:
    (project / "test_both.py").write_text(
        together.format("one") + (ALONE + alone.format("two") if alone else "")
    )
    done = passes(project)
    assert done.returncode == code, done.stdout
    outcome = {GOOD: "1 passed", BAD: "1 failed"}
    for kind in filter(None, (together, alone)):
        assert outcome[kind] in done.stdout


def test_each_runs_once_in_its_pass_whatever_is_asked_for(project: Path) -> None:
    (project / "test_both.py").write_text(
        GOOD.format("one") + ALONE + GOOD.format("two") + GOOD.format("three")
    )
    done = passes(project, "-v", "-m", "not nothing", "-k", "one or two")
    first, _, second = done.stdout.partition("test session starts")[2].partition("test session starts")
    assert ("::test_one PASSED" in first, "::test_two" in first) == (True, False)
    assert ("::test_one" in second, "::test_two PASSED" in second) == (False, True)
    assert "::test_three" not in done.stdout
