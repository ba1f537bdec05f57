"""The zoo's models as others exported them: known facts, a normal form that answers alike, quickly refused fuzz."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest

from edgekit.errors import ModelError
from edgekit.models import Model, graph_facts, load_model, parse_shapes, prepare_onnx
from edgekit.models.zoo import resolve
from tests.models.building import run
from tests.models.counting import any_input, macs_by_running

pytestmark = pytest.mark.network


@dataclass(frozen=True)
class Real:
    shapes: tuple[str, ...]
    nodes: int
    """Of the normal form."""
    parameters: int
    macs: int


MODELS = {
    # Paddle: weights in Constant nodes, unfolded BatchNorm, free dimensions, opset 11 and 12
    "ppocrv4-det": Real(("x:1,3,320,320",), 269, 1_171_569, 575_567_744),
    "ppocrv4-rec": Real(("x:1,3,48,320",), 341, 2_687_728, 702_469_440),
    "ppocrv4-cls": Real(("x:1,3,48,192",), 180, 127_292, 16_315_376),
    # 6 layers of 64 tokens: 4 projections of 384², 2 of 384 x 1536, and the products of attention
    "minilm": Real(("input_ids:1,64",), 0, 22_393_351, 6 * 64 * (4 * 384**2 + 2 * 384 * 1536 + 2 * 64 * 384)),
    "efficientnet-lite0": Real((), 94, 4_631_002, 385_187_552),
}  # fmt: skip


def loaded(model_id: str) -> Model:
    return load_model(resolve(model_id), parse_shapes(MODELS[model_id].shapes))


@pytest.mark.parametrize("model_id", MODELS)
def test_facts_are_those_of_two_counters(model_id: str, tmp_path: Path) -> None:
    real, model = MODELS[model_id], loaded(model_id)
    facts = graph_facts(model)
    assert facts.parameters == real.parameters
    # the pooled attention mask and such small products come on top of a transformer's formula
    assert facts.macs == pytest.approx(real.macs, rel=1e-4)
    assert facts.macs == macs_by_running(onnx.load(prepare_onnx(model, tmp_path / "out.onnx")))
    assert facts.notes == ()


@pytest.mark.parametrize("model_id", MODELS)
def test_the_normal_form_answers_as_the_source(model_id: str, tmp_path: Path) -> None:
    model = loaded(model_id)
    out = prepare_onnx(model, tmp_path / "out.onnx")
    proto = onnx.load(out)
    onnx.checker.check_model(proto, full_check=True)
    kinds = {node.op_type for node in proto.graph.node}
    assert not kinds & {"Constant", "BatchNormalization", "Shape", "Identity", "Dropout"}
    assert proto.opset_import[0].version >= 17
    assert MODELS[model_id].nodes in (0, len(proto.graph.node))
    feeds = {item.name: any_input(item) for item in proto.graph.input}
    for before, after in zip(run(model.path, feeds), run(out, feeds), strict=True):
        # outputs are logits, cosines or probabilities near 1: absolute, as noise may leave all of them near 0
        assert before.shape == after.shape
        assert abs(before - after).max() < 1e-4


@pytest.mark.parametrize("model_id", ["ppocrv4-det", "minilm"])
def test_every_node_bears_its_name_of_the_source(model_id: str, tmp_path: Path) -> None:
    model = loaded(model_id)
    assert model.proto is not None
    source = {node.name for node in onnx.load(model.path).graph.node}
    assert {node.name for node in onnx.load(prepare_onnx(model, tmp_path / "out.onnx")).graph.node} <= source


def test_without_a_shape_the_option_is_named() -> None:
    model = load_model(resolve("ppocrv4-det"))
    with pytest.raises(ModelError, match="--shape 'x:1,3,H,W'"):
        prepare_onnx(model, Path("never-written.onnx"))
    assert not Path("never-written.onnx").exists()


def test_int8_weights_without_the_standard_operators_are_recognised(tmp_path: Path) -> None:
    """38 matrices of int8 that are cast to float and scaled; folding them would undo it."""
    model = load_model(resolve("minilm-int8"), {"input_ids": (1, 64)})
    assert "38 weights are stored as int8" in (model.quantization or "")
    out = prepare_onnx(model, tmp_path / "out.onnx")
    assert out.stat().st_size < 1.02 * model.path.stat().st_size


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("model_id", ["ppocrv4-det", "efficientnet-lite0"])
def test_a_download_that_broke_off_is_refused(model_id: str, share: float, tmp_path: Path) -> None:
    content = resolve(model_id).read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"m\.onnx: .*damaged"):
        load_model(path)
