"""Bundles at work on frames: sources, a pipeline that keeps up with them, and where the answers go."""
