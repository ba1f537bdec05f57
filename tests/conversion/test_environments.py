"""Isolated environments, really made by uv: from a wheel on disk, so that no registry is needed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgekit.catalog_schema import Converter
from edgekit.conversion.environments import environment_python, environment_state
from edgekit.errors import EnvironmentSetupError

HERE = f"=={sys.version_info.major}.{sys.version_info.minor}.*"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_wheel(folder: Path, code: str = "value = 41\n") -> Path:
    """The package ``toolbox`` as a wheel, without building anything."""
    path = folder / "toolbox-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: toolbox\nVersion: 1.0\n"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toolbox.py", code)
        archive.writestr("toolbox-1.0.dist-info/METADATA", metadata)
        archive.writestr("toolbox-1.0.dist-info/WHEEL", wheel)
        archive.writestr("toolbox-1.0.dist-info/RECORD", "toolbox.py,,\n")
    return path


def lock(folder: Path, *, sha256: str | None = None, code: str = "value = 41\n") -> None:
    wheel = write_wheel(folder, code)
    digest = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.lock").write_text(f"toolbox @ {wheel.as_uri()} --hash=sha256:{digest}\n")


def isolated(python: str = HERE, imports: tuple[str, ...] = ("toolbox",)) -> Converter:
    return Converter.model_validate({
        "schema": 1, "id": "tool", "name": "Tool", "summary": "-", "accepts": "onnx", "emits": "onnx",
        "variants": [{"precision": "fp32"}],
        "environment": {"kind": "isolated", "imports": imports, "python": python, "lock": "requirements.lock"},
        "limits": {"timeout_s": 10, "memory_bytes": 2**30},
        "operators": {"supported": "all", "source": "test"},
    })  # fmt: skip


def core(*imports: str) -> Converter:
    environment = {"kind": "core", "imports": imports}
    return isolated().model_copy(update={"environment": isolated().environment.model_validate(environment)})


def left_behind(cache: Path) -> list[str]:
    return [path.name for path in (cache / "environments").iterdir() if path.suffix != ".lock"]


def test_core_runs_in_this_interpreter(tmp_path: Path) -> None:
    assert environment_state(core("numpy"), tmp_path).ready
    assert environment_python(core("numpy"), tmp_path) == Path(sys.executable)


def test_core_without_its_packages(tmp_path: Path) -> None:
    state = environment_state(core("numpy", "no_such_tool"), tmp_path)
    assert not state.ready
    assert state.detail == "not installed: no_such_tool"
    with pytest.raises(EnvironmentSetupError, match="converter 'tool': not installed: no_such_tool"):
        environment_python(core("no_such_tool"), tmp_path)


def test_made_once_and_kept(tmp_path: Path, cache: Path) -> None:
    lock(tmp_path)
    assert "is made on first use" in environment_state(isolated(), tmp_path).detail
    assert not cache.exists()  # looking changes nothing
    python = environment_python(isolated(), tmp_path)
    value = subprocess.run(
        [python, "-c", "import toolbox; print(toolbox.value)"], capture_output=True, text=True
    )
    assert value.stdout == "41\n"
    made = python.parent.stat()
    assert environment_python(isolated(), tmp_path) == python
    assert python.parent.stat() == made
    assert environment_state(isolated(), tmp_path).python == python


def test_another_lock_is_another_environment(tmp_path: Path) -> None:
    lock(tmp_path)
    first = environment_python(isolated(), tmp_path)
    lock(tmp_path, code="value = 42\n")
    assert environment_state(isolated(), tmp_path).python is None
    assert environment_python(isolated(), tmp_path) != first


def test_a_changed_package_is_refused(tmp_path: Path, cache: Path) -> None:
    lock(tmp_path, sha256="0" * 64)
    with pytest.raises(
        EnvironmentSetupError, match=r"converter 'tool' cannot be installed: .*[Hh]ash mismatch"
    ):
        environment_python(isolated(), tmp_path)
    assert left_behind(cache) == []


def test_packages_that_do_not_import_leave_nothing_behind(tmp_path: Path, cache: Path) -> None:
    lock(tmp_path, code="raise ImportError('libGL.so.1 is missing')\n")
    with pytest.raises(
        EnvironmentSetupError, match=r"does not work after it was made: .*libGL.so.1 is missing"
    ):
        environment_python(isolated(), tmp_path)
    assert left_behind(cache) == []


def test_without_a_fitting_python(tmp_path: Path) -> None:
    lock(tmp_path)
    state = environment_state(isolated(">=3.19,<3.20"), tmp_path)
    assert not state.ready
    assert state.next_step == "edgekit converters setup tool --allow-download"
    with pytest.raises(EnvironmentSetupError) as caught:
        environment_python(isolated(">=3.19,<3.20"), tmp_path)
    assert "needs Python >=3.19,<3.20, and none was found" in str(caught.value)
    assert "sudo apt-get install python3.19" in str(caught.value)


def test_an_environment_whose_python_was_removed_is_made_again(tmp_path: Path) -> None:
    lock(tmp_path)
    python = environment_python(isolated(), tmp_path)
    python.unlink()
    python.symlink_to(tmp_path / "removed")
    assert environment_state(isolated(), tmp_path).python is None
    again = environment_python(isolated(), tmp_path)
    assert subprocess.run([again, "-c", "import toolbox"]).returncode == 0


def test_two_processes_at_once_make_one(tmp_path: Path, cache: Path) -> None:
    lock(tmp_path)
    code = (
        "import sys, pathlib; from tests.conversion.test_environments import environment_python, isolated;"
        "print(environment_python(isolated(), pathlib.Path(sys.argv[1])))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(answers) == 1
    assert len(left_behind(cache)) == 1
