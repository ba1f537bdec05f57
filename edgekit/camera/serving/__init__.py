"""A running pipeline over HTTP: the live page, its figures, metrics for Prometheus, and a scene to draw."""

from edgekit.camera.serving.address import Address, read_address
from edgekit.camera.serving.live_page import LivePage

__all__ = ["Address", "LivePage", "read_address"]
