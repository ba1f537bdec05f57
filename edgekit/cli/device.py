"""``edgekit device``: what runs bundles elsewhere, made ready."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli.output import JsonOption, note, print_json, progress

app = typer.Typer(
    help="Make devices ready that are not this machine.", no_args_is_help=True, rich_markup_mode=None
)
setup = typer.Typer(
    help="Make what a kind of device needs, in the cache.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(setup, name="setup")


@setup.command("vm")
def setup_vm(
    force: Annotated[bool, typer.Option("--force", help="Make it anew, with the newest packages.")] = False,
    json: JsonOption = False,
) -> None:
    """Make the virtual board: a Debian arm64 kernel, an ssh server, Python and the runtimes. Needs no root.

    Then any arm64 target runs here as vm:TARGET, with as much memory as you say.

    Example: edgekit device setup vm; edgekit profile net.edgekit --on 'vm:raspberry-pi-4?ram=256MB'
    """
    from edgekit.devices.vm.setup import set_up

    with progress("edgekit device setup vm") as advance:
        board = set_up(force=force, advance=advance)
    if json:
        print_json({"device": "vm", "path": str(board.folder)})
    else:
        note(f"ready in {board.folder}; use it as vm:TARGET, such as vm:raspberry-pi-4")
