"""``edgekit device``: what runs bundles elsewhere, made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.facts import usable_catalog
from edgekit.cli.options import BundleArgument
from edgekit.cli.output import JsonOption, note, print_json, print_table, print_wrapped, progress
from edgekit.errors import GateFailedError

if TYPE_CHECKING:
    from edgekit.profiling.answering import DeviceAnswer

app = typer.Typer(
    help="Make devices ready that are not this machine, and try bundles on them.",
    no_args_is_help=True,
    rich_markup_mode=None,
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


@app.command("test")
def try_bundle(
    bundle: BundleArgument,
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--on",
            help="Device, as of verify, or emulated:CORE; repeatable. Default: this machine and every core "
            "that can be emulated.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Does the bundle load on each core, and answer as on its build host? Bits, differences, instructions.

    Unasked it is this machine, a Cortex-A53, A72 and A76, and on x86 a processor without VNNI (emulated:haswell).
    Exit 1 where it does not load or its golden pair does not hold: on a device that was asked for, else on one
    with the processor of the bundle's target.

    Example: edgekit device test out/net-raspberry-pi-4.edgekit
    """
    from edgekit.bundles import read_bundle
    from edgekit.devices import open_device
    from edgekit.profiling.answering import answers_on, everywhere, is_like_target

    opened, catalog = read_bundle(bundle), usable_catalog()
    devices = [open_device(spec, told=note) for spec in on or everywhere()]
    alike = {device.name for device in devices if on or is_like_target(opened, device, catalog)}
    with progress("edgekit device test") as advance:
        found = list(answers_on(opened, devices, advance))
    failing = [item.device for item in found if not item.holds]
    failed = [name for name in failing if name in alike or not alike]
    if json:
        facts = [item.facts() for item in found]
        print_json({"bundle": str(bundle), "ok": not failed, "devices": facts})
    else:
        _print_answers(found)
    if elsewhere := [name for name in failing if name not in failed]:
        note(
            f"does not hold on {', '.join(elsewhere)}: not for other processors than {opened.manifest.target}'s"
        )
    if failed:
        raise GateFailedError(f"{bundle}: does not hold on {', '.join(failed)}")


def _print_answers(found: list[DeviceAnswer]) -> None:
    columns = ["device~", "8-bit\nsums", "golden", "equal\nbits>", "largest\ndiff.>", "M\ninstr.>"]
    print_table(columns, [_answer_row(item) for item in found])
    for item in found:
        known = item.core.lower() in item.device
        if said := "; ".join(part for part in ("" if known else item.core, item.why) if part):
            print_wrapped(f"{item.device}: {said}")
    for why in dict.fromkeys(item.why_no_instructions for item in found if item.kind == "emulated"):
        if why:
            note(f"no instructions: {why}")


def _answer_row(item: DeviceAnswer) -> list[str]:
    golden = item.golden
    state = "holds" if item.holds else "fails" if item.loads else "no load"
    return [
        item.device,
        item.integer_sums or "",
        state,
        f"{golden.equal_share:.1%}" if golden else "",
        f"{golden.max_difference:.2g}" if golden else "",
        f"{item.instructions / 1e6:.1f}" if item.instructions else "",
    ]
