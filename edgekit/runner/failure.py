"""The one error that the runner reports in a line instead of a traceback."""

from __future__ import annotations


class RunnerError(Exception):
    """The bundle or this machine cannot do what was asked; the message says which file, tensor or package."""
