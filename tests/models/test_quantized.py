"""Models that are already quantized are recognised, and how is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantFormat, quantize_dynamic, quantize_static

from edgekit.models import Model, graph_facts, load_model
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.building import model, node, random, saved, untyped, value
from tests.models.tflite_building import Builder, conv_options

INTEGERS = np.random.default_rng(0).integers(-9, 9, (8, 8), np.int8)


class Samples:
    """What onnxruntime's quantizer reads, without its base class, which has no types."""

    def __init__(self) -> None:
        self.left = [{"x": random((1, 3, 16, 16), seed)} for seed in range(2)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def loaded(folder: Path, proto: onnx.ModelProto) -> Model:
    return load_model(saved(folder, proto))


def by_hand(nodes: list[onnx.NodeProto], constants: dict[str, Any], **domains: int) -> onnx.ModelProto:
    return model(
        nodes,
        [value("x", 1, 8)],
        [untyped("y")],
        constants,
        domains={k.replace("_", "."): v for k, v in domains.items()},
    )


WEIGHT_ONLY = by_hand(
    [node("DequantizeLinear", "q s", "w"), node("MatMul", "x w", "y")], {"q": INTEGERS, "s": np.float32(1)}
)
CAST = by_hand(
    [node("Cast", "q", "f", to=TensorProto.FLOAT), node("Mul", "f s", "w"), node("MatMul", "x w", "y")],
    {"q": INTEGERS, "s": np.float32(1)},
)
PACKED = by_hand(
    [
        helper.make_node(
            "MatMulNBits", ["x", "q", "s"], ["y"], domain="com.microsoft", K=8, N=8, bits=4, block_size=16
        )
    ],
    {"q": np.zeros((8, 1, 8), np.uint8), "s": np.ones(8, np.float32)},
    com_microsoft=1,
)
DYNAMIC_CONV = model(
    [node("DynamicQuantizeLinear", "x", "q s z"), node("ConvInteger", "q w z", "y")],
    [value("x", 1, 2, 4, 4)],
    [untyped("y", TensorProto.INT32)],
    {"w": np.ones((2, 2, 1, 1), np.uint8)},
)


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (WEIGHT_ONLY, "weight-only: 1 weights"),
        (CAST, "cast to float"),
        (PACKED, "4-bit"),
        (DYNAMIC_CONV, "dynamic int8"),
    ],
    ids=["weight only", "cast", "packed", "ConvInteger"],
)
def test_forms_by_hand(tmp_path: Path, proto: onnx.ModelProto, words: str) -> None:
    found = loaded(tmp_path, proto)
    assert found.quantized
    assert words in (found.quantization or "")


@pytest.mark.parametrize(
    ("form", "words"), [(QuantFormat.QDQ, "static int8 as QDQ"), (QuantFormat.QOperator, "static int8: ")]
)
def test_what_onnxruntime_writes_statically(tmp_path: Path, form: QuantFormat, words: str) -> None:
    source = saved(tmp_path, tiny_cnn())
    quantize_static(source, tmp_path / "q.onnx", Samples(), quant_format=form)
    found = load_model(tmp_path / "q.onnx")
    assert words in (found.quantization or "")
    assert graph_facts(found).macs == graph_facts(load_model(source)).macs


def test_what_onnxruntime_writes_dynamically(tmp_path: Path) -> None:
    source = saved(tmp_path, tiny_bert())
    quantize_dynamic(source, tmp_path / "q.onnx")
    found = load_model(tmp_path / "q.onnx")
    assert "dynamic int8: 12 integer operators" in (found.quantization or "")
    assert graph_facts(found).macs == graph_facts(load_model(source)).macs


@pytest.mark.parametrize("proto", [tiny_cnn(), tiny_bert()], ids=["cnn", "bert"])
def test_float_models_are_not_quantized(tmp_path: Path, proto: onnx.ModelProto) -> None:
    assert loaded(tmp_path, proto).quantization is None


def test_images_of_bytes_do_not_make_a_model_quantized(tmp_path: Path) -> None:
    """A uint8 input that is cast to float, and a small integer table, are data."""
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), node("Relu", "f", "y")]
    proto = model(nodes, [value("x", 1, 8, dtype=TensorProto.UINT8)], [untyped("y")])
    assert not loaded(tmp_path, proto).quantized


def _float(b: Builder, x: int, y: int) -> None:
    b.operator(
        "CONV_2D",
        [x, b.tensor("w", (1, 1, 1, 1), data=np.ones((1, 1, 1, 1), np.float32))],
        [y],
        conv_options(),
    )


def _half_weights(b: Builder, x: int, y: int) -> None:
    half = b.tensor("h", (1, 1, 1, 1), data=np.ones((1, 1, 1, 1), np.float16))
    wide = b.tensor("w", (1, 1, 1, 1))
    b.operator("DEQUANTIZE", [half], [wide])
    b.operator("CONV_2D", [x, wide], [y], conv_options())


def _dynamic(b: Builder, x: int, y: int) -> None:
    weight = b.tensor("w", (1, 1, 1, 1), data=np.ones((1, 1, 1, 1), np.int8), scale=0.1)
    b.operator("CONV_2D", [x, weight], [y], conv_options())


def _static(b: Builder, x: int, y: int) -> None:
    q = b.tensor("q", (1, 4, 4, 1), dtype="int8", scale=0.1)
    b.operator("QUANTIZE", [x], [q])
    weight = b.tensor("w", (1, 1, 1, 1), data=np.ones((1, 1, 1, 1), np.int8), scale=0.1)
    c = b.tensor("c", (1, 4, 4, 1), dtype="int8", scale=0.2)
    b.operator("CONV_2D", [q, weight], [c], conv_options())
    b.operator("DEQUANTIZE", [c], [y])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (_float, None),
        (_half_weights, None),
        (_dynamic, "dynamic range: 1 weights"),
        (_static, "2 of 3 activations are int8"),
    ],
)
def test_tflite(tmp_path: Path, build: Callable[[Builder, int, int], None], words: str | None) -> None:
    b = Builder()
    x, y = b.tensor("x", (1, 4, 4, 1)), b.tensor("y", (1, 4, 4, 1))
    build(b, x, y)
    path = tmp_path / "m.tflite"
    path.write_bytes(b.content([x], [y]))
    found = load_model(path)
    assert found.quantized == (words is not None)
    assert words is None or words in (found.quantization or "")
