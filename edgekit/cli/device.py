"""``edgekit device``: what devices need before bundles can run on them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.output import JsonOption, note, print_json, print_table, progress

if TYPE_CHECKING:
    from edgekit.devices.emulated import Emulation

app = typer.Typer(
    help="Devices that bundles run on: set up what they need.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Kind(StrEnum):
    """What can be set up."""

    emulated = "emulated"


@app.command("setup")
def setup(
    kind: Annotated[Kind, typer.Argument(help="emulated: Arm boards under qemu-user.")],
    mirror: Annotated[
        str | None, typer.Option(help="Address of a Debian mirror; default: Debian's own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fetch and make what a kind of device needs; what is there already is kept.

    For emulated boards: Debian's arm64 packages (15 MB, verified with Debian's keys), the Arm wheels of the runtimes
    installed here (100 MB), and a plugin that counts instructions. It needs qemu-user, apt and gcc, and no root.

    Example: edgekit device setup emulated
    """
    from edgekit.devices.emulated import set_up

    with progress(f"setup {kind}") as advance:
        found = set_up(mirror=mirror, advance=advance)
    if json:
        print_json(_facts(found))
        return
    print_table(("part", "where"), [(name, path or "not there") for name, path in _parts(found).items()])
    if found.why_no_counts:
        note(f"bundles run, but no instructions are counted: {found.why_no_counts}")
    typer.echo("Try: edgekit profile BUNDLE --on emulated:raspberry-pi-4")


def _facts(found: Emulation) -> dict[str, object]:
    return {"kind": "emulated", **_parts(found), "why_no_counts": found.why_no_counts or None}


def _parts(found: Emulation) -> dict[str, str | None]:
    plugin = str(found.plugin) if found.plugin else None
    return {"sysroot": str(found.sysroot), "wheels": str(found.site), "plugin": plugin}
