"""Latency and memory of bundles on devices: measure, compare, and say how sure that is."""
