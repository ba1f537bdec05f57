"""The command's frame: fast help, exit codes, and a help text with an example for every verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from edgekit.cli.main import app
from edgekit.cli.options import read_precisions, read_share
from edgekit.conversion.plan import AUTOMATIC
from tests.cli.running import edgekit
from tests.runner.kernel_peak import peak_bytes

EDGEKIT = Path(sys.executable).with_name("edgekit")


def _verbs() -> dict[str, str]:
    """Every leaf command's words and help text."""
    found: dict[str, str] = {}

    def walk(command: object, words: str) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found[words] = getattr(command, "help", None) or ""
        for name, child in (children or {}).items():
            walk(child, f"{words} {name}".strip())

    walk(typer.main.get_command(app), "")
    return found


VERBS = _verbs()


def test_the_verbs_of_the_contract_are_there() -> None:
    groups = {words.split()[0] for words in VERBS}
    assert {"doctor", "models", "targets", "converters", "profiles", "inspect", "convert", "verify"} <= groups
    assert {"profile", "compare", "report", "tune"} <= groups


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_has_help_with_an_example_and_json(words: str) -> None:
    assert "Example" in VERBS[words], f"edgekit {words} --help shows no example"
    shown = CliRunner().invoke(app, [*words.split(), "--help"])
    assert shown.exit_code == 0
    assert "--json" in shown.output
    assert max(len(line) for line in shown.output.splitlines()) <= 80


def test_help_loads_nothing_heavy() -> None:
    """Seconds are noise on a shared machine; what is imported is not, and peak memory hardly."""
    script = (
        "import sys; sys.argv = ['edgekit', '--help']\n"
        "from edgekit.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'onnx', 'onnxruntime', 'openvino', 'nncf', 'cv2', 'plotly', 'pydantic', 'rich', 'tokenizers'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"edgekit --help imports {done.stderr}"


def test_help_fits_in_60_megabytes() -> None:
    assert peak_bytes([str(EDGEKIT), "--help"]) < 60e6


def test_the_peak_is_that_of_the_command_alone() -> None:
    """However large a child, or the process of the tests, was before."""
    large = [sys.executable, "-S", "-c", "bytearray(100_000_000)"]
    assert peak_bytes(large) > 100e6
    assert peak_bytes([sys.executable, "-S", "-c", ""]) < 60e6


def test_an_opencv_that_needs_a_display_is_not_called_our_bug(tmp_path: Path) -> None:
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({message!r})\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [str(EDGEKIT), "camera", "run", "b", "--source", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install --force-reinstall --no-deps opencv-python-headless" in done.stderr


def test_usage_errors_exit_2() -> None:
    done = subprocess.run([EDGEKIT, "conwert"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "conwert" in done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("convert", "m.onnx", "-t", "host", "--max-drop", "1"), "write 1% or 0.01"),
        (("convert", "m.onnx", "-t", "host", "--max-drop", "2.5"), "write 2.5% or 0.025"),
        (("convert", "m.onnx", "-t", "host", "--max-drop", "some"), "such as 1% or 0.01"),
        (("convert", "m.onnx", "-t", "host", "--max-drop", "101%"), "such as 1% or 0.01"),
        *(
            ((*verb, "--shape", "nonsense"), "write NAME:SIDES")
            for verb in (
                ("convert", "m.onnx", "-t", "host"),
                ("inspect", "m"),
                ("profile", "m"),
                ("compare", "a", "b"),
            )
        ),
    ],
)
def test_a_value_that_cannot_be_read_is_a_usage_error(
    words: tuple[str, ...], hint: str, tmp_path: Path
) -> None:
    (tmp_path / "m.onnx").touch()
    done = edgekit(tmp_path, *words)
    assert done.returncode == 2
    assert hint in done.stderr


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.01", 0.01), ("0", 0.0), ("100%", 1.0)])
def test_max_drop_is_a_share(text: str, share: float) -> None:
    assert read_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["int8"], ("int8",)),
        (["int8-dynamic,fp32", "int8"], ("fp32", "int8", "int8-dynamic")),
        (["auto, int4-weights"], (*AUTOMATIC, "int4-weights")),
        (None, AUTOMATIC),
    ],
)
def test_precisions_are_repeated_or_stand_between_commas(
    given: list[str] | None, asked: tuple[str, ...]
) -> None:
    assert read_precisions(given) == asked


@pytest.mark.parametrize("given", ["int7", "int8,", "int8;fp32"])
def test_a_precision_that_is_none(given: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"--precision {given}: '.*' is none; use auto, fp32"):
        read_precisions([given])


def test_a_wrong_model_exits_1_with_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    done = subprocess.run([EDGEKIT, "inspect", broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "broken.onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_one_line_and_130() -> None:
    script = (
        "import edgekit.cli.main as m\n"
        "@m.app.command('wait')\n"
        "def wait() -> None: raise KeyboardInterrupt\n"
        "import sys; sys.argv = ['edgekit', 'wait']; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "edgekit: interrupted\n")


def test_a_bug_exits_3_with_a_log_to_attach(tmp_path: Path) -> None:
    script = (
        "import edgekit.cli.main as m\n"
        "@m.app.command('bug')\n"
        "def bug() -> None: 1 / 0\n"
        "import sys; sys.argv = ['edgekit', 'bug']; m.main()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 3
    log = next(tmp_path.glob("edgekit-bug-*.log"))
    assert str(log) in done.stderr
    assert "ZeroDivisionError" in log.read_text()
