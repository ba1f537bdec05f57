"""Take a model to an edge device and prove that it works there."""

__version__ = "0.1.0"
