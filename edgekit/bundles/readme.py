"""README.txt of a bundle: what it is, and how to run it without edgekit."""

from __future__ import annotations

from edgekit.bundles.manifest import Artifact, Manifest, TensorEntry
from edgekit.vocabulary import RuntimeId

_ONNXRUNTIME = """\
    import os; os.environ["ORT_DISABLE_TELEMETRY"] = "1"   # its Linux wheels report home otherwise
    import numpy as np, onnxruntime
{session}    outputs = session.run(None, {feeds})
"""
_OPENVINO = """\
    import numpy as np, openvino
    model = openvino.Core().compile_model("{path}", "CPU", {options})
    outputs = model({feeds})
"""
_TFLITE = """\
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter   # or tflite_runtime.interpreter
    model = Interpreter("{path}")
    model.allocate_tensors()
    feeds = {feeds}
    for item in model.get_input_details():
        model.set_tensor(item["index"], feeds[item["name"]])
    model.invoke()
    outputs = {{item["name"]: model.get_tensor(item["index"]) for item in model.get_output_details()}}
"""
_UNKNOWN = "    import numpy as np\n    # then as the documentation of this runtime says\n"
_CODE: dict[RuntimeId, str] = {
    "onnxruntime": _ONNXRUNTIME,
    "openvino": _OPENVINO,
    "litert": _TFLITE,
    "tflite-runtime": _TFLITE,
}


def readme(manifest: Manifest) -> str:
    """Return the text; the code reads the golden pair, so that it can be tried as it is."""
    artifact = manifest.artifact
    code = _CODE.get(artifact.runtime, _UNKNOWN)
    code = code.format(
        path=artifact.path,
        options=artifact.runtime_options,
        feeds=_feeds(artifact),
        session=_session(artifact),
    )
    golden = '    golden = np.load("golden.npz")   # "in:<name>", "out:<name>" in the source model\'s names\n'
    return (
        f"{manifest.name}: {manifest.task} for {manifest.target}, {artifact.precision}, {artifact.runtime}\n\n"
        f"Made by edgekit {manifest.edgekit} from {manifest.model.name} (sha256 {manifest.model.sha256}).\n"
        "contract.toml says how inputs are made and outputs read; manifest.json how the artifact came about\n"
        "and how it was checked. With edgekit:  edgekit verify THIS_FOLDER\n"
        "Hashes show what changed by accident. Nothing here is signed: they do not prove who made it.\n\n"
        f"Without edgekit, in this folder:\n\n{_load(code, golden)}\n"
        f"{_warning(manifest)}"
        f"Inputs of the artifact:\n{_tensors(artifact.io.inputs)}"
        f"Outputs of the artifact:\n{_tensors(artifact.io.outputs)}"
    )


def _warning(manifest: Manifest) -> str:
    used = manifest.calibration
    return f"{used.says[0].upper()}{used.says[1:]}.\n\n" if used and used.synthetic else ""


def _session(artifact: Artifact) -> str:
    """onnxruntime takes settings one by one."""
    if not artifact.runtime_options:
        return f'    session = onnxruntime.InferenceSession("{artifact.path}")\n'
    entries = "".join(
        f'    options.add_session_config_entry("{key}", "{value}")\n'
        for key, value in artifact.runtime_options.items()
    )
    return (
        f"    options = onnxruntime.SessionOptions()\n{entries}"
        f'    session = onnxruntime.InferenceSession("{artifact.path}", options)\n'
    )


def _load(code: str, golden: str) -> str:
    imports, rest = code.split("import numpy as np", 1)
    names, rest = rest.split("\n", 1)
    return f"{imports}import numpy as np{names}\n{golden}{rest}"


def _feeds(artifact: Artifact) -> str:
    items = [f'"{entry.name}": {_feed(entry)}' for entry in artifact.io.inputs]
    return "{" + ", ".join(items) + "}"


def _feed(entry: TensorEntry) -> str:
    transpose = f".transpose({entry.transpose})" if entry.transpose else ""
    return f'golden["in:{entry.source}"]{transpose}.astype("{entry.dtype}")'


def _tensors(entries: tuple[TensorEntry, ...]) -> str:
    lines = []
    for entry in entries:
        moved = f", axes {entry.transpose} of it" if entry.transpose else ""
        lines.append(f"  {entry.name}: {entry.dtype}, '{entry.source}' of the source model{moved}\n")
    return "".join(lines)
