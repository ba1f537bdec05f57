"""Models that show how sums of 8-bit products come out, in every scheme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.conversion.qdq import quantize
from tests.emulation.guest import Array
from tests.graphs import Graph, floats, renamed, write_samples

SCHEMES: Mapping[str, tuple[str, int]] = {
    "u8s8": ("uint8", 8),
    "u8s8-7bit": ("uint8", 7),
    "s8s8": ("int8", 8),
}
"""Name -> type of the activations, bits of the weights; u8u8 and ``exact`` are made of u8s8."""


def heavy_net() -> onnx.ModelProto:
    """Convolutions whose weights are all large, so that pairs of products leave 16 bits: x [1,8,12,12] -> y [1,10]."""
    g = Graph(5)
    value = "x"
    for place, (out, into) in enumerate([(32, 8), (32, 32), (32, 32), (32, 32)]):
        # one pair of channels in three adds much, the others take a little each: the sum is small beside its
        # parts, and only the large ones saturate
        pairs = np.where(g.rng.random((out, into // 2, 3, 3)) < 1 / 3, 1.0, -0.5)
        weights = np.repeat(pairs, 2, axis=1) * g.rng.uniform(0.85, 1, (out, into, 3, 3))
        weight = g.constant(f"w{place}", (weights / np.sqrt(into * 9)).astype(np.float32))
        value = g.node("Conv", [value, weight], f"conv{place}", pads=[1] * 4)
        value = g.node("Relu", [value], f"relu{place}")
    value = g.node("GlobalAveragePool", [value], "pool")
    value = g.node("Flatten", [value], "flatten")
    renamed(g, g.node("Gemm", [value, g.weight("w", (32, 10), 1.0), g.weight("b", (10,), 0.1)], "fc"), "y")
    return g.model([floats("x", 1, 8, 12, 12)], [floats("y", 1, 10)])


def inputs(count: int, *, seed: int) -> list[Array]:
    """Bright patches, a little different in each channel: activations in the upper half of their range."""
    rng = np.random.default_rng(seed)
    coarse = 0.6 + 0.4 * rng.random((count, 1, 8, 4, 4))
    return [np.kron(sample, np.ones((1, 1, 3, 3))).astype(np.float32) for sample in coarse]


def every_sum(sets: int) -> onnx.ModelProto:
    """Quantized Adds of all pairs of 8-bit values, ``sets`` times with other scales: x [2,65536] -> y [sets,65536]."""
    g = Graph(7)
    half = g.constant("half", np.array([1, 1]))
    g.nodes.append(helper.make_node("Split", ["x", half], ["a", "b"], "split", axis=0))
    sums = []
    for number in range(sets):
        left, right = (_pair(g, name, f"{name}{number}", g.rng.uniform(0.01, 0.1)) for name in ("a", "b"))
        total = g.node("Add", [left, right], f"add{number}")
        sums.append(_pair(g, total, f"sum{number}", g.rng.uniform(0.02, 0.2)))
    renamed(g, g.node("Concat", sums, "all", axis=0), "y")
    return g.model([floats("x", 2, 65536)], [floats("y", sets, 65536)])


def every_pair() -> Array:
    """What ``every_sum`` takes: steps of its finest scale, so that each pair of values comes up."""
    steps = np.arange(256, dtype=np.float32) * np.float32(0.05)
    return np.stack([np.repeat(steps, 256), np.tile(steps, 256)])


def _pair(g: Graph, value: str, name: str, scale: float) -> str:
    ends = [g.constant(f"{name}_scale", np.float32(scale)), g.constant(f"{name}_zero", np.uint8(3))]
    return g.node(
        "DequantizeLinear", [g.node("QuantizeLinear", [value, *ends], f"{name}_q"), *ends], f"{name}_dq"
    )


def cosine(ours: Array, reference: Array) -> float:
    """The worst of all samples."""
    rows = [(a.ravel().astype(float), b.ravel().astype(float)) for a, b in zip(ours, reference, strict=True)]
    return min(float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in rows)


def make_schemes(source: Path, samples: list[Array], folder: Path, name: str = "x") -> list[Path]:
    """``source`` quantized by edgekit in each scheme; ``.exact`` in a name lets the guest ask for exact sums."""
    folder.mkdir(parents=True)
    write_samples([{name: sample} for sample in samples], folder / "calibration")
    made = [_quantized(source, folder, scheme) for scheme in SCHEMES]
    exact, unsigned = folder / "u8s8.exact.onnx", folder / "u8u8.onnx"
    exact.write_bytes(made[0].read_bytes())
    onnx.save(with_unsigned_weights(onnx.load(made[0])), unsigned)
    return [*made, unsigned, exact]


def with_unsigned_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same numbers, int8 weights and their zero points moved up by 128: u8u8 of a u8s8 graph."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            continue
        for name in (node.input[0], node.input[2]):
            value = numpy_helper.to_array(constants[name])
            if value.dtype == np.int8:
                moved = (value.astype(np.int16) + 128).astype(np.uint8)
                constants[name].CopyFrom(numpy_helper.from_array(moved, name))
    return model


def _quantized(source: Path, folder: Path, scheme: str) -> Path:
    activations, bits = SCHEMES[scheme]
    out = folder / f"{scheme}-work"
    out.mkdir()
    reply = quantize(
        {
            "source": str(source),
            "io": None,
            "out_dir": str(out),
            "precision": "int8",
            "options": {"int8_activations": activations, "int8_weight_bits": bits},
            "calibration": str(folder / "calibration"),
            "task": "tensor",
            "threads": 1,
        },
        log=folder / f"{scheme}.log",
    )
    return (out / reply["artifact"]).rename(folder / f"{scheme}.onnx")
