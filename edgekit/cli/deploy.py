"""``edgekit deploy``: a service that keeps a bundle at work on a camera."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from edgekit.cli.camera import check_sending, run
from edgekit.cli.options import ForceOption
from edgekit.cli.output import JsonOption, print_json
from edgekit.errors import CameraError

_OWN = ("context", "bundle", "name", "user", "unit", "force", "json")


def _with_options_of_run(command: Callable[..., None]) -> Callable[..., None]:
    """Let the command take whatever ``camera run`` takes, in ``given``, so that no list of it has to be kept."""
    own = inspect.signature(command).parameters
    hints = {**get_type_hints(run, include_extras=True), **get_type_hints(command, include_extras=True)}
    taken = [one for one in inspect.signature(run).parameters.values() if one.name not in _OWN]
    parameters = [one for one in own.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    merged = [*parameters[:2], *taken, *parameters[2:]]
    # by name, so that what has a default may come before what has none
    keyword = inspect.Parameter.KEYWORD_ONLY
    merged = [one.replace(kind=keyword, annotation=hints[one.name]) for one in merged]
    described: Any = command
    described.__signature__ = inspect.Signature(merged)
    described.__annotations__ = {one.name: hints[one.name] for one in merged}
    return command


@_with_options_of_run
def deploy(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(help="A bundle: folder or zip.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the service; default: edgekit- and the bundle's.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Who runs it; default: a user that systemd makes for it.")
    ] = None,
    unit: Annotated[Path | None, typer.Option(help="File to write; default: NAME.service here.")] = None,
    force: ForceOption = False,
    json: JsonOption = False,
    **given: Any,
) -> None:
    """Write a systemd unit that keeps 'camera run' running, on the device where it is to run.

    It is tried here first, and its memory measured. Options are those of 'camera run'; files are written in
    /var/lib/NAME, and --events - goes to the journal. Addresses with passwords go into a file of their own.

    Example: edgekit deploy out/net.edgekit --source 0 --scene scene.toml --mqtt mqtt://host/door
    """
    from edgekit.camera.deploying import make_service, service_name

    check_sending(given["mqtt"], given["webhook"], given["scene"], every_frame=given["every_frame"])
    unset = ("DEFAULT", "DEFAULT_MAP")
    sources = {key: context.get_parameter_source(key) for key in given}
    options = {
        key: value
        for key, value in given.items()
        if (source := sources[key]) is not None and source.name not in unset
    }
    name = service_name(bundle, name)
    target = unit or Path(f"{name}.service")
    for path in (target, target.with_suffix(".env")):
        if path.exists() and not force:
            raise CameraError(f"{path}: is there already; replace it with --force")
    service = make_service(bundle, options, name=name, user=user)
    secrets = target.with_suffix(".env") if service.secrets else None
    _write(target, service.unit.text(), 0o644)
    if secrets:
        _write(secrets, service.environment_text, 0o600)
    steps = _steps(name, target, secrets)
    if json:
        facts: dict[str, Any] = {"name": name, "unit": str(target), "environment": secrets and str(secrets)}
        facts |= {"command": list(service.unit.command), "watchdog_s": service.unit.watchdog_s}
        facts |= {"peak_bytes": service.peak_bytes, "memory_max_bytes": service.unit.memory_max_bytes}
        print_json({**facts, "install": steps})
        return
    typer.echo(f"{target}: at most {service.unit.memory_max_bytes >> 20} MiB; {service.unit.memory_why}")
    typer.echo("Install it:")
    for step in steps:
        typer.echo(f"  {step}")


def _steps(name: str, target: Path, secrets: Path | None) -> list[str]:
    from shlex import quote

    steps = [f"sudo install -m 644 {quote(str(target))} /etc/systemd/system/{name}.service"]
    if secrets:
        steps.append(f"sudo install -D -m 600 {quote(str(secrets))} /etc/edgekit/{name}.env")
    start = f"sudo systemctl daemon-reload && sudo systemctl enable --now {name}"
    return [*steps, start, f"journalctl -u {name} -f"]


def _write(path: Path, text: str, mode: int) -> None:
    try:
        # with its rights before there is anything in it
        path.unlink(missing_ok=True)
        path.touch(mode)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CameraError(f"{path}: cannot be written: {error.strerror}") from None
