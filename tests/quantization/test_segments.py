"""Piece by piece gives what the whole model gives, and nothing is kept that no node needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from edgekit.quantization.grading import inference_session
from edgekit.quantization.segments import Segments
from tests.graphs import samples, tiny_bert, tiny_cnn
from tests.quantization.small import inferred, quantized

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {"cnn": tiny_cnn, "bert": tiny_bert}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("integers", [False, True])
def test_each_tensor_is_the_whole_model_s(name: str, integers: bool) -> None:
    source = inferred(MODELS[name]())
    data = samples(source, 3)
    model = quantized(source, samples(source, 4)) if integers else source
    weights = {tensor.name for tensor in model.graph.initializer}
    tensors = [
        node.input[0]
        for node in model.graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm", "Softmax") and node.input[0] not in weights
    ]
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in dict.fromkeys(tensors))
    session = inference_session(whole, 1)
    names = [value.name for value in session.get_outputs()]
    wanted = [dict(zip(names, session.run(names, sample), strict=True)) for sample in data]
    pieces = Segments(model, data, 1)
    for tensor in tensors:
        pieces.advance(tensor)
        for sample in range(len(data)):
            values, expected = pieces.values(tensor, sample), wanted[sample][tensor]
            # fused otherwise: floats differ in the last bits, and integers next to a border by a step
            step = pieces.scale(tensor)[0] if pieces.stored(tensor) != tensor else 0.0
            np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5 + 1.01 * step)
            assert np.mean(~np.isclose(values, expected, rtol=1e-4, atol=1e-5)) < 0.01


def test_what_is_spent_is_let_go() -> None:
    source = inferred(tiny_cnn())
    model = quantized(source, samples(source, 4))
    pieces = Segments(model, samples(source, 2), 1)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    for node in convolutions:
        pieces.advance(node.input[0])
    assert "x" not in pieces.alive[0]
    # the input of the last convolution, and that of the residual sum: one byte an element
    kept = pieces.alive[0].values()
    assert len(kept) == 2
    assert {value.dtype for value in kept} == {np.dtype(np.uint8)}
