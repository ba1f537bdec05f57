"""``targets``, ``profiles`` and ``converters`` as a user and a script see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner, Result

from edgekit.catalog import load_catalog
from edgekit.catalog.files import bundled_folder
from edgekit.cli.main import app
from tests.catalog.sample_files import write_board, write_converter, write_profile, write_target
from tests.graphs import tiny_cnn

EDGEKIT = Path(sys.executable).with_name("edgekit")


def _names(pattern: str) -> list[str]:
    return [path.stem for path in sorted(bundled_folder().glob(pattern))]


def _folders() -> list[str]:
    return [path.parent.name for path in sorted(bundled_folder().glob("converters/*/converter.toml"))]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def facts(*words: str) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_show_says_how_int8_sums_come_out() -> None:
    runtimes = {entry["id"]: entry for entry in facts("targets", "show", "raspberry-pi-4")["runtimes"]}
    assert runtimes["onnxruntime"]["integer_sums"] == "exact"
    assert "int8 sums are exact" in " ".join(run("targets", "show", "raspberry-pi-4").stdout.split())


@pytest.mark.parametrize("kind", ["targets", "profiles", "converters"])
def test_ls_lists_every_definition(kind: str) -> None:
    catalog = load_catalog()
    expected = {"targets": catalog.targets, "profiles": catalog.profiles, "converters": catalog.converters}[
        kind
    ]
    listed = facts(kind, "ls")[kind]
    assert [item["id"] for item in listed] == list(expected)
    assert all(item["origin"] == "bundled" and Path(item["path"]).is_file() for item in listed)
    shown = run(kind, "ls").stdout
    assert all(name in shown for name in expected)
    assert max(map(len, shown.splitlines())) <= 80


def test_ls_says_what_waits_and_where_files_are_from(project: Path) -> None:
    write_board(project, "board")
    shown = run("targets", "ls").stdout
    assert "project" in next(line for line in shown.splitlines() if line.startswith(" board"))
    assert "rknn" in next(line for line in shown.splitlines() if line.startswith(" rk3588"))


@pytest.mark.parametrize("name", _names("targets/*.toml"))
def test_show_target(name: str) -> None:
    assert facts("targets", "show", name)["runtimes"]
    shown = run("targets", "show", name)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{name}: ")
    assert "Sources" in shown.stdout


@pytest.mark.parametrize("name", _names("profiles/*.toml"))
def test_show_profile(name: str) -> None:
    assert facts("profiles", "show", name)["cpu"]["clusters"]
    shown = run("profiles", "show", name)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{name}: ")


@pytest.mark.parametrize("name", _folders())
def test_show_converter(name: str) -> None:
    state = facts("converters", "show", name)["environment_state"]
    assert set(state) == {"ready", "detail", "next_step"}
    shown = run("converters", "show", name)
    assert shown.exit_code == 0
    assert state["detail"].split()[0] in shown.stdout


def test_text_fits_the_terminal_and_addresses_stay_whole() -> None:
    shown = run("profiles", "show", "kirin-990").stdout
    assert "https://consumer.huawei.com/en/phones/mate30-pro/specs/" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "://" not in line and "@" not in line)


def test_check_passes_on_what_comes_with_edgekit() -> None:
    checked = facts("targets", "check")
    assert checked["problems"] == []
    assert len(checked["files"]) == sum(len(records) for records in (
        load_catalog().targets, load_catalog().profiles, load_catalog().converters,
    ))  # fmt: skip


@pytest.mark.parametrize("kind", ["targets", "profiles", "converters"])
def test_check_tells_every_problem_and_exits_1(project: Path, kind: str) -> None:
    write_target(project, "one", arch='archh = "aarch64"')
    write_profile(project, "two", type="")
    result = run(kind, "check", "--json")
    assert result.exit_code == 1
    problems = json.loads(result.stdout)["problems"]
    assert problems == [
        "targets/one.toml: arch: missing",
        "targets/one.toml: archh: unknown key; did you mean 'arch'?",
        "profiles/two.toml: memory.type: missing",
    ]
    shown = run(kind, "check")
    assert shown.exit_code == 1
    assert shown.stdout.endswith(" files read, 3 problems\n")
    assert "did you mean 'arch'?" in shown.stderr


def test_check_reads_files_that_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    write_board(project, "board")
    elsewhere = write_target(tmp_path / "aside", "board", threads="threads = 0")
    result = run("targets", "check", str(elsewhere))
    assert result.exit_code == 1
    assert "threads: input should be greater than 0" in result.stderr
    missing = run("targets", "check", "none.toml")
    assert missing.exit_code == 1
    assert "none.toml: cannot be read" in missing.stderr


def test_check_reads_a_converter_by_its_folder(project: Path, tmp_path: Path) -> None:
    folder = write_converter(tmp_path / "aside", "tool", emits='emits = "onx"').parent
    result = run("converters", "check", str(folder))
    assert result.exit_code == 1
    assert "tool/converter.toml: emits: 'onx' is not one of" in result.stderr
    assert result.stdout.endswith(" files read, 1 problem\n")


def test_setup_names_the_interpreters() -> None:
    made = facts("converters", "setup", "onnxruntime", "openvino")
    assert made == {
        "converters": [{"converter": name, "python": sys.executable} for name in ("onnxruntime", "openvino")]
    }


def test_setup_skips_what_waits(project: Path) -> None:
    write_converter(project, "later", runtime='runtime = "rknn"\nwaits_for = "its maker"')
    result = run("converters", "setup", "later", "--json")
    assert json.loads(result.stdout) == {"converters": []}
    assert "waits for its maker" in result.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("targets", "show", "raspbery-pi-4"), "did you mean 'raspberry-pi-4'?"),
        (("profiles", "show", "intel-n10"), "did you mean 'intel-n100'?"),
        (("converters", "show", "openvin"), "did you mean 'openvino'?"),
        (("converters", "setup", "openvin"), "did you mean 'openvino'?"),
    ],
)
def test_an_unknown_id_is_one_line_and_exit_1(words: tuple[str, ...], hint: str) -> None:
    done = subprocess.run([EDGEKIT, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
    assert done.stdout == ""


def test_a_broken_file_is_told_and_left_out_where_it_is_not_asked_for(project: Path) -> None:
    write_target(project, "one", arch="", os="")
    told = "2 problems in the catalog:\n  targets/one.toml: arch: missing\n  targets/one.toml: os: missing\n"
    done = subprocess.run([EDGEKIT, "targets", "ls", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == f"left out, see edgekit targets check: {told}"
    assert [item["id"] for item in json.loads(done.stdout)["targets"]] == _names("targets/*.toml")
    done = subprocess.run([EDGEKIT, "targets", "show", "one"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(f"edgekit: {told}")


def test_a_broken_target_does_not_stop_a_conversion_for_another(project: Path) -> None:
    write_target(project, "one", arch="")
    onnx.save(tiny_cnn(), project / "net.onnx")
    command = [str(EDGEKIT), "convert", "net.onnx", "-t", "host", "--dry-run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"]
    assert "targets/one.toml: arch: missing" in done.stderr


def test_doctor() -> None:
    done = subprocess.run(
        [EDGEKIT, "doctor", "--json"], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["machine"]["isa_features"]
    assert all(
        set(finding) >= {"topic", "name", "status", "detail", "next_step"} for finding in report["findings"]
    )
    shown = run("doctor").stdout
    assert "telemetry\n" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "/" not in line)


def test_doctor_exits_1_where_nothing_can_be_converted(project: Path) -> None:
    write_target(project, "one", arch="")
    shown = run("doctor")
    assert shown.exit_code == 0
    assert "targets/one.toml: arch: missing" in " ".join(shown.stdout.split())
    write_target(project, "host", arch="")
    shown = run("doctor")
    assert shown.exit_code == 1
    assert "not ready" in shown.stdout
    assert json.loads(run("doctor", "--json").stdout)["ok"] is False
