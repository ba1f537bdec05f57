"""int8 TFLite in, TFLite for an Ethos-U out: rewritten, compiled by Vela, with what Vela predicts of it."""

from __future__ import annotations

import importlib.metadata
import math
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import micro
import numpy as np
import vela
from costs import macs
from foretelling import predicted
from io_maps import carried_over, identity
from passes import PASSES, Pass
from reference import Reference, samples
from tflite_graph import INTEGERS, Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.conversion.protocol import (
        ConversionReply,
        ConversionRequest,
        PredictionReply,
        ToolRun,
    )

Array = np.ndarray[Any, Any]
MODEL, REFERENCE = "model.tflite", "reference.tflite"
ROUNDING_DB = 25.0
"""What a rewrite that rounds elsewhere must keep of the answers: YOLOv3-tiny keeps 28 dB with eleven of them, and the
engine compares the result with the source after all."""


def convert(request: ConversionRequest) -> ConversionReply:
    source, out = Path(request["source"]), Path(request["out_dir"])
    original = Graph.read(source)
    check(original)
    options = request["options"]
    hardware = vela.Hardware(
        str(options["accelerator"]), str(options["system_config"]), str(options["memory_mode"])
    )
    io = request["io"] or identity(original)
    inputs = samples(original, io, request["calibration"])
    graph, applied, undone = rewritten(original, inputs)
    with tempfile.TemporaryDirectory() as scratch:
        # the name goes into the compiled file, which must depend on the model alone
        rewrite = Path(scratch, MODEL)
        rewrite.write_bytes(graph.packed())
        compiled = vela.compile_model(rewrite, hardware, Path(scratch, "vela"))
        asked, compared = same_on_micro(graph, rewrite, inputs, Path(scratch))
        shutil.copyfile(compiled.path, out / MODEL)
        shutil.copyfile(rewrite, out / REFERENCE)
    prediction = predicted(graph, compiled, hardware, asked.arena_bytes)
    maps = carried_over(io, original, graph)
    return {
        "artifact": MODEL,
        "files": [MODEL, REFERENCE],
        "io": maps,
        "tools": tools(hardware, applied),
        "notes": [*said(applied, undone), compared, *left_on_cpu(prediction, asked)],
        "reference": {"artifact": REFERENCE, "io": maps, "format": "tflite", "runtime": "litert",
                      "runtime_options": {"kernels": "reference"}},
        "prediction": prediction,
    }  # fmt: skip


def check(graph: Graph) -> None:
    """ValueError where Vela would take the model and place nothing, or TensorFlow Lite Micro could not run it."""
    for index in graph.main.inputs:
        tensor = graph.tensor(index)
        sides = [
            int(side) for side in (tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature)
        ]
        if any(side <= 0 for side in sides):
            raise ValueError(
                f"input '{tensor.name.decode()}' has free sides {sides}; an NPU's commands are for one shape: "
                "export the model with fixed ones"
            )
    weighted = [operator for operator in graph.operators if macs(graph, operator)] or graph.operators
    if not any(graph.dtype(int(operator.outputs[0])) in INTEGERS for operator in weighted):
        raise ValueError(
            "the TFLite model computes in float, an Ethos-U in integers alone; quantize it first"
        )
    custom = [operator for operator in graph.operators if graph.is_custom(operator)]
    if custom:
        raise ValueError(
            f"operator '{graph.name(custom[0])}' is a custom one ({graph.op(custom[0])}): neither the NPU "
            "nor TensorFlow Lite Micro has a kernel for it; rewrite it in TFLite's own operators"
        )


def rewritten(
    original: Graph, inputs: Sequence[Sequence[Array]]
) -> tuple[Graph, dict[str, list[str]], list[str]]:
    """The graph after every pass that keeps its answers; what each changed, and those that were taken back."""
    graph, applied, undone = original, dict[str, list[str]](), list[str]()
    for name, one in PASSES.items():
        trial = graph.copy()
        changed = one.run(trial)
        if not changed:
            continue
        if kept(one, graph, trial, inputs):
            graph, applied[name] = trial, changed
        else:
            undone.append(f"pass {name} would change answers and was taken back ({', '.join(changed)})")
    return graph, applied, undone


def kept(one: Pass, before: Graph, after: Graph, inputs: Sequence[Sequence[Array]]) -> bool:
    """Whether the answers are the same: bit for bit, or near enough for a pass that rounds elsewhere."""
    old, new = Reference(before.packed()), Reference(after.packed())
    pairs = [pair for sample in inputs for pair in zip(old.run(sample), new.run(sample), strict=True)]
    if not one.rounds:
        return all(np.array_equal(a, b) for a, b in pairs)
    return all(sqnr_db(a, b) >= ROUNDING_DB for a, b in pairs)


def sqnr_db(wanted: Array, found: Array) -> float:
    noise = float(np.square(wanted.astype(np.float64) - found).sum())
    signal = float(np.square(wanted.astype(np.float64)).sum())
    return math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf


def same_on_micro(
    graph: Graph, model: Path, inputs: Sequence[Sequence[Array]], scratch: Path
) -> tuple[micro.Micro, str]:
    """What TensorFlow Lite Micro says of the model, and a line on whether it answers as LiteRT's reference kernels."""
    reference = Reference(graph.packed())
    asked = micro.ask(model, [reference.encoded(sample) for sample in inputs], scratch)
    who = f"tflite-micro {micro.version()}"
    if asked.arena_bytes is None:
        return asked, f"not compared with {who}, which does not run the int8 model here: {asked.problem}"
    steps = [
        float(np.abs(a - b).max(initial=0)) / (step or 1.0)
        for sample, outputs in zip(inputs, asked.outputs, strict=True)
        for a, b, step in zip(reference.run(sample), reference.decoded(outputs), reference.steps, strict=True)
    ]
    if max(steps) == 0:
        return asked, f"{who} answers {len(inputs)} samples bit for bit as LiteRT's reference kernels do"
    return (
        asked,
        f"{who} answers {len(inputs)} samples as LiteRT's reference kernels do, "
        f"within {max(steps):.0f} of {steps_of(graph)}",
    )


def steps_of(graph: Graph) -> str:
    """What the outputs' integers have, in words."""
    kind = next(
        (dtype for index in graph.main.outputs if (dtype := graph.dtype(int(index))) in INTEGERS), "int8"
    )
    return f"{kind}'s {2 ** INTEGERS[kind]} steps"


def tools(hardware: vela.Hardware, applied: dict[str, list[str]]) -> list[ToolRun]:
    passes: list[ToolRun] = [
        {
            "tool": f"pass {name}",
            "version": importlib.metadata.version("ai-edge-litert"),
            "arguments": {"changed": len(changed)},
        }
        for name, changed in applied.items()
    ]
    arguments = {"accelerator": hardware.accelerator, "system_config": hardware.system_config,
                 "memory_mode": hardware.memory_mode}  # fmt: skip
    return [*passes, {"tool": "ethos-u-vela", "version": vela.version(), "arguments": {**arguments}}]


def said(applied: dict[str, list[str]], undone: list[str]) -> list[str]:
    lines = [f"pass {name}: {len(changed)} changed ({', '.join(changed[:3])}{', …' if len(changed) > 3 else ''})"
             for name, changed in applied.items()]  # fmt: skip
    return [*lines, *undone]


def left_on_cpu(prediction: PredictionReply, asked: micro.Micro) -> list[str]:
    """A warning where TensorFlow Lite Micro lacks a kernel for what stays with it."""
    kinds = {item["op"] for item in prediction["cpu_operators"]}
    missing = next((kind for kind in kinds if asked.problem == f"it has no kernel for {kind}"), None)
    if missing is None:
        return []
    return [
        f"will not run as it is: {missing} stays on the CPU and TensorFlow Lite Micro has no kernel for it"
    ]
