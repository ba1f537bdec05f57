"""Ask the tools themselves which ONNX operators they take, and write the lists into converters/*/converter.toml.

.venv/bin/python -m scripts.operators [CONVERTER…]      # again after each update of a tool
"""

from __future__ import annotations

import os

from edgekit.telemetry import SWITCHED_OFF

os.environ.update(SWITCHED_OFF)

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, defs, helper

from edgekit.catalog_schema import Converter
from edgekit.conversion.environments import environment_python
from edgekit.strict import read_record

_REFUSED = 42
CONVERTERS = Path(__file__).parents[1] / "converters"


def standard_operators() -> set[str]:
    """Of ONNX itself, without the training and machine-learning domains, and what only old files hold."""
    return {schema.name for schema in defs.get_all_schemas() if schema.domain == ""}


def onnxruntime_operators() -> tuple[list[str], str]:
    """The CPU provider's kernels, and the operators it inlines because ONNX defines them as functions."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kernels = {
        f"{kernel.domain}::{kernel.op_name}" if kernel.domain else kernel.op_name
        for kernel in state.get_all_opkernel_def()
        # nchwc is what it makes for itself on this CPU; no file holds it
        if kernel.provider == "CPUExecutionProvider" and kernel.domain in ("", "com.microsoft", "ai.onnx.ml")
    }
    functions = {
        schema.name for schema in defs.get_all_schemas() if schema.domain == "" and _is_function(schema)
    }
    version = importlib.metadata.version("onnxruntime")
    return sorted(
        kernels | functions
    ), f"onnxruntime {version}: kernels of its CPU provider, functions of ONNX"


def _is_function(schema: Any) -> bool:
    return bool(schema.has_function or schema.has_context_dependent_function)


def openvino_operators() -> tuple[list[str], str]:
    """Each operator alone in a model: does the frontend know a rule for it?"""
    version = importlib.metadata.version("openvino")
    known = sorted(filter(_openvino_knows, standard_operators()))
    return known, f"openvino {version}: operators its ONNX frontend has a rule for"


def _openvino_knows(operator: str) -> bool:
    """Asked in a process of its own: the frontend crashes on some nodes without their inputs."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        os._exit(_REFUSED if _refused_by_openvino(operator) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != _REFUSED


def _refused_by_openvino(operator: str) -> bool:
    from openvino.frontend import FrontEndManager, OpConversionFailure

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "one", [x], [y])
    frontend = FrontEndManager().load_by_framework("onnx")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.onnx")
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10), path)
        try:
            frontend.convert(frontend.load(str(path)))
        except OpConversionFailure as error:  # also for the attributes and inputs that are missing here
            return "No conversion rule found" in str(error)
    return False


def onnx2tf_operators() -> tuple[list[str], str]:
    folder = CONVERTERS / "onnx2tf"
    python = environment_python(_read(folder), folder)
    code = (
        "import json, onnx2tf; from onnx2tf.tflite_builder.op_registry import get_supported_onnx_ops as ops;"
        "print(json.dumps([onnx2tf.__version__, sorted(ops())]))"
    )
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, names = json.loads(answer.stdout)
    return names, f"onnx2tf {version}: dispatch table of its flatbuffer_direct backend"


SOURCES: dict[str, Callable[[], tuple[list[str], str]]] = {
    "onnxruntime": onnxruntime_operators,
    "openvino": openvino_operators,
    "onnx2tf": onnx2tf_operators,
}


def _read(folder: Path) -> Converter:
    converter, problems = read_record(folder / "converter.toml", Converter)
    if converter is None:
        raise SystemExit("\n".join(problems))
    return converter


def write(path: Path, names: list[str], source: str) -> None:
    """Replace ``supported`` and ``source`` of the file's [operators], and nothing else."""
    quoted = ", ".join(f'"{name}"' for name in names) + ","
    lines = textwrap.fill(
        quoted,
        105,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    head, _, tables = path.read_text().partition("[operators]\n")
    rest = re.sub(r'supported = ("all"|\[.*?\n\])\nsource = "[^"\n]*"\n', "", tables, flags=re.DOTALL)
    path.write_text(f'{head}[operators]\nsupported = [\n{lines}\n]\nsource = "{source}"\n{rest}')


def main() -> None:
    for name in sys.argv[1:] or SOURCES:
        found, source = SOURCES[name]()
        names = sorted({*found, "Constant"})  # a weight, whatever the tool calls it
        write(CONVERTERS / name / "converter.toml", names, source)
        print(f"{name}: {len(names)} operators; {source}")


if __name__ == "__main__":
    main()
