"""A net that int8 slows down, as there are many: it comes back as the float artifact, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from edgekit.conversion.convert import Order, convert
from tests.conversion.project import only, reasons, write_target
from tests.graphs import Graph, floats, renamed


def gated(*, layers: int = 8, width: int = 16, size: int = 48) -> onnx.ModelProto:
    """Depthwise convolutions between gates: little arithmetic, and every gate is float between two conversions."""
    g = Graph(11)
    x = "x"
    for layer in range(layers):
        weight = g.weight(f"w{layer}", (width, 1, 3, 3), 0.4)
        x = g.node("Conv", [x, weight], f"depthwise{layer}", pads=[1] * 4, group=width)
        x = g.node("Mul", [x, g.node("HardSigmoid", [x], f"gate{layer}")], f"gated{layer}")
    x = g.node("Flatten", [g.node("GlobalAveragePool", [x], "pool")], "flatten")
    renamed(g, g.node("Gemm", [x, g.weight("head", (width, 4), 0.5)], "classes"), "y")
    return g.model([floats("x", 1, width, size, size)], [floats("y", 1, 4)])


def test_where_int8_is_slower_float_comes_back(project: Path, tmp_path: Path) -> None:
    write_target(project, "board")
    onnx.save(gated(), tmp_path / "gated.onnx")
    samples = tmp_path / "samples"
    samples.mkdir()
    rng = np.random.default_rng(0)
    for index in range(8):
        np.savez(samples / f"{index}.npz", x=rng.standard_normal((1, 16, 48, 48)).astype(np.float32))
    order = Order(
        model=tmp_path / "gated.onnx",
        targets=("board",),
        out=project / "out",
        calibration=samples,
        threads=1,
        effort="fast",
    )
    found = convert(order, catalog=only("onnxruntime"))
    (kept,) = found.bundles
    assert kept.manifest.artifact.precision == "fp32"
    reason = reasons(found)["onnxruntime int8"]
    assert "slower than the source model" in reason or "of its time" in reason
