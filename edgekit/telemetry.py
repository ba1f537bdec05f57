"""Switch off the telemetry of the libraries that edgekit starts."""

from __future__ import annotations

import os
from pathlib import Path

SWITCHED_OFF = {
    # onnxruntime's Linux wheels collect and post on import; only this variable, set before, stops them
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    # a convention that further tools follow
    "DO_NOT_TRACK": "1",
}
"""Environment of every process that edgekit starts, and of edgekit itself before it loads a library."""


def switch_off() -> None:
    """Switch off in this process, and so in those that inherit its environment; libraries read it on import."""
    os.environ.update(SWITCHED_OFF)


def opt_out(home: Path) -> None:
    """Decline in the consent file of openvino_telemetry, which nncf and openvino read under ``home``.

    Without the file both libraries take silence for consent: nncf writes a client id and posts events.
    """
    consent = home / "intel" / "openvino_telemetry"
    consent.parent.mkdir(parents=True, exist_ok=True)
    consent.write_text("0")
