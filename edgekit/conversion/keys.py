"""What the results of the steps depend on besides their inputs: the code and the tools that make them."""

from __future__ import annotations

import importlib.metadata
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.digest import digests, tree_sha256

if TYPE_CHECKING:
    from edgekit.catalog_schema import Converter


@cache
def code_sha256(folder: Path) -> str:
    """Over the names and bytes of all files below ``folder`` but compiled ones."""
    return tree_sha256([file for file in digests(folder) if "__pycache__" not in file.path.split("/")])


def tool_versions(converter: Converter) -> dict[str, str]:
    """Versions of the packages a core converter imports; an isolated one's stand in the lock in its folder."""
    if converter.environment.kind == "isolated":
        return {"python": converter.environment.python or ""}
    return package_versions(converter.environment.imports)


def package_versions(modules: tuple[str, ...]) -> dict[str, str]:
    """Version of the distribution behind each importable module, and Python's."""
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    owners = _owners()
    for module in modules:
        for distribution in owners.get(module, []):
            versions[distribution] = importlib.metadata.version(distribution)
    return versions


@cache
def _owners() -> dict[str, list[str]]:
    return {
        module: sorted(set(names)) for module, names in importlib.metadata.packages_distributions().items()
    }
