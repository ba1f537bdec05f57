"""Put converters/, targets/ and profiles/ into the wheel as edgekit/_catalog/…; editable installs read them in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# picked by suffix: hatchling ignores .gitignore for files that a hook adds
CATALOG = {"targets": {".toml"}, "profiles": {".toml"}, "converters": {".toml", ".py", ".lock", ".md"}}


class CatalogHook(BuildHookInterface[Any]):
    """Adds each file of the three folders; an empty folder is a broken checkout and stops the build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        for folder, suffixes in CATALOG.items():
            files = [
                path
                for path in sorted((root / folder).rglob("*"))
                if path.is_file() and path.suffix in suffixes
            ]
            if not files:
                raise RuntimeError(f"{folder}/ holds no catalog file; the wheel would be useless")
            for path in files:
                relative = path.relative_to(root).as_posix()
                build_data["force_include"][str(path)] = f"edgekit/_catalog/{relative}"
