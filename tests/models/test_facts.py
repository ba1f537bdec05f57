"""Facts against values that were known before: by hand, from papers, and from what onnxruntime computes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.models import GraphFacts, graph_facts, load_model, parse_shapes
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.architectures import efficientnet_lite0, mobilenet_v1, mobilenet_v2
from tests.models.building import model, node, random, saved, untyped, value
from tests.models.counting import macs_by_running


def facts_of(folder: Path, proto: onnx.ModelProto, *shapes: str) -> GraphFacts:
    return graph_facts(load_model(saved(folder, proto), parse_shapes(shapes)))


# --- known networks --------------------------------------------------------------------------------------


def test_mobilenet_v1_has_the_macs_and_parameters_of_its_paper(tmp_path: Path) -> None:
    """569 million multiply-adds and 4.2 million parameters (table 8); to the digit from ncnn's own graph."""
    facts = facts_of(tmp_path, mobilenet_v1())
    assert facts.macs == 568_740_352
    assert facts.parameters == pytest.approx(4.2e6, rel=0.01)


def test_mobilenet_v2_has_the_macs_and_parameters_of_torchvision(tmp_path: Path) -> None:
    """torchvision counts 300,774,272 for convolutions and classifier, and 3,504,872 parameters.

    Its BatchNorms have two parameters a channel; folded, one bias a channel is left.
    """
    facts = facts_of(tmp_path, mobilenet_v2())
    assert facts.macs == 300_774_272
    assert facts.parameters == 3_504_872 - 17_056


def test_efficientnet_lite0_has_the_parameters_of_its_release(tmp_path: Path) -> None:
    """4,652,008 with two a BatchNorm channel. The release's 407 M counts normalization and activations, too."""
    proto, norm_channels = efficientnet_lite0()
    facts = facts_of(tmp_path, proto)
    assert facts.parameters == 4_652_008 - norm_channels
    assert facts.macs == 385_187_552
    assert facts.macs == pytest.approx(407e6, rel=0.06)
    assert facts.operators["BatchNormalization"] == 49
    assert not any(layer.op == "BatchNormalization" for layer in facts.layers)


# --- one operator each ------------------------------------------------------------------------------------

MACS = [
    ("conv", node("Conv", "x w", "y", pads=[1] * 4), {"x": (1, 3, 8, 8), "w": (16, 3, 3, 3)}, 16 * 64 * 27),
    ("conv stride", node("Conv", "x w", "y", strides=[2, 2]), {"x": (1, 3, 9, 9), "w": (4, 3, 3, 3)}, 4 * 16 * 27),
    ("depthwise", node("Conv", "x w", "y", group=6), {"x": (1, 6, 5, 5), "w": (6, 1, 5, 5)}, 6 * 25),
    ("grouped", node("Conv", "x w", "y", group=2), {"x": (1, 8, 4, 4), "w": (6, 4, 1, 1)}, 6 * 16 * 4),
    ("conv 1d", node("Conv", "x w", "y"), {"x": (1, 2, 10), "w": (3, 2, 3)}, 3 * 8 * 6),
    ("conv 3d", node("Conv", "x w", "y"), {"x": (1, 1, 4, 4, 4), "w": (2, 1, 2, 2, 2)}, 2 * 27 * 8),
    ("transposed", node("ConvTranspose", "x w", "y", strides=[2, 2]), {"x": (1, 4, 5, 5), "w": (4, 3, 2, 2)}, 100 * 12),
    ("transposed, grouped", node("ConvTranspose", "x w", "y", group=2), {"x": (1, 4, 5, 5), "w": (4, 3, 2, 2)}, 100 * 12),
    ("gemm", node("Gemm", "x w", "y"), {"x": (2, 5), "w": (5, 7)}, 70),
    ("gemm transposed", node("Gemm", "x w", "y", transA=1, transB=1), {"x": (5, 2), "w": (7, 5)}, 70),
    ("matmul", node("MatMul", "x w", "y"), {"x": (1, 4, 6, 8), "w": (8, 3)}, 4 * 6 * 3 * 8),
    ("matmul broadcast", node("MatMul", "x w", "y"), {"x": (4, 1, 2, 8), "w": (3, 8, 5)}, 4 * 3 * 2 * 5 * 8),
    ("einsum", node("Einsum", "x w", "y", equation="bij,jk->bik"), {"x": (2, 3, 4), "w": (4, 5)}, 2 * 3 * 4 * 5),
    ("einsum of one", node("Einsum", "x", "y", equation="ij->ji"), {"x": (3, 4)}, 0),
    ("relu", node("Relu", "x", "y"), {"x": (1, 100)}, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "shapes", "macs"), [case[1:] for case in MACS], ids=[case[0] for case in MACS]
)
def test_macs_by_hand(
    tmp_path: Path, one: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], macs: int
) -> None:
    weights = {name: random(shape) for name, shape in shapes.items() if name != "x"}
    proto = model([one], [value("x", *shapes["x"])], [untyped("y")], weights)
    assert facts_of(tmp_path, proto).macs == macs


def test_macs_of_recurrent_layers(tmp_path: Path) -> None:
    """5 steps, batch 1, both directions: an LSTM has 4 gates, a GRU 3, each of hidden * (input + hidden)."""
    weights = {
        "lw": random((2, 4 * 6, 3)), "lr": random((2, 4 * 6, 6)), "gw": random((2, 3 * 6, 3)), "gr": random((2, 3 * 6, 6)),
    }  # fmt: skip
    nodes = [
        node("LSTM", "x lw lr", "y", hidden_size=6, direction="bidirectional"),
        node("GRU", "x gw gr", "z", hidden_size=6, direction="bidirectional"),
    ]
    proto = model(nodes, [value("x", 5, 1, 3)], [untyped("y"), untyped("z")], weights)
    layers = facts_of(tmp_path, proto).layers
    assert [layer.macs for layer in layers] == [5 * 2 * 4 * 6 * (3 + 6), 5 * 2 * 3 * 6 * (3 + 6)]


def test_attention_is_two_matrix_products(tmp_path: Path) -> None:
    """2 heads, 5 queries, 7 keys, 4 wide: the same as MatMul(Q, K) and MatMul(weights, V)."""
    nodes = [node("Attention", "q k v", "y")]
    inputs = [value("q", 1, 2, 5, 4), value("k", 1, 2, 7, 4), value("v", 1, 2, 7, 4)]
    assert facts_of(tmp_path, model(nodes, inputs, [untyped("y")], opset=23, ir=10)).macs == 2 * (
        2 * 5 * 7 * 4
    )


def test_the_dearer_branch_of_an_if_counts(tmp_path: Path) -> None:
    cheap = helper.make_graph([node("Relu", "x", "a")], "cheap", [], [untyped("a")])
    dear = helper.make_graph([node("MatMul", "x w", "b")], "dear", [], [untyped("b")])
    nodes = [node("If", "c", "y", then_branch=cheap, else_branch=dear)]
    inputs = [value("x", 3, 4), value("c", dtype=TensorProto.BOOL)]
    facts = facts_of(tmp_path, model(nodes, inputs, [untyped("y")], {"w": random((4, 5))}))
    assert facts.macs == 3 * 4 * 5
    assert facts.parameters == 20
    assert facts.operators == {"If": 1, "MatMul": 1, "Relu": 1}


# --- against a second counter ----------------------------------------------------------------------------


@pytest.mark.parametrize("proto", [tiny_cnn(), tiny_bert()], ids=["cnn", "bert"])
def test_macs_agree_with_what_onnxruntime_computes(tmp_path: Path, proto: onnx.ModelProto) -> None:
    facts = facts_of(tmp_path, proto)
    assert facts.macs == macs_by_running(proto)
    assert facts.macs


# --- parameters and weights ------------------------------------------------------------------------------


def test_shapes_and_axes_are_no_parameters(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x s", "r"), node("MatMul", "r w", "y")]
    constants = {"s": np.array([2, 6]), "w": random((6, 4))}
    facts = facts_of(tmp_path, model(nodes, [value("x", 3, 4)], [untyped("y")], constants))
    assert facts.parameters == 24
    assert facts.weights_bytes == 24 * 4 + 2 * 8


def test_a_shared_weight_counts_once(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "y")]
    facts = facts_of(tmp_path, model(nodes, [value("x", 1, 4)], [untyped("y")], {"w": random((4, 4))}))
    assert facts.parameters == 16
    assert [layer.parameters for layer in facts.layers] == [16, 0]


def test_weights_in_constant_nodes_count_as_initializers_do(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(random((4, 5)), "w")
    held = model(
        [node("Constant", "", "w", value=weight), node("MatMul", "x w", "y")],
        [value("x", 1, 4)],
        [untyped("y")],
    )
    facts = facts_of(tmp_path, held)
    assert (facts.parameters, facts.weights_bytes, facts.macs) == (20, 80, 20)
    assert facts.operators == {"MatMul": 1}


# --- memory ------------------------------------------------------------------------------------------------


def test_peak_of_a_chain_is_its_largest_neighbours(tmp_path: Path) -> None:
    """x 100 -> a 400 -> y 40 floats: a and what it is made of, or a and what is made of it."""
    nodes = [node("MatMul", "x w1", "a"), node("MatMul", "a w2", "y")]
    weights = {"w1": random((100, 400)), "w2": random((400, 40))}
    facts = facts_of(tmp_path, model(nodes, [value("x", 1, 100)], [untyped("y")], weights))
    assert facts.peak_activation_bytes == 4 * (100 + 400)


def test_a_skip_connection_stays_alive(tmp_path: Path) -> None:
    """a is needed by the Add while b, c are made of it: a + b + c at once."""
    nodes = [
        node("Relu", "x", "a"),
        node("Relu", "a", "b"),
        node("Sigmoid", "b", "c"),
        node("Add", "a c", "y"),
    ]
    facts = facts_of(tmp_path, model(nodes, [value("x", 1, 10)], [untyped("y")]))
    assert facts.peak_activation_bytes == 4 * 30


def test_types_have_their_sizes(tmp_path: Path) -> None:
    """10 float32 in, 10 int64 made of them."""
    proto = model([node("Cast", "x", "y", to=TensorProto.INT64)], [value("x", 1, 10)], [untyped("y", 7)])
    assert facts_of(tmp_path, proto).peak_activation_bytes == 40 + 80


def test_free_dimensions_leave_what_depends_on_them_unknown(tmp_path: Path) -> None:
    proto = model(
        [node("Conv", "x w", "y")],
        [value("x", "N", 3, "h", "w")],
        [untyped("y")],
        {"w": random((4, 3, 3, 3))},
    )
    free = facts_of(tmp_path, proto)
    assert (free.macs, free.peak_activation_bytes, free.parameters) == (None, None, 108)
    assert "--shape 'x:1,3,H,W'" in free.notes[0]
    fixed = facts_of(tmp_path, proto, "x:1,3,5,5")
    assert fixed.macs == 9 * 4 * 27
    assert fixed.notes == ()


# --- onnxruntime's own operators ------------------------------------------------------------------------------


def test_packed_weights_count_as_the_matrix_they_stand_for(tmp_path: Path) -> None:
    packed = helper.make_node(
        "MatMulNBits", ["x", "b", "s"], ["y"], "q", domain="com.microsoft", K=64, N=8, bits=4, block_size=32
    )
    constants = {"b": np.zeros((8, 2, 16), np.uint8), "s": random((16,))}
    proto = model([packed, node("Relu", "y", "z")], [value("x", 1, 3, 64)], [untyped("z")], constants,
                  domains={"com.microsoft": 1})  # fmt: skip
    facts = facts_of(tmp_path, proto)
    assert facts.macs == 3 * 64 * 8
    assert facts.parameters == 64 * 8 + 16
    assert facts.layers[1].output_shape == (1, 3, 8)
    assert facts.operators == {"Relu": 1, "com.microsoft::MatMulNBits": 1}


def test_an_operator_whose_shapes_nobody_knows_is_named(tmp_path: Path) -> None:
    odd = helper.make_node("CropAndResize", ["x"], ["a"], "odd", domain="com.microsoft")
    proto = model([odd, node("MatMul", "a w", "y", "last")], [value("x", 1, 4)], [untyped("y")], {"w": random((4, 5))},
                  domains={"com.microsoft": 1})  # fmt: skip
    facts = facts_of(tmp_path, proto)
    assert facts.macs is None
    assert "'last' (MatMul)" in facts.notes[0]


def test_sizes_of_real_tensors_add_up(tmp_path: Path) -> None:
    """weights_bytes is the file's own weights, to the byte, where nothing is folded."""
    proto = tiny_bert()
    stored = sum(
        math.prod(t.dims) * onnx.helper.tensor_dtype_to_np_dtype(t.data_type).itemsize
        for t in proto.graph.initializer
    )
    assert facts_of(tmp_path, proto).weights_bytes == stored
