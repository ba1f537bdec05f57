"""The ``edgekit`` command: its verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from edgekit import __version__
from edgekit.cli import camera, converters, device, models, profiles, targets
from edgekit.cli.compare import compare
from edgekit.cli.convert import convert
from edgekit.cli.deploy import deploy
from edgekit.cli.doctor import doctor
from edgekit.cli.estimate import estimate
from edgekit.cli.inspect import inspect
from edgekit.cli.profile import profile
from edgekit.cli.report import report
from edgekit.cli.tune import tune
from edgekit.cli.verify import verify
from edgekit.cli.why import why
from edgekit.errors import EdgekitError
from edgekit.telemetry import switch_off

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it."""
_OPENCV_OVERWRITTEN = (
    "another package has put opencv-python over the headless OpenCV, and it needs libGL, which is not here. Try: "
    "pip install --force-reinstall --no-deps opencv-python-headless"
)

app = typer.Typer(
    name="edgekit",
    help="Take a model to an edge device and prove that it works there.",
    epilog="Begin with: edgekit doctor; edgekit models get efficientnet-lite0; edgekit convert --help",
    rich_markup_mode=None,  # rich's help costs 0.2 s of start-up
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgekit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    switch_off()
    if debug:
        os.environ["EDGEKIT_DEBUG"] = "1"


def main() -> None:
    """Run the command line; exit 0 ok, 1 the user's input or a failed gate, 2 usage, 3 our bug."""
    try:
        app()
    except EdgekitError as error:
        if os.environ.get("EDGEKIT_DEBUG"):
            traceback.print_exc()
        sys.stderr.write(f"edgekit: {error}\n")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:
        # typer makes an exit of an interruption, and says nothing
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        sys.stderr.write(f"edgekit: {_interruption()}\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the last stop: our bug, kept in a file to attach
        if os.environ.get("EDGEKIT_DEBUG"):
            raise
        if isinstance(error, ImportError) and "libGL" in str(error):
            sys.stderr.write(f"edgekit: {_OPENCV_OVERWRITTEN}\n")
            sys.exit(1)
        sys.stderr.write(
            f"edgekit: internal error: {type(error).__name__}: {error}\n"
            f"This is a bug in edgekit; please attach {_write_log()}\n"
        )
        sys.exit(3)


def _interruption() -> str:
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    kept = {"convert": "steps", "tune": "trials"}.get(verb)
    return (
        f"interrupted; finished {kept} are kept, the same command goes on from there"
        if kept
        else "interrupted"
    )


def _write_log() -> Path:
    handle, name = tempfile.mkstemp(prefix="edgekit-bug-", suffix=".log")
    with os.fdopen(handle, "w") as log:
        log.write(f"edgekit {__version__}\npython {sys.version}\nargv {sys.argv}\n\n{traceback.format_exc()}")
    return Path(name)


# --- the verbs: one import and one line each -----------------------------------------------------------

app.command("inspect")(inspect)
app.command("convert")(convert)
app.command("tune")(tune)
app.command("verify")(verify)
app.command("profile")(profile)
app.command("estimate")(estimate)
app.command("compare")(compare)
app.command("report")(report)
app.command("why")(why)
app.command("deploy")(deploy)
app.command("doctor")(doctor)
app.add_typer(camera.app, name="camera")
app.add_typer(targets.app, name="targets")
app.add_typer(profiles.app, name="profiles")
app.add_typer(converters.app, name="converters")
app.add_typer(models.app, name="models")
app.add_typer(device.app, name="device")
