"""The moments that weights are fitted on, where their difference to the mean is all there is."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgekit.quantization.layers import layers
from edgekit.quantization.rounding import _moments
from edgekit.quantization.segments import Segments
from tests.graphs import Graph, floats, renamed


def test_inputs_that_never_change_have_no_curvature() -> None:
    """As behind a layer of which int8 leaves nothing but the bias: noise of either sign could not be factorized."""
    g = Graph()
    renamed(g, g.node("Conv", ["x", g.weight("w", (4, 8, 1, 1), 0.3), g.weight("b", (4,), 0.1)], "conv"), "y")
    model = g.model([floats("x", 1, 8, 16, 16)], [floats("y", 1, 4, 16, 16)])
    same = np.broadcast_to(np.linspace(1, 7, 8, dtype=np.float32)[None, :, None, None], (1, 8, 16, 16))
    (layer,) = layers(onnx.shape_inference.infer_shapes(model).graph)
    segments = Segments(model, [{"x": same}] * 4, 1)
    found = _moments(layer, "x", segments, segments, kept=None)
    assert np.abs(found.curvature).max() == pytest.approx(0, abs=1e-12)
    assert found.mean.ravel() == pytest.approx(same[0, :, 0, 0])
