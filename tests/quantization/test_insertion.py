"""Pairs with the given ranges, in the scheme that a target wants."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgekit.quantization.insertion import Activations, Scheme, insert, quantized_tensors
from edgekit.quantization.placement import float_nodes
from tests.graphs import Graph, floats, renamed, tiny_bert, tiny_cnn
from tests.quantization.small import deep_cnn, inferred, initializers, quantized, smooth_images


def activation_pairs(model: onnx.ModelProto) -> dict[str, tuple[float, int, np.dtype[np.generic]]]:
    """Scale, zero point and its type by the tensor that is quantized."""
    values = initializers(model)
    pairs = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            scale, zero = (values[name] for name in node.input[1:])
            pairs[node.input[0].removesuffix("_QuantizeLinear_Input")] = float(scale), int(zero), zero.dtype
    return pairs


@pytest.mark.parametrize("build", [tiny_cnn, tiny_bert, deep_cnn])
@pytest.mark.parametrize(
    "scheme", [Scheme(), Scheme(activations="int8"), Scheme(activations="tiles", pairs="read")], ids=str
)
def test_the_tensors_foretold_are_those_that_get_a_pair(build: object, scheme: Scheme) -> None:
    assert callable(build)
    model = inferred(build())
    in_float = float_nodes(model.graph)
    tensors = quantized_tensors(model, in_float, scheme)
    made = insert(model, dict.fromkeys(tensors, (-2.0, 3.0)), in_float, scheme)
    # a ReLU whose range has negative values cannot be left out, which the trial run expects of it
    assert set(activation_pairs(made)) == set(tensors)
    onnx.checker.check_model(made, full_check=True)


@pytest.mark.parametrize(
    ("activations", "signed", "unsigned"),
    [
        ("uint8", (4 / 255, 64, np.uint8), (3 / 255, 0, np.uint8)),
        ("int8", (4 / 255, -64, np.int8), (3 / 255, -128, np.int8)),
        ("tiles", (3 / 127, 0, np.int8), (3 / 255, 0, np.uint8)),
    ],
)
def test_scales_and_zero_points(
    activations: Activations, signed: tuple[float, int, type], unsigned: tuple[float, int, type]
) -> None:
    model, scheme = inferred(tiny_cnn()), Scheme(activations=activations)
    in_float = float_nodes(model.graph)
    tensors = quantized_tensors(model, in_float, scheme)
    ranges = {name: (0.0, 3.0) if "re" in name else (-1.0, 3.0) for name in tensors}
    pairs = activation_pairs(insert(model, ranges, in_float, scheme))
    for name, (low, _) in ranges.items():
        if activations == "tiles" and name not in scheme.at_zero(model.graph):
            scale, zero, dtype = (4 / 255, 64, np.uint8) if low < 0 else unsigned
        else:
            scale, zero, dtype = signed if low < 0 else unsigned
        found = pairs[name]
        assert found[0] == pytest.approx(scale, rel=0.01)  # 254 steps or 255
        assert abs(found[1] - zero) <= 1
        assert found[2] == dtype


def test_options_name_a_scheme() -> None:
    assert Scheme.of({"int8_activations": "uint8"}) == Scheme()
    seven = Scheme.of({"int8_activations": "int8", "int8_weight_bits": 7, "int8_pairs": "read"})
    assert seven == Scheme(activations="int8", weight_bits=7, pairs="read")
    assert (seven.weight_limit, Scheme().weight_limit) == (64, 127)


def test_a_graph_output_and_a_graph_input_keep_their_names() -> None:
    g = Graph()
    x = g.node("Conv", ["x", g.weight("w", (4, 3, 1, 1), 1.0)], "first")
    renamed(g, x, "features")  # an output that another layer uses as well
    renamed(g, g.node("Conv", ["features", g.weight("v", (2, 4, 1, 1), 1.0)], "second"), "y")
    model = inferred(
        g.model([floats("x", 1, 3, 8, 8)], [floats("features", 1, 4, 8, 8), floats("y", 1, 2, 8, 8)])
    )
    made = quantized(model, smooth_images(2, size=8))
    assert [value.name for value in made.graph.input] == ["x"]
    assert [value.name for value in made.graph.output] == ["features", "y"]
    assert set(activation_pairs(made)) == {"x", "features", "y"}


def test_the_source_is_not_changed() -> None:
    model = inferred(tiny_cnn())
    before = model.SerializeToString(deterministic=True)
    quantized(model, smooth_images(2))
    assert model.SerializeToString(deterministic=True) == before
