"""ONNX in, float TFLite out, without TensorFlow; channels last where the model's convolutions want it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx2tf
import onnxruntime as ort
from ai_edge_litert.interpreter import Interpreter
from padding import pad_constant_concats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgekit.conversion.protocol import ConversionReply, ConversionRequest, TensorMap

Array = np.ndarray[Any, Any]
Shapes = dict[str, list[int]]

CHANNELS_FIRST = {
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool",
    "BatchNormalization", "InstanceNormalization", "DepthToSpace", "SpaceToDepth", "PRelu",
}  # fmt: skip
"""Operators that say their input's second axis is the channels."""
LAYOUT = re.compile(r"(_padded|_+to_n[a-z]{2,4}|_n[chwd]{2,4}|__raw)+$")
"""What onnx2tf appends to the name of a tensor that it turned or padded."""
BIAS = "_transpose_conv_bias"
ROWS, BACK = "/rows", "/back"
"""End the names of the Reshapes that this worker puts around a dense layer."""
ANY_LAYOUT = {"Add", "Cast", "Clip", "Concat", "Div", "Identity", "Mul", "Pad", "Relu", "Resize", "Sub"}


def convert(request: ConversionRequest) -> ConversionReply:
    source, out = Path(request["source"]), Path(request["out_dir"])
    given = onnx.load(source)
    padded = pad_constant_concats(given)
    model = with_dense_layers(given)
    graph = model.graph
    keep = [value.name for value in inputs_of(graph) if not feeds_convolutions(value.name, graph)]
    with tempfile.TemporaryDirectory() as scratch:
        # the file's name goes into the result, which must depend on the model alone
        rewritten, made = Path(scratch, "model.onnx"), Path(scratch, "made")
        onnx.save(model, rewritten)
        onnx2tf.convert(
            input_onnx_file_path=str(rewritten),
            output_folder_path=str(made),
            keep_shape_absolutely_input_names=keep or None,
            non_verbose=True,
            verbosity="error",
        )
        shutil.copyfile(made / "model_float32.tflite", out / "model.tflite")
        report = json.loads((made / "model_tensor_correspondence_report.json").read_text())
    sample = first_sample(request["calibration"]) or invented_sample(graph)
    inputs, outputs, error = layouts(source, out / "model.tflite", sample)
    return {
        "artifact": "model.tflite",
        "files": ["model.tflite"],
        "io": {"inputs": inputs, "outputs": outputs},
        "tools": [
            {
                "tool": "onnx2tf",
                "version": onnx2tf.__version__,
                "arguments": {"backend": "flatbuffer_direct", "keep_shape_absolutely": " ".join(keep)},
            }
        ],
        "notes": [
            f"largest difference to the source on one sample: {error:.1e} of the largest output",
            *([f"pass pad-constant-concats: {len(padded)} changed"] if padded else []),
        ],
        "source_nodes": remaining_nodes(out / "model.tflite", graph) | source_nodes(report),
        "source_tensors": source_tensors(out / "model.tflite", graph),
    }


def with_dense_layers(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write ``MatMul(x, weights) + bias`` of more than two dimensions as Gemm between two Reshapes.

    onnx2tf makes FULLY_CONNECTED of that. Of the MatMul it would make BATCH_MATMUL, whose int8 kernel answers
    zeros where its constant operand has a scale per channel.
    """
    model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph
    values = (*graph.value_info, *graph.input, *graph.output)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    absorbed: set[str] = set()
    for node in graph.node:
        if node.output[0] in absorbed:
            continue
        if is_dense(node, shapes, weights):
            bias = bias_of(node, graph, weights)
            absorbed.update(bias.output if bias else ())
            nodes += gemm(node, bias, shapes, weights, graph)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def is_dense(node: onnx.NodeProto, shapes: Shapes, weights: Shapes) -> bool:
    if node.op_type != "MatMul" or len(weights.get(node.input[1], [])) != 2:
        return False
    return len(shapes.get(node.input[0], [])) > 2


def bias_of(node: onnx.NodeProto, graph: onnx.GraphProto, weights: Shapes) -> onnx.NodeProto | None:
    """The Add of one value per column that is all that uses ``node``."""
    product = node.output[0]
    users = [user for user in graph.node if product in user.input]
    if len(users) != 1 or users[0].op_type != "Add" or product in {value.name for value in graph.output}:
        return None
    other = next(name for name in users[0].input if name != product) if len(set(users[0].input)) == 2 else ""
    return users[0] if weights.get(other) == weights[node.input[1]][1:] else None


def gemm(
    node: onnx.NodeProto, bias: onnx.NodeProto | None, shapes: Shapes, weights: Shapes, graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    name, (x, w), last = node.name or node.output[0], node.input, bias or node
    terms = [other for other in bias.input if other != node.output[0]] if bias else []
    rows = constant(f"{name}{ROWS}", [-1, weights[w][0]], graph)
    back = constant(f"{name}{BACK}", shapes[node.output[0]], graph)
    return [
        onnx.helper.make_node("Reshape", [x, rows], [f"{name}/in"], rows),
        onnx.helper.make_node("Gemm", [f"{name}/in", w, *terms], [f"{name}/out"], name),
        onnx.helper.make_node("Reshape", [f"{name}/out", back], [last.output[0]], back),
    ]


def constant(name: str, shape: list[int], graph: onnx.GraphProto) -> str:
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(shape, np.int64), name))
    return name


def inputs_of(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def feeds_convolutions(name: str, graph: onnx.GraphProto) -> bool:
    """Whether the first operators that care about the layout want channels first; else it stays as it is."""
    users = [node for node in graph.node if name in node.input]
    if any(node.op_type in CHANNELS_FIRST for node in users):
        return True
    passing = [node for node in users if node.op_type in ANY_LAYOUT]
    return any(feeds_convolutions(output, graph) for node in passing for output in node.output)


def first_sample(calibration: str | None) -> dict[str, Array] | None:
    files = sorted(Path(calibration).glob("*.npz")) if calibration else []
    if not files:
        return None
    with np.load(files[0]) as arrays:
        return dict(arrays)


def invented_sample(graph: onnx.GraphProto) -> dict[str, Array]:
    """Noise for real inputs; for indices and masks 0 and 1, which every vocabulary has."""
    random = np.random.default_rng(0)
    arrays = {}
    for value in inputs_of(graph):
        kind = value.type.tensor_type
        shape = [dim.dim_value for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind == "f":
            arrays[value.name] = random.standard_normal(shape).astype(dtype)
        else:
            arrays[value.name] = random.integers(0, 2, shape).astype(dtype)
            arrays[value.name].flat[0] = 1  # a mask that hides everything would divide by zero
    return arrays


def layouts(
    source: Path, artifact: Path, sample: Mapping[str, Array]
) -> tuple[list[TensorMap], list[TensorMap], float]:
    """How each tensor lies in the artifact: found by shape, and where several fit (squares), by running it.

    Also the largest relative difference that remains; whether it is small enough is the engine's question.
    """
    wanted = run_source(source, sample)
    model = Interpreter(str(artifact), num_threads=1)
    details = by_name(model.get_input_details(), sample)
    choices = [permutations(sample[name].shape, tuple(details[name]["shape"]), name) for name in details]
    best: tuple[float, list[TensorMap], list[TensorMap]] | None = None
    for axes in itertools.product(*choices):
        feeds = dict(zip(details, axes, strict=True))
        answers = run_artifact(model, details, sample, feeds)
        outputs, error = match(model, answers, wanted)
        if best is None or error < best[0]:
            inputs = [tensor_map(name, details[name], feeds[name]) for name in details]
            best = error, inputs, outputs
        if error < 1e-3:
            break
    if best is None:
        raise ValueError("the model has no input")
    return best[1], best[2], best[0]


def run_source(source: Path, sample: Mapping[str, Array]) -> dict[str, Array]:
    session = ort.InferenceSession(source, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(sample)), strict=True))


def by_name(details: Iterable[dict[str, Any]], tensors: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """The artifact's tensors by their name in the source, of which onnx2tf keeps letters and digits."""
    sources = {plain(name): name for name in tensors}
    found = {}
    for detail in details:
        name = plain(str(detail["name"]).removeprefix("serving_default_"))
        if name not in sources:
            raise ValueError(f"tensor '{detail['name']}' of the TFLite file is not in the source model")
        found[sources[name]] = detail
    return found


def plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name)


def permutations(source: Sequence[int], artifact: Sequence[int], name: str) -> list[list[int] | None]:
    """The transposes, none first, that take ``source``'s shape to ``artifact``'s."""
    rank = len(source)
    channels_last = [0, *range(2, rank), 1]
    options: list[list[int] | None] = [None] if tuple(source) == tuple(artifact) else []
    if rank >= 3 and [source[axis] for axis in channels_last] == list(artifact):
        options.append(channels_last)
    if not options:
        raise ValueError(
            f"'{name}': shape {list(source)} became {list(artifact)}, which is no change of layout"
        )
    return options


def run_artifact(
    model: Any, details: Mapping[str, Any], sample: Mapping[str, Array], axes: Mapping[str, list[int] | None]
) -> dict[str, Array]:
    model.allocate_tensors()
    for name, detail in details.items():
        value = sample[name]
        turned = value if axes[name] is None else value.transpose(axes[name])
        model.set_tensor(detail["index"], np.ascontiguousarray(turned.astype(detail["dtype"])))
    model.invoke()
    return {detail["name"]: model.get_tensor(detail["index"]) for detail in model.get_output_details()}


def match(
    model: Any, answers: Mapping[str, Array], wanted: Mapping[str, Array]
) -> tuple[list[TensorMap], float]:
    """For each output the layout in which it is nearest to the source's, and the worst of these distances."""
    maps, errors = [], [0.0]
    for name, detail in by_name(model.get_output_details(), wanted).items():
        options = permutations(wanted[name].shape, answers[detail["name"]].shape, name)
        distances = [distance(wanted[name], answers[detail["name"]], axes) for axes in options]
        nearest = int(np.argmin(distances))
        maps.append(tensor_map(name, detail, options[nearest]))
        errors.append(distances[nearest])
    return maps, max(errors)


def distance(wanted: Array, answer: Array, axes: list[int] | None) -> float:
    turned = wanted if axes is None else wanted.transpose(axes)
    largest = float(np.max(np.abs(turned.astype(np.float64)), initial=1e-12))
    difference = float(np.max(np.abs(turned.astype(np.float64) - answer), initial=0.0)) / largest
    return difference if np.isfinite(difference) else sys.float_info.max


def tensor_map(source: str, detail: Mapping[str, Any], axes: list[int] | None) -> TensorMap:
    dtype = np.dtype(detail["dtype"]).name
    return {"name": str(detail["name"]), "source": source, "transpose": axes, "dtype": dtype}


def source_tensors(artifact: Path, graph: onnx.GraphProto) -> dict[str, str]:
    """Tensor of the file -> tensor of the source with the same values, as far as names tell.

    onnx2tf names a turned tensor after itself, or after the node it goes into or comes out of.
    """
    sources = {value.name: value.name for value in graph.input}
    for node in graph.node:
        sources |= {name: name for name in node.output}
    for node in graph.node:
        sources.setdefault(f"{node.name}_input", node.input[0] if node.input else "")
        sources.setdefault(f"{node.name}_output", node.output[0])
        # integers that reach no further than the Clip saturate where it does, in its first half already
        sources.setdefault(f"{node.name}_clip_min_out", node.output[0])
        # the Reshapes around a dense layer move nothing
        if node.name.endswith(ROWS):
            sources[node.output[0]] = node.input[0]
        elif node.name.endswith(BACK):
            sources[node.input[0]] = node.output[0]
    plain_sources = {plain(name): source for name, source in sources.items()}
    found = {}
    model = Interpreter(str(artifact))
    for detail in model.get_tensor_details():
        name = str(detail["name"])
        base = LAYOUT.sub("", name.removeprefix("serving_default_").removesuffix(":0"))
        if source := plain_sources.get(plain(base)):
            found[name] = source
    for before, after in without_bias(model):
        if source := found.pop(before, None):
            found.setdefault(after, source)
    return found


def without_bias(model: Any) -> Iterator[tuple[str, str]]:
    """What each TRANSPOSE_CONV makes whose bias is an ADD of its own, and what that makes.

    The first is called as the source calls the second, and has other values.
    """
    names = {detail["index"]: str(detail["name"]) for detail in model.get_tensor_details()}
    operators = model._get_ops_details()
    made = {op["outputs"][0] for op in operators if op["op_name"] == "TRANSPOSE_CONV"}
    for operator in operators:
        if operator["op_name"] == "ADD" and names.get(operator["inputs"][1], "").endswith(BIAS):
            for index in made & set(operator["inputs"]):
                yield names[index], names[operator["outputs"][0]]


def remaining_nodes(artifact: Path, graph: onnx.GraphProto) -> dict[str, str]:
    """The same of what the report leaves out: tensors named after a node or a tensor of the source, and a layout."""
    model = Interpreter(str(artifact))
    names = {detail["index"]: str(detail["name"]) for detail in model.get_tensor_details()}
    makers = {output: node for node in graph.node for output in node.output}
    longest_first = sorted((node for node in graph.node if node.name), key=lambda node: -len(node.name))
    found: dict[str, str] = {}
    for operator in model._get_ops_details():
        tensor = names[operator["outputs"][0]]
        base = LAYOUT.sub("", tensor)
        node = makers.get(base) or next(
            (node for node in longest_first if base.startswith(f"{node.name}_")), None
        )
        if node is None or not node.name:
            continue
        name = node.name.removesuffix(ROWS).removesuffix(BACK)
        moved = operator["op_name"] == "TRANSPOSE" and node.op_type != "Transpose"
        found[tensor] = f"{name} (layout change by onnx2tf)" if moved else name
    return found


def source_nodes(report: Mapping[str, Any]) -> dict[str, str]:
    """Name of an operator's output tensor -> source node; of nodes fused into one, the first."""
    nodes: dict[str, str] = {}
    for record in report["records"]:
        if record["exists_in_final_model"] and record["onnx_op_name"]:
            name = record["onnx_op_name"].removesuffix(ROWS).removesuffix(BACK)
            nodes.setdefault(record["resolved_tflite_tensor_name"], name)
    return nodes
