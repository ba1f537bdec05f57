"""What is deployed: an artifact, its contract, a golden pair, and a manifest that says how they came about."""

from edgekit.bundles.read import SUFFIX, Bundle, is_bundle, read_bundle

__all__ = ["SUFFIX", "Bundle", "is_bundle", "read_bundle"]
