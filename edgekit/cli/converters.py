"""``edgekit converters``: the tools that make artifacts, each in its own process and environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.facts import binary, check_files, found, print_facts, usable_catalog
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress

if TYPE_CHECKING:
    from edgekit.catalog import Catalog
    from edgekit.catalog_schema import Converter, Variant
    from edgekit.conversion.environments import EnvironmentState

app = typer.Typer(
    help="Tools that make artifacts: folders in converters/, run out of process.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("ls")
def ls(json: JsonOption = False) -> None:
    """List the converters: what they take and make, and whether they can run here.

    Example: edgekit converters ls
    """
    catalog = usable_catalog()
    if json:
        print_json({"converters": [_facts(catalog, item) for item in catalog.converters.values()]})
        return
    rows = [
        (
            converter.id,
            f"{converter.accepts} > {converter.emits}",
            ", ".join(dict.fromkeys(variant.precision for variant in converter.variants)),
            _readiness(converter, _state(catalog, converter)),
        )
        for converter in catalog.converters.values()
    ]
    print_table(("converter", "way", "precisions", "state"), rows)


@app.command("show")
def show(converter_id: Annotated[str, typer.Argument(metavar="CONVERTER")], json: JsonOption = False) -> None:
    """Show one converter: its variants, environment, limits and refused operators.

    Example: edgekit converters show openvino
    """
    catalog = usable_catalog()
    converter = catalog.converter(converter_id)
    if json:
        print_json(_facts(catalog, converter))
        return
    environment, limits, operators = converter.environment, converter.limits, converter.operators
    supported = "all" if operators.supported == "all" else f"{len(operators.supported)}"
    print_facts(
        f"{converter.id}: {converter.name}",
        [
            ("", converter.summary),
            ("way", f"{converter.accepts} > {converter.emits}"),
            ("runtime", converter.runtime or "none: its files feed other converters"),
            ("run with", ", ".join(f"{key}={value}" for key, value in converter.runtime_options.items())),
            (
                "environment",
                f"{environment.kind} {environment.python or ''} {environment.lock or ''}".rstrip(),
            ),
            ("state", _readiness(converter, _state(catalog, converter))),
            ("limits", f"{limits.timeout_s} s, {binary(limits.memory_bytes)}"),
            ("operators", f"{supported} supported, {len(operators.refused)} refused ({operators.source})"),
            ("folder", catalog.converter_dir(converter_id)),
        ],
    )
    columns = ("precision", "variant", "quantized by", "tasks", "calibration")
    print_table(columns, [_row(variant) for variant in converter.variants])
    if operators.refused:
        print_table(("refused", "reason"), [(refusal.op, refusal.reason) for refusal in operators.refused])


@app.command("check")
def check(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Converters' folders to check with the others.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check every file of the catalog, and FOLDERS; every problem is told, exit 1 if any.

    Example: edgekit converters check my-converter
    """
    files = [folder if folder.suffix == ".toml" else folder / "converter.toml" for folder in folders or []]
    check_files("converters", files, json=json)


@app.command("setup")
def setup(
    converter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[CONVERTER]...", help="Which; all where none is named.")
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let uv download a Python where none fits.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make the environments that converters run in, from their hash-locked lists.

    Example: edgekit converters setup onnx2tf
    """
    from edgekit.conversion.environments import environment_python

    catalog = usable_catalog()
    named = [catalog.converter(name) for name in converter_ids or catalog.converters]
    wanted = [converter for converter in named if not converter.waits_for]
    for waiting in (converter for converter in named if converter.waits_for):
        note(f"{waiting.id} cannot be set up yet: it waits for {waiting.waits_for}")
    pythons: dict[str, str] = {}
    with progress("setup") as advance:
        for index, converter in enumerate(wanted):
            advance(index, len(wanted), converter.id)
            folder = catalog.converter_dir(converter.id)
            pythons[converter.id] = str(environment_python(converter, folder, allow_download=allow_download))
    if json:
        print_json({"converters": [{"converter": name, "python": path} for name, path in pythons.items()]})
    else:
        print_table(("converter", "interpreter"), list(pythons.items()))


def _state(catalog: Catalog, converter: Converter) -> EnvironmentState:
    from edgekit.conversion.environments import environment_state

    return environment_state(converter, catalog.converter_dir(converter.id))


def _facts(catalog: Catalog, converter: Converter) -> dict[str, object]:
    state = _state(catalog, converter)
    environment = {"ready": state.ready, "detail": state.detail, "next_step": state.next_step}
    return {**found(converter, catalog.places["converters", converter.id]), "environment_state": environment}


def _readiness(converter: Converter, state: EnvironmentState) -> str:
    if converter.waits_for:
        return f"waits for {converter.waits_for}"
    step = f"; try: {state.next_step}" if state.next_step else ""
    return f"{'ready' if state.ready else 'missing'}: {state.detail}{step}"


def _row(variant: Variant) -> tuple[str, ...]:
    calibration = "needed" if variant.needs_calibration else ""
    by = "" if variant.quantized_by == "none" else variant.quantized_by
    return variant.precision, variant.name, by, variant.tasks, calibration
