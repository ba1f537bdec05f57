"""The catalog, the converters' environments, telemetry, and the programs that fetch models."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.catalog import Catalog, load_catalog
from edgekit.catalog_schema import Converter
from edgekit.conversion.environments import environment_state
from edgekit.conversion.workers import worker_environment
from edgekit.doctor.finding import Finding, Status
from edgekit.errors import CatalogError
from edgekit.models.zoo import entries
from edgekit.telemetry import SWITCHED_OFF, opt_out

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# the program that fetches from a registry, and how to get it
_CLIENTS = {
    "npm": ("npm", "sudo apt-get install npm"),
    "debian": ("apt-get", "use Debian or Ubuntu for this"),
}


def catalog_findings() -> Iterator[Finding]:
    """The catalog and, where it can be read, each converter."""
    broken: list[str] = []
    try:
        catalog = load_catalog(told=broken.append)
        catalog.target("host")  # every conversion is judged on it
    except CatalogError as error:
        yield Finding(
            topic="catalog", name="definitions", status="missing", detail=str(error),
            next_step="mend the files named, then: edgekit targets check", essential=True,
        )  # fmt: skip
        return
    yield _counts(catalog)
    for detail in broken:
        yield Finding(
            topic="catalog", name="broken files", status="warning", detail=detail,
            next_step="mend the files named, then: edgekit targets check",
        )  # fmt: skip
    for converter in catalog.converters.values():
        if converter.waits_for:
            yield _converter(converter.id, "missing", f"waits for {converter.waits_for}", None)
            continue
        state = environment_state(converter, catalog.converter_dir(converter.id))
        step = state.next_step
        if converter.environment.kind == "core" and not state.ready:
            step = _install(converter)  # the state's own step is to ask the doctor
        yield _converter(converter.id, "ok" if state.ready else "missing", state.detail, step)


def _install(converter: Converter) -> str:
    missing = [name for name in converter.environment.imports if importlib.util.find_spec(name) is None]
    return f"{sys.executable} -m pip install {' '.join(name.replace('_', '-') for name in missing)}"


def _counts(catalog: Catalog) -> Finding:
    kinds = (("targets", catalog.targets), ("profiles", catalog.profiles), ("converters", catalog.converters))
    own = [f"{kind} {name}" for (kind, name), place in catalog.places.items() if place.origin != "bundled"]
    detail = ", ".join(f"{len(records)} {kind}" for kind, records in kinds)
    return Finding(
        topic="catalog",
        name="definitions",
        status="ok",
        detail=f"{detail}; from your own folders: {', '.join(own) or 'none'}",
    )


def _converter(name: str, status: Status, detail: str, next_step: str | None) -> Finding:
    return Finding(topic="converter", name=name, status=status, detail=detail, next_step=next_step)


def telemetry_findings(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at the switches as a worker gets them, and at this process's own."""
    with tempfile.TemporaryDirectory(prefix="edgekit-doctor-") as folder:
        home = Path(folder)
        opt_out(home)
        consent = (home / "intel" / "openvino_telemetry").read_text()
        given = worker_environment(home, threads=1)
    left_on = [name for name, value in SWITCHED_OFF.items() if given.get(name) != value]
    left_on += [] if consent == "0" else ["openvino_telemetry"]
    yield Finding(
        topic="telemetry",
        name="in workers",
        status="warning" if left_on else "ok",
        detail=f"left on: {', '.join(left_on)}"
        if left_on
        else "onnxruntime's and OpenVINO's are switched off",
    )
    here = environ.get("ORT_DISABLE_TELEMETRY") == "1"
    yield Finding(
        topic="telemetry",
        name="in edgekit itself",
        status="ok" if here else "warning",
        detail="onnxruntime's is switched off" if here else "onnxruntime would report its use",
        next_step=None if here else "export ORT_DISABLE_TELEMETRY=1",
    )


def program_findings() -> Iterator[Finding]:
    """What fetches the zoo's models and makes environments; then what is only convenient."""
    for module, use in (("pip", "fetches models"), ("uv", "makes the converters' environments")):
        there = importlib.util.find_spec(module) is not None
        step = None if there else f"{sys.executable} -m ensurepip && {sys.executable} -m pip install {module}"
        yield _program(module, there, use, step)
    for registry, (program, step) in _CLIENTS.items():
        models = [
            name for name, model in entries().items() if any(p.registry == registry for p in model.packages)
        ]
        if models:
            there = shutil.which(program) is not None
            yield _program(program, there, f"fetches {', '.join(models)}", None if there else step)
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    optional = "optional: edgekit's own tests look at reports with one; reports open in any browser"
    yield Finding(
        topic="program", name="headless browser", status="ok", detail=browser or f"none; {optional}"
    )


def _program(name: str, there: bool, use: str, step: str | None) -> Finding:
    return Finding(
        topic="program", name=name, status="ok" if there else "missing", detail=use, next_step=step
    )
