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


@setup.command("emulated")
def setup_emulated(json: JsonOption = False) -> None:
    """Make what emulated Arm boards need: arm64 packages of Debian, the runtimes' Arm wheels, the counting plugin.

    Then Arm targets with a Cortex-A53, A72 or A76 run here as emulated:TARGET. Takes qemu-user, apt and gcc; no root.
    What is there already is kept.

    Example: edgekit device setup emulated; edgekit profile net.edgekit --on emulated:raspberry-pi-4
    """
    from edgekit.devices.emulated import set_up

    with progress("edgekit device setup emulated") as advance:
        found = set_up(advance=advance)
    plugin = str(found.plugin) if found.plugin else None
    if json:
        parts = {"sysroot": str(found.sysroot), "wheels": str(found.site), "plugin": plugin}
        print_json({"device": "emulated", **parts, "why_no_counts": found.why_no_counts or None})
        return
    note(f"ready in {found.sysroot.parent}; use it as emulated:TARGET, such as emulated:raspberry-pi-4")
    if found.why_no_counts:
        note(f"bundles run there, but instructions are not counted: {found.why_no_counts}")
