"""A graph with its own weights again: activations are rounded, weights are not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgekit.quantization.grading import CAP_DB, Grader
from edgekit.quantization.insertion import Pairs, Scheme, insert, quantized_tensors
from edgekit.quantization.placement import float_nodes
from edgekit.quantization.unrounded import insert_around_activations, with_float_weights
from edgekit.quantization.watching import observe
from tests.quantization.small import deep_cnn, inferred, initializers, smooth_images


def quantized(model: onnx.ModelProto, scheme: Scheme | None = None, *, span: float = 1.0) -> onnx.ModelProto:
    in_float, scheme = float_nodes(model.graph), scheme or Scheme()
    tensors = quantized_tensors(model, in_float, scheme)
    ranges = observe(model, tensors, smooth_images(8), ["minmax"], threads=1)["minmax"]
    wide = {name: (low * span, high * span) for name, (low, high) in ranges.items()}
    return insert(model, wide, in_float, scheme)


def test_how_weights_were_rounded_plays_no_part_and_how_activations_were_does() -> None:
    model, images = inferred(deep_cnn()), smooth_images(4, seed=9)
    fine, coarse = (with_float_weights(quantized(model, Scheme(weight_bits=bits)), model) for bits in (8, 7))
    assert Grader(fine, images, 1).sqnr_db(coarse) == CAP_DB
    grader = Grader(model, images, 1)
    # steps of four times the size are 12 dB
    wide = with_float_weights(quantized(model, span=4.0), model)
    assert grader.sqnr_db(wide) < grader.sqnr_db(fine) - 6


def test_every_layer_reads_the_weights_of_the_source_and_the_graph_given_stays() -> None:
    model = inferred(deep_cnn())
    graph = quantized(model)
    before = graph.SerializeToString(deterministic=True)
    made = with_float_weights(graph, model)
    assert graph.SerializeToString(deterministic=True) == before
    weights = initializers(model)
    layers = [node for node in made.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(layers) == 8
    for node in layers:
        np.testing.assert_array_equal(initializers(made)[node.input[1]], weights[node.input[1]])


@pytest.mark.parametrize("pairs", ["all", "read"])
@pytest.mark.parametrize("kept", [(), ("conv0",)])
def test_pairs_around_activations_alone_are_those_of_the_whole_graph(
    pairs: Pairs, kept: tuple[str, ...]
) -> None:
    model, scheme, images = inferred(deep_cnn()), Scheme(pairs=pairs), smooth_images(4)
    in_float = float_nodes(model.graph, kept)
    tensors = quantized_tensors(model, in_float, scheme)
    ranges = observe(model, tensors, images, ["minmax"], threads=1)["minmax"]
    whole = with_float_weights(insert(model, ranges, in_float, scheme), model)
    alone = insert_around_activations(model, ranges, in_float, scheme)
    assert [node.SerializeToString() for node in alone.graph.node] == [
        node.SerializeToString() for node in whole.graph.node
    ]
    values, expected = initializers(alone), initializers(whole)
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(values[name], value)
