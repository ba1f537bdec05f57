"""From the options of ``camera run`` to a service: tried here, measured, and written as a unit."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.camera.access import Reader, check_readable, reader
from edgekit.camera.addresses import shown
from edgekit.camera.live import SCHEMES, TIMEOUT_S
from edgekit.camera.opening import is_stored
from edgekit.camera.running import open_transports
from edgekit.camera.synthetic import PREFIX
from edgekit.camera.unit import Unit, variables
from edgekit.errors import CameraError

Options = Mapping[str, object]
"""Of ``camera run`` as they were given, by name (``redact_with``): text, numbers, paths, True for flags, lists of them."""

SECRET = {"source": "EDGEKIT_SOURCE", "mqtt": "EDGEKIT_MQTT", "webhook": "EDGEKIT_WEBHOOK"}
"""Addresses that may have passwords in them, and the variables that stand for them."""
WRITTEN = ("events", "out")
"""Files that the service makes, in its own folder."""
TRIED = (
    "track",
    "scene",
    "then",
    "then_most",
    "then_enlarge",
    "redact",
    "redact_with",
    "threads",
    "inferences",
    "realtime",
    "degrade_to",
    "rung",
)
"""What takes memory; servers and files are left alone."""
TRIED_FRAMES = 60
STAND_IN = "synthetic:1920x1080@30"
"""For a camera or stream, which need not be there yet."""
HEADROOM, SPARE_BYTES = 1.5, 192 * 2**20
"""Times the measured peak, and beyond it: frames of 3840 x 2160 take 172 MiB more than the stand-in's."""
_STEP_BYTES = 16 * 2**20
_START_S = 180
"""To load a model on a slow board, and check its files."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Service:
    """What is to be installed."""

    unit: Unit
    secrets: Mapping[str, str]
    """Variables for a file that only root may read."""
    peak_bytes: int

    @property
    def environment_text(self) -> str:
        return variables(self.secrets)


def service_name(bundle: Path, given: str | None) -> str:
    """As it was given, else the bundle's with ``edgekit-`` before it; CameraError where systemd would not take it."""
    name = given or f"edgekit-{re.sub(r'[^A-Za-z0-9_.-]+', '-', bundle.stem)}"
    if not _NAME.fullmatch(name):
        raise CameraError(f"--name {name}: letters, digits, - _ and . make the name of a service, 64 at most")
    return name


def make_service(bundle: Path, options: Options, *, name: str, user: str | None) -> Service:
    """Try the bundle here with its options, and say how it runs for good. EdgekitError where it would not."""
    settled = {key: _settled(key, value) for key, value in options.items()}
    sources = _texts(settled["source"])
    open_transports(_text(settled, "mqtt"), _text(settled, "webhook"))  # are they addresses?
    program = Path(sys.executable).with_name("edgekit")
    bundle = bundle.absolute()
    _check_access(reader(user), program, bundle, settled)
    peak_bytes, tried = _try(program, bundle, settled)
    secrets = {
        SECRET[key]: " ".join(_texts(settled[key]))
        for key in SECRET
        if key in settled and _is_secret(key, settled)
    }
    if SECRET["source"] in secrets and any(" " in source for source in sources):
        raise CameraError(
            "a source with a password goes together with names without spaces only; rename the others"
        )
    plain = {key: value for key, value in settled.items() if SECRET.get(key) not in secrets}
    memory_bytes = math.ceil((HEADROOM * peak_bytes + SPARE_BYTES) / _STEP_BYTES) * _STEP_BYTES
    timeout_s = float(str(settled.get("timeout", TIMEOUT_S)))
    unit = Unit(
        name=name,
        about=f"edgekit: {bundle.name} on {', '.join(map(shown, sources))}",
        command=(str(program), "camera", "run", str(bundle), *words(plain)),
        user=user,
        environment=f"/etc/edgekit/{name}.env" if secrets else None,
        camera=not all(is_stored(source) or source.startswith((PREFIX, *SCHEMES)) for source in sources),
        network=any(source.startswith(SCHEMES) for source in sources)
        or not {"mqtt", "webhook", "serve"}.isdisjoint(settled),
        memory_max_bytes=memory_bytes,
        memory_why=f"{HEADROOM:g} x {peak_bytes / 2**20:.0f} MiB, the peak of {tried} here, and {SPARE_BYTES >> 20} MiB",
        start_s=_START_S + math.ceil(timeout_s),
        # a stream that is gone is looked for that long before the run ends by itself
        watchdog_s=math.ceil(4 * timeout_s) + 30,
    )
    return Service(unit, secrets, peak_bytes)


def words(options: Options) -> list[str]:
    """As they are written on a command line."""
    given = []
    for key, value in options.items():
        for one in _texts(value):
            given += [f"--{key.replace('_', '-')}", *([] if value is True else [one])]
    return given


def _settled(key: str, value: object) -> object:
    """The value as it means the same from any folder; a file that is written: in the service's own."""
    if isinstance(value, list | tuple):
        return [_settled(key, one) for one in value]
    if key in WRITTEN:
        if str(value) != Path(str(value)).name:
            raise CameraError(
                f"{value}: the service writes in a folder of its own, /var/lib/NAME; give a name without a folder"
            )
        return value
    if isinstance(value, Path) or (key == "source" and is_stored(str(value))):
        return Path(str(value)).absolute()
    return value


def _try(program: Path, bundle: Path, options: Options) -> tuple[int, str]:
    """Peak memory of the bundle at work here in bytes, and on what; EdgekitError where it does not work."""
    sources = [
        source if is_stored(source) or source.startswith(PREFIX) else STAND_IN
        for source in _texts(options["source"])
    ]
    tried: dict[str, object] = {"source": sources, "frames": TRIED_FRAMES}
    tried |= {key: options[key] for key in TRIED if key in options}
    environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
    for variable in SECRET.values():
        environment.pop(variable, None)
    with tempfile.TemporaryDirectory() as folder:
        if "out" in options:
            tried["out"] = Path(folder, str(options["out"]))
        command = [str(program), "camera", "run", str(bundle), *words(tried), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise CameraError(f"it does not run here: {done.stderr.strip().removeprefix('edgekit: ')}")
    facts = json.loads(done.stdout)
    frames = sum(each["frames"] for each in facts.get("cameras", [facts]))
    of = ", ".join(source.removeprefix(PREFIX) for source in sources)
    return int(facts["peak_bytes"]), f"{frames} frames of {of}"


def _check_access(who: Reader, program: Path, bundle: Path, options: Options) -> None:
    """CameraError where the service's user could not read a file that it is given."""
    interpreter = Path(sys.executable).resolve()
    given: Sequence[Path] = [
        one
        for key, value in options.items()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, Path) and key not in WRITTEN
    ]
    for path in (program, interpreter, Path(__file__), bundle, *given):
        if path.exists():  # the trial says what is not there
            check_readable(path, who)


def _is_secret(key: str, options: Options) -> bool:
    """A webhook's path is often its password."""
    return key == "webhook" or any(shown(one) != one for one in _texts(options[key]))


def _texts(value: object) -> list[str]:
    """Of one value, or of each of a list."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _text(options: Options, key: str) -> str | None:
    return str(options[key]) if key in options else None
