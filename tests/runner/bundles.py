"""Small real bundles for the tests of the runner, the devices and the profiling."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.bundles.manifest import Artifact, Golden, Io, Manifest, SourceModel, Step, TensorEntry
from edgekit.bundles.read import file_entries
from edgekit.vocabulary import ArtifactFormat, RuntimeId
from tests.runner.tflite import dense_net

Array = npt.NDArray[Any]


def conv_net(*, channels: int = 16, layers: int = 3, size: int = 32, classes: int = 10) -> onnx.ModelProto:
    """Convolutions with ReLU, a pooling and a matrix product; seeded weights."""
    random = np.random.default_rng(7)
    nodes, weights, last, width = [], [], "image", 3
    for layer in range(layers):
        kernel = (random.standard_normal((channels, width, 3, 3)) / np.sqrt(9 * width)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{layer}"))
        nodes.append(
            helper.make_node(
                "Conv", [last, f"w{layer}"], [f"c{layer}"], name=f"conv{layer}", pads=[1, 1, 1, 1]
            )
        )
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"], name=f"relu{layer}"))
        last, width = f"r{layer}", channels
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"], name="flatten"))
    head = random.standard_normal((width, classes)).astype(np.float32)
    weights.append(numpy_helper.from_array(head, "head"))
    nodes.append(helper.make_node("MatMul", ["flat", "head"], ["scores"], name="head_product"))
    graph = helper.make_graph(
        nodes,
        "conv_net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, size, size))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, classes))],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def image(size: int = 32) -> Array:
    """The input that all these bundles answer."""
    return np.random.default_rng(1).standard_normal((1, 3, size, size)).astype(np.float32)


def size_of(model: onnx.ModelProto) -> int:
    """Pixels on a side of the input of such a net."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[2].dim_value)


def answer(model: onnx.ModelProto, feeds: dict[str, Array]) -> dict[str, Array]:
    """What onnxruntime makes of ``feeds``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def onnx_bundle(folder: Path, model: onnx.ModelProto | None = None) -> Path:
    """A bundle of ``model`` (the small conv net) for onnxruntime."""
    model = model or conv_net()
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    feeds = {"image": image(size_of(model))}
    return seal(folder, "model.onnx", "onnx", "onnxruntime", feeds, answer(model, feeds))


def openvino_bundle(folder: Path, model: onnx.ModelProto | None = None) -> Path:
    """The same as OpenVINO IR."""
    import openvino

    model = model or conv_net()
    folder.mkdir(parents=True)
    source = folder.with_suffix(".onnx")
    source.write_bytes(model.SerializeToString())
    openvino.save_model(openvino.convert_model(source), folder / "model.xml", compress_to_fp16=False)
    feeds = {"image": image(size_of(model))}
    return seal(folder, "model.xml", "openvino-ir", "openvino", feeds, answer(model, feeds))


def litert_bundle(folder: Path, *, int8: bool = False) -> Path:
    """Dense layers as .tflite; ``int8``: with 8-bit input and output, where the source model has floats."""
    from ai_edge_litert.interpreter import Interpreter

    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(dense_net(int8=int8))
    feeds = {"image": image(8)[:, 0, 0]}
    # the float net is the source model of both
    interpreter = Interpreter(model_content=dense_net(), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], feeds["image"])
    interpreter.invoke()
    outputs = {"scores": interpreter.get_tensor(interpreter.get_output_details()[0]["index"])}
    io = same_io(feeds, outputs)
    if int8:
        io = Io(
            inputs=tuple(entry.model_copy(update={"dtype": "int8"}) for entry in io.inputs),
            outputs=tuple(entry.model_copy(update={"dtype": "int8"}) for entry in io.outputs),
        )
    # a step of the 8-bit output is 0.05, of the input too: three of them through two layers
    allowed = 0.15 if int8 else 1e-5
    return seal(folder, "model.tflite", "tflite", "litert", feeds, outputs, io=io, max_relative_error=allowed)


def nhwc_bundle(folder: Path) -> Path:
    """The conv net with its input turned to NHWC in float16, as a converter may leave it."""
    source = conv_net()
    model = conv_net()
    model.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("image_nhwc", TensorProto.FLOAT16, (1, 32, 32, 3))
    )
    model.graph.node.insert(0, helper.make_node("Cast", ["image_nhwc"], ["image_f32"], to=TensorProto.FLOAT))
    model.graph.node.insert(1, helper.make_node("Transpose", ["image_f32"], ["image"], perm=[0, 3, 1, 2]))
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    feeds = {"image": image()}
    io = Io(
        inputs=(TensorEntry(name="image_nhwc", source="image", transpose=(0, 2, 3, 1), dtype="float16"),),
        outputs=(TensorEntry(name="scores", source="scores", transpose=None, dtype="float32"),),
    )
    # half precision keeps 11 bits of the input
    return seal(
        folder,
        "model.onnx",
        "onnx",
        "onnxruntime",
        feeds,
        answer(source, feeds),
        io=io,
        max_relative_error=2e-3,
    )


def seal(
    folder: Path,
    artifact: str,
    format_: ArtifactFormat,
    runtime: RuntimeId,
    feeds: dict[str, Array],
    outputs: dict[str, Array],
    *,
    io: Io | None = None,
    max_relative_error: float = 1e-4,
    options: dict[str, str] | None = None,
) -> Path:
    """Write the golden pair and the manifest around an artifact; returns ``folder``."""
    np.savez(
        folder / "golden.npz",
        allow_pickle=False,
        **{f"in:{k}": v for k, v in feeds.items()},
        **{f"out:{k}": v for k, v in outputs.items()},
    )
    digest = hashlib.sha256((folder / artifact).read_bytes()).hexdigest()
    manifest = Manifest(
        edgekit="0.1.0",
        name="conv-net",
        task="tensor",
        target="host",
        converter=runtime,
        model=SourceModel(name="conv-net", sha256=digest, size_bytes=1, licence=None, origin=None),
        artifact=Artifact(
            path=artifact,
            format=format_,
            runtime=runtime,
            runtime_options=options or {},
            precision="fp32",
            io=io or same_io(feeds, outputs),
        ),
        steps=(_step(runtime, digest),),
        files=file_entries(folder),
        golden=Golden(
            sample="golden.npz", tensors="golden.npz", max_relative_error=max_relative_error, prediction="{}"
        ),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(by_alias=True))
    return folder


def same_io(feeds: dict[str, Array], outputs: dict[str, Array]) -> Io:
    """The artifact has the source model's tensors."""
    return Io(
        inputs=tuple(
            TensorEntry(name=k, source=k, transpose=None, dtype=v.dtype.name) for k, v in feeds.items()
        ),
        outputs=tuple(
            TensorEntry(name=k, source=k, transpose=None, dtype=v.dtype.name) for k, v in outputs.items()
        ),
    )


def _step(converter: str, digest: str) -> Step:
    return Step(
        converter=converter,
        variant="",
        tool="test",
        version="1",
        arguments={},
        parent_sha256=digest,
        child_sha256=digest,
        deterministic=True,
    )
