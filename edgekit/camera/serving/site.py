"""What there is to be had: the page, frames, figures, metrics and the scene, by path."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from edgekit.camera.serving.access import Access
from edgekit.camera.serving.figures import Figures
from edgekit.camera.serving.scene_desk import SceneDesk
from edgekit.camera.serving.screen import Screen

_STYLE, _SCRIPTS = "style.css", ("drawing.js", "live.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file of HTML with its style and scripts, and the policy that lets a browser run these alone."""

    content: bytes
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    access: Access
    screen: Screen
    figures: Figures
    desk: SceneDesk
    page: Page


def read_page() -> Page:
    folder = files("edgekit.camera.serving") / "page"
    style = (folder / _STYLE).read_text(encoding="utf-8")
    script = "".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    html = (folder / "index.html").read_text(encoding="utf-8")
    html = html.replace("/*style*/", style).replace("/*script*/", script)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(content=html.encode(), policy=policy)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
