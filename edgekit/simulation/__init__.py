"""Predicted devices: latency and memory of a model on hardware that is not here, from its graph, with a published error."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.simulation.asking import Asked, estimate, profile_of
    from edgekit.simulation.fit_profile import fit_published, fit_rows
    from edgekit.simulation.predict import Prediction

_HOME = {
    "Asked": "asking",
    "Prediction": "predict",
    "estimate": "asking",
    "fit_published": "fit_profile",
    "fit_rows": "fit_profile",
    "profile_of": "asking",
}

__all__ = ["Asked", "Prediction", "estimate", "fit_published", "fit_rows", "profile_of"]


def __getattr__(name: str) -> Any:
    # numpy and onnx take half a second to import, which a list of profiles need not pay
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
