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
_TFLITE_INT8 = """\
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    model = Interpreter("{path}", experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    model.allocate_tensors()
    feeds = {feeds}
    for item in model.get_input_details():
        (scale, zero), value = item["quantization"], feeds[item["name"]]
        if scale and value.dtype.kind == "f":
            value = (np.rint(value / scale) + zero).clip(-128, 127)
        model.set_tensor(item["index"], value.astype(item["dtype"]))
    model.invoke()
    outputs = {{}}
    for item in model.get_output_details():
        (scale, zero), value = item["quantization"], model.get_tensor(item["index"])
        outputs[item["name"]] = (value.astype("float32") - zero) * scale if scale else value
"""
_STAND_IN = """\
{artifact} runs on {target} alone, in {runtime}. What follows runs {reference},
what it was compiled from, by the kernels that the chip is made to match: the same inputs and outputs, with the
scales that both files hold.

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
    artifact = manifest.answering
    code = _code(artifact)
    code = code.format(
        path=artifact.path,
        options=artifact.runtime_options,
        feeds=_feeds(artifact),
        session=_session(artifact),
    )
    golden = '    golden = np.load("golden.npz")   # "in:<name>", "out:<name>" in the source model\'s names\n'
    return (
        f"{manifest.name}: {manifest.task} for {manifest.target}, {artifact.precision}, {manifest.artifact.runtime}\n\n"
        f"Made by edgekit {manifest.edgekit} from {manifest.model.name} (sha256 {manifest.model.sha256}).\n"
        "contract.toml says how inputs are made and outputs read; manifest.json how the artifact came about\n"
        "and how it was checked. With edgekit:  edgekit verify THIS_FOLDER\n"
        "Hashes show what changed by accident. Nothing here is signed: they do not prove who made it.\n\n"
        f"{_stand_in(manifest)}"
        f"Without edgekit, in this folder:\n\n{_load(code, golden)}\n"
        f"{_warning(manifest)}"
        f"Inputs of the artifact:\n{_tensors(artifact.io.inputs)}"
        f"Outputs of the artifact:\n{_tensors(artifact.io.outputs)}"
    )


def _code(artifact: Artifact) -> str:
    if artifact.runtime_options.get("kernels") == "reference":
        return _TFLITE_INT8
    return _CODE.get(artifact.runtime, _UNKNOWN)


def _stand_in(manifest: Manifest) -> str:
    if manifest.reference is None:
        return ""
    text = _STAND_IN.format(
        artifact=manifest.artifact.path,
        runtime=manifest.artifact.runtime,
        reference=manifest.reference.path,
        target=manifest.target,
    )
    return (
        f"{manifest.prediction.says[0].upper()}{manifest.prediction.says[1:]}.\n\n{text}"
        if manifest.prediction
        else text
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
    if entry.dtype in ("int8", "uint8", "int16"):  # the code that follows puts it on the tensor's grid
        return f'golden["in:{entry.source}"]{transpose}'
    return f'golden["in:{entry.source}"]{transpose}.astype("{entry.dtype}")'


def _tensors(entries: tuple[TensorEntry, ...]) -> str:
    lines = []
    for entry in entries:
        moved = f", axes {entry.transpose} of it" if entry.transpose else ""
        lines.append(f"  {entry.name}: {entry.dtype}, '{entry.source}' of the source model{moved}\n")
    return "".join(lines)
