"""Latency and memory of bundles on devices: measure, compare, and say how sure that is."""

from edgekit.profiling.inputs import runnable
from edgekit.profiling.interleave import interleave
from edgekit.profiling.measure import Extent, profile
from edgekit.profiling.record import Measurement
from edgekit.profiling.statistics import ratio_ci

__all__ = ["Extent", "Measurement", "interleave", "profile", "ratio_ci", "runnable"]
