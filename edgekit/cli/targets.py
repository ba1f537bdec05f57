"""``edgekit targets``: what to build for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.facts import (
    binary,
    check_files,
    found,
    print_facts,
    print_records,
    print_sources,
    usable_catalog,
)
from edgekit.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from edgekit.catalog_schema import Target, TargetMemory, TargetRuntime

app = typer.Typer(
    help="Devices to build for: files in targets/, yours before ours.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("ls")
def ls(json: JsonOption = False) -> None:
    """List the targets, what runs there, and what waits for a converter.

    Example: edgekit targets ls
    """
    catalog = usable_catalog()
    print_records("targets", catalog.targets, catalog, ("name", "runs", "waits"), _listed, json=json)


@app.command("show")
def show(target_id: Annotated[str, typer.Argument(metavar="TARGET")], json: JsonOption = False) -> None:
    """Show one target: features, memory, runtimes with their precisions, sources.

    Example: edgekit targets show raspberry-pi-5
    """
    catalog = usable_catalog()
    target, place = catalog.target(target_id), catalog.places["targets", target_id]
    if json:
        print_json(_with_sums(target, found(target, place)))
        return
    print_facts(
        f"{target.id}: {target.name}",
        [
            ("", target.summary),
            ("system", f"{target.os}, {target.arch}"),
            ("features", ", ".join(target.isa_features)),
            (
                "memory",
                _memory(target.memory),
            ),
            ("threads", target.threads),
            ("profile", target.profile),
            ("file", f"{place.path} ({place.origin})"),
        ],
    )
    print_table(
        ("runtime", "formats", "precisions", "remarks"),
        [_row(target, runtime) for runtime in target.runtimes],
    )
    print_sources(target.sources)


@app.command("check")
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Target files to check with the others.")] = None,
    json: JsonOption = False,
) -> None:
    """Check every file of the catalog, and FILES; every problem is told, exit 1 if any.

    Example: edgekit targets check my-board.toml
    """
    check_files("targets", files or [], json=json)


def _memory(memory: TargetMemory) -> str:
    others = [("of the NPU's own SRAM", memory.sram_bytes), ("of flash for weights", memory.flash_bytes)]
    beside = "".join(f"; {binary(size)} {what}" for what, size in others if size)
    return f"{binary(memory.ram_bytes)}, {memory.usable_share:.0%} for the application{beside}"


def _listed(target: Target) -> tuple[str, ...]:
    return target.name, _ids(target, "available"), _ids(target, "waiting") or "-"


def _with_sums(target: Target, facts: dict[str, Any]) -> dict[str, Any]:
    """``facts`` with the integer sums that follow from the instruction set."""
    from edgekit.catalog import integer_sums

    sums = [integer_sums(target, runtime) for runtime in target.runtimes]
    runtimes = [
        {**entry, "integer_sums": value} for entry, value in zip(facts["runtimes"], sums, strict=True)
    ]
    return {**facts, "runtimes": runtimes}


def _ids(target: Target, status: str) -> str:
    return ", ".join(runtime.id for runtime in target.runtimes if runtime.status == status)


def _row(target: Target, runtime: TargetRuntime) -> tuple[str, str, str, str]:
    from edgekit.catalog.integers import meaning

    waits = f"waits for {runtime.waits_for}" if runtime.waits_for else None
    built = " ".join(f"{key}={value}" for key, value in runtime.build_options.items())
    remarks = "; ".join(remark for remark in (waits, meaning(target, runtime), built, runtime.note) if remark)
    return runtime.id, ", ".join(runtime.formats), ", ".join(runtime.precisions), remarks
