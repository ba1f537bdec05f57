"""What will not run where: operators, types, domains, memory, and runtimes that wait for something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.catalog import Catalog, load_catalog
from edgekit.catalog_schema import OperatorRefusal, Operators, Target
from edgekit.models import Model, Refusal, load_model, refusals
from edgekit.vocabulary import RuntimeId
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.building import model, node, random, saved, untyped, value
from tests.models.tflite_building import Builder, tiny_tflite


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def loaded(folder: Path, proto: onnx.ModelProto) -> Model:
    return load_model(saved(folder, proto), allow_unknown_operators=True)


def with_operators(catalog: Catalog, converter_id: str, **operators: Any) -> Catalog:
    """``catalog`` with other operators for one converter."""
    converter = catalog.converter(converter_id)
    changed = converter.model_copy(update={"operators": Operators(source="a test", **operators)})
    return replace(catalog, converters={**catalog.converters, converter_id: changed})


def with_memory(target: Target, ram_bytes: int) -> Target:
    return target.model_copy(update={"memory": target.memory.model_copy(update={"ram_bytes": ram_bytes})})


def reasons(found: dict[RuntimeId, tuple[Refusal, ...]], runtime: RuntimeId) -> list[tuple[str, str]]:
    return [(refusal.node, refusal.reason) for refusal in found[runtime]]


@pytest.mark.parametrize("proto", [tiny_cnn(), tiny_bert()], ids=["cnn", "bert"])
@pytest.mark.parametrize("target_id", ["host", "raspberry-pi-4", "rk3588", "android-arm64"])
def test_plain_networks_run_on_every_runtime_that_can_be_built(
    tmp_path: Path, catalog: Catalog, target_id: str, proto: onnx.ModelProto
) -> None:
    target = catalog.target(target_id)
    found = refusals(loaded(tmp_path, proto), target, catalog)
    assert list(found) == [runtime.id for runtime in target.runtimes]
    assert all(not found[runtime.id] for runtime in target.runtimes if runtime.waits_for is None)


def test_a_runtime_that_waits_says_for_what(tmp_path: Path, catalog: Catalog) -> None:
    found = refusals(loaded(tmp_path, tiny_cnn()), catalog.target("rk3588"), catalog)
    ((node_name, reason),) = reasons(found, "rknn")
    waits_for = next(
        runtime.waits_for for runtime in catalog.target("rk3588").runtimes if runtime.id == "rknn"
    )
    assert node_name == "*"
    assert waits_for is not None
    assert waits_for in reason


def test_a_refused_operator_is_named_with_its_reason_and_what_it_costs(
    tmp_path: Path, catalog: Catalog
) -> None:
    refused = OperatorRefusal(op="Conv", reason="this tool knows no convolutions")
    changed = with_operators(catalog, "onnxruntime", supported="all", refused=(refused,))
    found = refusals(loaded(tmp_path, tiny_cnn()), catalog.target("host"), changed)
    assert [(refusal.node, refusal.op, refusal.converter) for refusal in found["onnxruntime"]] == [
        ("conv1", "Conv", "onnxruntime"), ("depthwise", "Conv", "onnxruntime"), ("conv2", "Conv", "onnxruntime"),
    ]  # fmt: skip
    assert {refusal.reason for refusal in found["onnxruntime"]} == {"this tool knows no convolutions"}
    assert [refusal.macs for refusal in found["onnxruntime"]] == [40 * 256 * 27, 40 * 256 * 9, 40 * 256 * 40]
    assert found["openvino"] == ()


def test_an_operator_that_is_not_listed_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    kinds = ("Conv", "Relu", "Clip", "Add", "GlobalAveragePool", "Flatten", "Gemm")
    changed = with_operators(catalog, "openvino", supported=kinds)
    found = refusals(loaded(tmp_path, tiny_cnn()), catalog.target("host"), changed)
    assert [(refusal.node, refusal.op) for refusal in found["openvino"]] == [("softmax", "Softmax")]
    assert "a test" in found["openvino"][0].reason


def test_every_converter_on_the_way_may_refuse(tmp_path: Path, catalog: Catalog) -> None:
    """LiteRT is reached through onnx2tf."""
    refused = OperatorRefusal(op="Softmax", reason="lost on the way")
    changed = with_operators(catalog, "onnx2tf", supported="all", refused=(refused,))
    found = refusals(loaded(tmp_path, tiny_cnn()), catalog.target("host"), changed)
    assert [(refusal.node, refusal.converter) for refusal in found["litert"]] == [("softmax", "onnx2tf")]


def test_operators_inside_branches_count(tmp_path: Path, catalog: Catalog) -> None:
    inner = helper.make_graph([node("Erf", "x", "e", "inside")], "g", [], [untyped("e")])
    nodes = [node("If", "c", "y", then_branch=inner, else_branch=inner)]
    proto = model(nodes, [value("x", 1), value("c", dtype=TensorProto.BOOL)], [untyped("y")])
    changed = with_operators(catalog, "onnxruntime", supported=("If",))
    found = refusals(loaded(tmp_path, proto), catalog.target("host"), changed)
    assert {refusal.node for refusal in found["onnxruntime"]} == {"inside"}


def test_what_is_computed_before_the_first_inference_is_not_refused(tmp_path: Path, catalog: Catalog) -> None:
    nodes = [node("Shape", "x", "s"), node("Reshape", "x s", "y")]
    changed = with_operators(catalog, "onnxruntime", supported=("Reshape",))
    found = refusals(
        loaded(tmp_path, model(nodes, [value("x", 1, 4)], [untyped("y")])), catalog.target("host"), changed
    )
    assert found["onnxruntime"] == ()


def test_foreign_domains_run_nowhere(tmp_path: Path, catalog: Catalog) -> None:
    odd = helper.make_node("Frobnicate", ["x"], ["y"], "odd", domain="my.ops")
    proto = model([odd], [value("x", 1)], [untyped("y")], domains={"my.ops": 1})
    found = refusals(loaded(tmp_path, proto), catalog.target("host"), catalog)
    for runtime in ("onnxruntime", "openvino", "litert"):
        assert [(refusal.node, refusal.op) for refusal in found[runtime]] == [("odd", "my.ops::Frobnicate")]
    assert "domain 'my.ops'" in found["onnxruntime"][0].reason


def test_operators_of_onnxruntime_run_there_only(tmp_path: Path, catalog: Catalog) -> None:
    odd = helper.make_node("QuickGelu", ["x"], ["y"], "fused", domain="com.microsoft")
    proto = model([odd], [value("x", 1)], [untyped("y")], domains={"com.microsoft": 1})
    changed = with_operators(catalog, "openvino", supported="all")
    found = refusals(loaded(tmp_path, proto), catalog.target("host"), changed)
    assert found["onnxruntime"] == ()
    assert reasons(found, "openvino") == [("fused", "an operator of onnxruntime only; export plain ONNX")]
    listed = with_operators(catalog, "openvino", supported=("com.microsoft::QuickGelu",))
    assert refusals(loaded(tmp_path, proto), catalog.target("host"), listed)["openvino"] == ()


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.COMPLEX64, "complex64"),
    ],
)
def test_types_that_devices_do_not_compute_with(
    tmp_path: Path, catalog: Catalog, dtype: int, name: str
) -> None:
    proto = model([node("Identity", "x", "y", "wide")], [value("x", 4, dtype=dtype)], [untyped("y", dtype)])
    found = refusals(loaded(tmp_path, proto), catalog.target("host"), catalog)
    assert reasons(found, "onnxruntime")[0][0] == "wide"
    assert f"computes with {name}" in reasons(found, "onnxruntime")[0][1]


def test_a_model_that_does_not_fit_into_memory(tmp_path: Path, catalog: Catalog) -> None:
    """1 MiB of weights: .25 as int8, and 4 KB + 4 KB of activations, .25 of that."""
    proto = model(
        [node("MatMul", "x w", "y")], [value("x", 1, 512)], [untyped("y")], {"w": random((512, 512))}
    )
    target = catalog.target("host")
    enough = with_memory(target, int((2**18 + 2048) / target.memory.usable_share) + 2)
    assert not any(refusals(loaded(tmp_path, proto), enough, catalog).values())
    small = with_memory(target, int(2**18 / target.memory.usable_share))
    ((node_name, reason),) = reasons(refusals(loaded(tmp_path, proto), small, catalog), "onnxruntime")
    assert node_name == "*"
    assert "weights" in reason
    assert "activations" in reason


def test_a_quantized_model_shrinks_no_further(tmp_path: Path, catalog: Catalog) -> None:
    weight = np.zeros((512, 512), np.int8)
    nodes = [node("DequantizeLinear", "q s", "w"), node("MatMul", "x w", "y")]
    proto = model(nodes, [value("x", 1, 512)], [untyped("y")], {"q": weight, "s": np.float32(1)})
    target = with_memory(catalog.target("host"), 2**18)
    assert reasons(refusals(loaded(tmp_path, proto), target, catalog), "onnxruntime")


def test_tflite_runs_on_litert_only(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite())
    found = refusals(load_model(path), catalog.target("host"), catalog)
    assert found["litert"] == ()
    assert reasons(found, "onnxruntime") == [("*", "no converter leads from tflite to onnx")]


def test_custom_operators_of_tflite_are_refused(tmp_path: Path, catalog: Catalog) -> None:
    b = Builder()
    x, y = b.tensor("x", (1, 4)), b.tensor("y", (1, 4))
    b.operator("Convolution2DTransposeBias", [x], [y])
    path = tmp_path / "m.tflite"
    path.write_bytes(b.content([x], [y]))
    found = refusals(load_model(path), catalog.target("host"), catalog)
    assert [(refusal.node, refusal.op) for refusal in found["litert"]] == [
        ("y", "Convolution2DTransposeBias")
    ]
