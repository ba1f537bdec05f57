"""Packages that only some of edgekit needs, and how to get one."""

from __future__ import annotations

import importlib.util


def how_to_install(module: str, *, extra: str, requirement: str) -> str | None:
    """The line that brings ``module``, by edgekit's ``extra`` or in a checkout; None where it is installed."""
    if importlib.util.find_spec(module) is not None:
        return None
    return f"pip install 'edgekit-toolchain[{extra}]', or in a checkout: pip install '{requirement}'"
