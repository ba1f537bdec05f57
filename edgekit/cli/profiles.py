"""``edgekit profiles``: how the hardware of targets performs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.facts import (
    binary,
    check_files,
    found,
    print_facts,
    print_records,
    print_sources,
    si,
    usable_catalog,
)
from edgekit.cli.output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from edgekit.catalog_schema import Accelerator, CpuCluster, Profile

app = typer.Typer(
    help="Hardware facts of the targets, each with its source: files in profiles/.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("ls")
def ls(json: JsonOption = False) -> None:
    """List the profiles: processor, memory, bandwidth.

    Example: edgekit profiles ls
    """
    catalog = usable_catalog()
    columns = ("processor", "memory>", "bandwidth>")
    print_records("profiles", catalog.profiles, catalog, columns, _listed, json=json)


@app.command("show")
def show(profile_id: Annotated[str, typer.Argument(metavar="PROFILE")], json: JsonOption = False) -> None:
    """Show one profile: cores, caches, memory, accelerators, and where each fact stands.

    Example: edgekit profiles show rk3588
    """
    catalog = usable_catalog()
    profile, place = catalog.profile(profile_id), catalog.places["profiles", profile_id]
    if json:
        print_json(found(profile, place))
        return
    print_facts(
        f"{profile.id}: {profile.name}", [*_facts(profile), ("file", f"{place.path} ({place.origin})")]
    )
    columns = ("core", "cores>", "clock>", "L1 data>", "L2>")
    print_table(columns, [_cluster(cluster) for cluster in profile.cpu.clusters])
    if profile.accelerators:
        rows = [_accelerator(item) for item in profile.accelerators]
        print_table(("accelerator", "kind", "int8>", "fp16>"), rows)
    print_sources(profile.sources)


@app.command("check")
def check(
    files: Annotated[list[Path] | None, typer.Argument(help="Profiles to check with the others.")] = None,
    json: JsonOption = False,
) -> None:
    """Check every file of the catalog, and FILES; every problem is told, exit 1 if any.

    Example: edgekit profiles check my-board.toml
    """
    check_files("profiles", files or [], json=json)


def _listed(profile: Profile) -> tuple[str, ...]:
    memory = profile.memory
    bandwidth = si(memory.bandwidth_bytes_per_s, "B/s")
    return _cores(profile), binary(memory.ram_bytes) or "-", bandwidth or "-"


def _cores(profile: Profile) -> str:
    return " + ".join(
        f"{cluster.cores}x {cluster.core} {si(cluster.clock_hz, 'Hz') or ''}".strip()
        for cluster in profile.cpu.clusters
    )


def _facts(profile: Profile) -> list[tuple[str, object]]:
    memory = profile.memory
    parts = (binary(memory.ram_bytes), memory.type, si(memory.bandwidth_bytes_per_s, "B/s"))
    return [
        ("chip", profile.soc),
        ("features", ", ".join(profile.cpu.isa_features)),
        ("L3", binary(profile.cpu.l3_bytes)),
        ("memory", ", ".join(part for part in parts if part)),
    ]


def _cluster(cluster: CpuCluster) -> tuple[object, ...]:
    shared = " shared" if cluster.l2_shared else ""
    l2 = binary(cluster.l2_bytes)
    clock = si(cluster.clock_hz, "Hz")
    l1d = binary(cluster.l1d_bytes)
    return cluster.core, cluster.cores, clock or "-", l1d or "-", f"{l2}{shared}" if l2 else "-"


def _accelerator(item: Accelerator) -> tuple[str, ...]:
    int8, fp16 = si(item.peak_int8_ops_per_s, "op/s"), si(item.peak_fp16_ops_per_s, "op/s")
    return item.name, item.kind, int8 or "-", fp16 or "-"
