"""``edgekit verify``: is a bundle still what it was when it was made?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import BundleArgument
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress
from edgekit.errors import GateFailedError

if TYPE_CHECKING:
    from edgekit.bundles.verify import Verification


def verify(
    bundle: BundleArgument,
    model: Annotated[
        Path | None,
        typer.Option("-m", "--model", help="The source model, or its id in the zoo: compare with it again."),
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Samples to compare on; default: the bundle's own.")
    ] = None,
    on: Annotated[
        str, typer.Option("--on", help="Device to run it on; device test takes several.")
    ] = "local",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; default: one a processor of the device.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check hashes, steps, contract and golden pair, run the artifact, and compare it with its source.

    Exit 1 where a check fails. Hashes show accidents, not forgery: a bundle carries no signature.

    Example: edgekit verify out/net-host.edgekit --model net.onnx --eval photos
    """
    from edgekit.bundles import read_bundle
    from edgekit.bundles.verify import verify_bundle
    from edgekit.conversion.against import compare_with_source
    from edgekit.devices import open_device
    from edgekit.models.zoo import resolve

    with progress("edgekit verify") as advance, closing(open_device(on, told=note)) as device:
        opened = read_bundle(bundle)
        count = threads or device.threads
        advance(0, 2, f"checking {bundle.name}")
        found = verify_bundle(opened, device, threads=count)
        if model is not None:
            advance(1, 2, f"comparing with {model.name}")
            source = resolve(str(model), advance)
            found = found.with_check(compare_with_source(opened, source, evaluation, device, threads=count))
    if json:
        print_json(found.facts())
    else:
        _print(found)
    if not found.ok:
        failed = ", ".join(check.name for check in found.checks if not check.ok)
        raise GateFailedError(f"{bundle}: not as it was made; failed: {failed}")


def _print(found: Verification) -> None:
    rows = [[check.name, "ok" if check.ok else "FAILED", check.detail] for check in found.checks]
    print_table(["check", "", "detail"], rows)
    if found.ok:
        typer.echo(f"{found.bundle}: as it was made")
