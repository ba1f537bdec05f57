"""The scene as the page draws it: checked like a file, shown as one, and saved where that is allowed."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import tomlkit

from edgekit.camera.analysis import Analyst
from edgekit.camera.scene import Scene
from edgekit.strict import check_record

_Reply = tuple[HTTPStatus, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Editing:
    """Where the page may change the scene: the file, and who goes by it."""

    file: Path
    analyst: Analyst


class SceneDesk:
    """Answers the page's questions about the scene, one at a time."""

    def __init__(self, analyst: Analyst | None, editing: Editing | None, *, drawable: bool) -> None:
        """``drawable``: whether lines and zones say something of what the bundle finds."""
        self._analyst, self._editing, self._drawable = analyst, editing, drawable
        self._saving = threading.Lock()
        self.version = _version(editing.file) if editing else ""
        """Of the file that the running scene stands in."""

    def facts(self) -> dict[str, Any]:
        """The running analysis' ``scene`` (None without one), and what is needed to save another."""
        scene = self._analyst.scene if self._analyst else None
        return {
            "scene": _plain(scene) if scene else None,
            "drawable": self._drawable,
            "file": self._editing.file.name if self._editing else None,
            "version": self.version,
        }

    def check(self, body: bytes) -> _Reply:
        """The ``text`` of the file that ``{"scene": …}`` makes, or ``problems``."""
        scene, _, problems = _read(body)
        if scene is None:
            return HTTPStatus.UNPROCESSABLE_ENTITY, {"problems": problems}
        return HTTPStatus.OK, {"text": scene_text(scene, ".toml")}

    def save(self, body: bytes) -> _Reply:
        """Write ``{"scene": …, "version": …}`` to the file, and let the analysis go on with it."""
        if self._editing is None:
            return HTTPStatus.FORBIDDEN, {
                "problems": ["this page is read-only: run with --scene FILE --edit"]
            }
        scene, version, problems = _read(body)
        if scene is None:
            return HTTPStatus.UNPROCESSABLE_ENTITY, {"problems": problems}
        file = self._editing.file
        with self._saving:
            if version != self.version:
                problem = "it was saved by another page meanwhile; load this page again"
                return HTTPStatus.CONFLICT, {"problems": [problem]}
            try:
                if _version(file) != self.version:
                    problem = (
                        f"{file.name} was changed by another program; start the run again to take it over"
                    )
                    return HTTPStatus.CONFLICT, {"problems": [problem]}
                _write(file, scene_text(scene, file.suffix))
                self.version = _version(file)
            except OSError as error:
                problem = f"{file.name}: cannot be written: {error.strerror}"
                return HTTPStatus.INTERNAL_SERVER_ERROR, {"problems": [problem]}
            self._editing.analyst.scene = scene
        return HTTPStatus.OK, self.facts()


def scene_text(scene: Scene, suffix: str) -> str:
    """The file of a scene: JSON where ``suffix`` is .json, else TOML."""
    plain = _plain(scene)
    if suffix == ".json":
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    return tomlkit.dumps(plain)


def _plain(scene: Scene) -> dict[str, Any]:
    """As it stands in a file, without what need not be said."""
    plain: dict[str, Any] = scene.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return plain


def _read(body: bytes) -> tuple[Scene | None, object, list[str]]:
    """The scene, the version that it comes from, and what is wrong with them."""
    try:
        data = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return None, None, [f"no JSON: {error}"]
    if not isinstance(data, dict):
        return None, None, ["no object with a scene"]
    scene, problems = check_record(data.get("scene"), Scene, where="scene")
    return scene, data.get("version"), problems


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _version(file: Path) -> str:
    """Of the file's content; of one that is absent, too."""
    return sha256(file.read_bytes()).hexdigest() if file.exists() else "absent"


def _write(file: Path, text: str) -> None:
    """Whole or not at all, also when the power goes; a link stays one."""
    target = file.resolve()
    staging = target.with_name(f".{target.name}.part")
    with staging.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    staging.replace(target)
