"""Rewrites of an int8 graph that bring operators onto the NPU, in the order they are tried.

Each is one function that changes a graph in place and names what it changed. The worker runs the graph before and
after it with TFLite's reference kernels, and takes back a rewrite that does not keep the answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tflite_graph import Graph

from passes.channels_last_mean import channels_last_mean
from passes.integer_clamp import integer_clamp
from passes.integer_io import integer_io
from passes.integer_leaky_relu import integer_leaky_relu


@dataclass(frozen=True)
class Pass:
    """One rewrite."""

    run: Callable[[Graph], list[str]]
    rounds: bool = False
    """It rounds in integers what was rounded in float: values may come out one step apart. Others keep every bit."""


PASSES: Mapping[str, Pass] = {
    "integer-io": Pass(integer_io),
    "integer-clamp": Pass(integer_clamp, rounds=True),
    "integer-leaky-relu": Pass(integer_leaky_relu, rounds=True),
    "channels-last-mean": Pass(channels_last_mean),
}
