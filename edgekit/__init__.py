"""Take a model to an edge device and prove that it works there."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.camera import camera

__version__ = "0.1.0"
__all__ = ["__version__", "camera"]


def __getattr__(name: str) -> Any:
    # on demand: the command must start without it
    if name != "camera":
        raise AttributeError(f"module 'edgekit' has no attribute {name!r}")
    from importlib import import_module

    return import_module("edgekit.camera")
