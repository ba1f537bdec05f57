"""Files that no model should be: each a way of damage or of malice, by name."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.models.building import model, node, relu, saved, untyped, value

Made = tuple[Path, str]
"""The file, and words its error must hold."""
CASES: dict[str, Callable[[Path], Made]] = {}


def case(function: Callable[[Path], Made]) -> Callable[[Path], Made]:
    CASES[function.__name__] = function
    return function


def written(folder: Path, content: bytes, name: str = "m.onnx") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


# --- no model at all --------------------------------------------------------------------------------------


@case
def missing(folder: Path) -> Made:
    return folder / "none.onnx", "no such file"


@case
def missing_with_near_miss(folder: Path) -> Made:
    saved(folder, relu(), "mobilenet.onnx")
    return folder / "mobilnet.onnx", "did you mean"


@case
def missing_folder(folder: Path) -> Made:
    return folder / "nowhere" / "m.onnx", "does not exist"


@case
def directory(folder: Path) -> Made:
    saved(folder, relu(), "inside.onnx")
    return folder, "inside.onnx"


@case
def pipe(folder: Path) -> Made:
    os.mkfifo(folder / "m.onnx")
    return folder / "m.onnx", "not a regular file"


@case
def null_byte_in_the_name(folder: Path) -> Made:
    return folder / "m\0.onnx", "not a file name"


@case
def empty(folder: Path) -> Made:
    return written(folder, b""), "empty"


@case
def oversized(folder: Path) -> Made:
    path = folder / "m.onnx"
    with path.open("wb") as stream:
        stream.truncate(3 * 2**30)  # sparse: takes no room
    return path, "external data"


@case
def zip_archive(folder: Path) -> Made:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../evil.txt", "x")
    return written(folder, buffer.getvalue()), "zip archive"


@case
def gzip_archive(folder: Path) -> Made:
    return written(folder, gzip.compress(relu().SerializeToString())), "gzip"


@case
def html_page(folder: Path) -> Made:
    return written(folder, b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>"), "HTML page"


@case
def plain_text(folder: Path) -> Made:
    return written(folder, b"this is not a model, but a note about one\n" * 3), "plain text"


@case
def lfs_pointer(folder: Path) -> Made:
    return written(
        folder, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    ), "git lfs pull"


@case
def python_pickle(folder: Path) -> Made:
    return written(folder, b"\x80\x02}q\x00."), "pickle"


@case
def random_bytes(folder: Path) -> Made:
    return written(folder, np.random.default_rng(7).bytes(4096)), "no ONNX model, or damaged"


@case
def zeros(folder: Path) -> Made:
    return written(folder, bytes(4096)), "no ONNX model, or damaged"


# --- damaged bytes -------------------------------------------------------------------------------------------


@case
def truncated(folder: Path) -> Made:
    content = relu().SerializeToString()
    return written(folder, content[: len(content) // 2]), "past its end"


@case
def name_is_not_utf8(folder: Path) -> Made:
    return written(folder, relu().SerializeToString().replace(b"Relu", b"\xff\xfe\xfd\xfc")), "not UTF-8"


@case
def no_graph(folder: Path) -> Made:
    proto = relu()
    proto.ClearField("graph")
    return saved(folder, proto), "no graph"


@case
def million_empty_nodes(folder: Path) -> Made:
    """Two bytes each in the file, a hundred in memory."""
    graph = field(1, b"") * 1_100_000
    return written(folder, b"\x08\x08" + field(7, graph)), "entries"


@case
def packed_zeros(folder: Path) -> Made:
    """One byte each in the file, eight in memory: 300 MB would be 2.4 GB."""
    size = 300_000_000
    tensor = varint(7 << 3 | 2) + varint(size)
    initializer = varint(5 << 3 | 2) + varint(len(tensor) + size) + tensor
    graph = varint(7 << 3 | 2) + varint(len(initializer) + size) + initializer
    path = written(folder, b"\x08\x08" + graph)
    os.truncate(path, path.stat().st_size + size)  # sparse: takes no room
    return path, "entries"


@case
def nested_too_deep(folder: Path) -> Made:
    """A graph in an attribute in a node in a graph …"""
    graph = b""
    for _ in range(400):
        graph = field(1, field(5, field(6, graph)))
    return written(folder, b"\x08\x08" + field(7, graph)), "nested"


# --- a graph that is none --------------------------------------------------------------------------------------


@case
def no_operators(folder: Path) -> Made:
    return saved(folder, model([], [value("x", 1)], [value("x", 1)])), "no operators"


@case
def no_outputs(folder: Path) -> Made:
    return saved(folder, model([node("Relu", "x", "y")], [value("x", 1)], [])), "no outputs"


@case
def old_opset(folder: Path) -> Made:
    return saved(folder, relu(opset=6)), "older than 7"


@case
def new_opset(folder: Path) -> Made:
    return saved(folder, relu(opset=999)), "newer than"


@case
def new_ir(folder: Path) -> Made:
    return saved(folder, relu(ir=99)), "IR version 99"


@case
def no_opset(folder: Path) -> Made:
    proto = relu()
    del proto.opset_import[:]
    return saved(folder, proto), "operator set"


@case
def cycle(folder: Path) -> Made:
    nodes = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]
    return saved(folder, model(nodes, [value("x", 1)], [value("y", 1)])), "cycle of 2 nodes: node 'b' (Relu)"


@case
def own_output_as_input(folder: Path) -> Made:
    return saved(folder, model([node("Add", "x y", "y")], [value("x", 1)], [value("y", 1)])), "cycle of 1"


@case
def dangling_input(folder: Path) -> Made:
    return saved(
        folder, model([node("Add", "x w", "y")], [value("x", 1)], [value("y", 1)])
    ), "uses 'w', which nothing"


@case
def dangling_output(folder: Path) -> Made:
    return saved(
        folder, model([node("Relu", "x", "y")], [value("x", 1)], [value("z", 1)])
    ), "'z' is made by no node"


@case
def dangling_in_a_branch(folder: Path) -> Made:
    inner = helper.make_graph([node("Relu", "nowhere", "a")], "g", [], [untyped("a")])
    nodes = [node("If", "c", "y", then_branch=inner, else_branch=inner)]
    return saved(folder, model(nodes, [value("c", dtype=TensorProto.BOOL)], [untyped("y")])), "uses 'nowhere'"


@case
def two_makers(folder: Path) -> Made:
    nodes = [node("Relu", "x", "y"), node("Sigmoid", "x", "y")]
    return saved(folder, model(nodes, [value("x", 1)], [value("y", 1)])), "two nodes make the tensor 'y'"


@case
def two_outputs_of_one_name(folder: Path) -> Made:
    """What torch 2.13's dynamo exporter wrote of a sentence encoder."""
    return saved(
        folder, model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1), value("y", 1)])
    ), "two outputs"


@case
def two_initializers_of_one_name(folder: Path) -> Made:
    proto = model([node("Add", "x w", "y")], [value("x", 1)], [value("y", 1)], {"w": np.ones(1, np.float32)})
    proto.graph.initializer.append(proto.graph.initializer[0])
    return saved(folder, proto), "two initializers"


@case
def node_makes_an_input(folder: Path) -> Made:
    nodes = [node("Relu", "x", "x2"), node("Relu", "x2", "x")]
    return saved(folder, model(nodes, [value("x", 1)], [value("x2", 1)])), "is also an input"


@case
def unknown_operator(folder: Path) -> Made:
    return saved(
        folder, model([node("Reluu", "x", "y")], [value("x", 1)], [value("y", 1)])
    ), "did you mean Relu"


@case
def later_operator(folder: Path) -> Made:
    nodes = [node("Gelu", "x", "y")]
    return saved(folder, model(nodes, [value("x", 1)], [value("y", 1)])), "the operator is of opset 20"


@case
def unknown_domain(folder: Path) -> Made:
    odd = helper.make_node("Frobnicate", ["x"], ["y"], domain="my.ops")
    return saved(
        folder, model([odd], [value("x", 1)], [value("y", 1)], domains={"my.ops": 1})
    ), "domain 'my.ops'"


@case
def unknown_attribute(folder: Path) -> Made:
    return saved(
        folder, model([node("Relu", "x", "y", slope=2.0)], [value("x", 1)], [value("y", 1)])
    ), "slope"


@case
def too_few_inputs(folder: Path) -> Made:
    return saved(
        folder, model([node("Conv", "x", "y")], [value("x", 1, 1, 4, 4)], [untyped("y")])
    ), "input size 1"


@case
def too_few_inputs_of_a_contrib_operator(folder: Path) -> Made:
    odd = helper.make_node("QLinearAdd", ["x"], ["y"], domain="com.microsoft")
    return saved(
        folder, model([odd], [value("x", 1)], [untyped("y")], domains={"com.microsoft": 1})
    ), "needs at least 4"


@case
def shapes_that_do_not_fit(folder: Path) -> Made:
    nodes = [node("MatMul", "x w", "y", "product")]
    weights = {"w": np.ones((5, 2), np.float32)}
    return saved(folder, model(nodes, [value("x", 1, 4)], [untyped("y")], weights)), "node 'product' (MatMul)"


@case
def zero_strides(folder: Path) -> Made:
    nodes = [node("Conv", "x w", "y", "stuck", strides=[0, 0])]
    weights = {"w": np.ones((1, 1, 3, 3), np.float32)}
    return saved(folder, model(nodes, [value("x", 1, 1, 8, 8)], [untyped("y")], weights)), "stuck"


@case
def control_characters_in_a_name(folder: Path) -> Made:
    return saved(
        folder, model([node("Relu", "x", "y", "a\nb\x1b[31m")], [value("x", 1)], [value("y", 1)])
    ), "control"


@case
def very_long_name(folder: Path) -> Made:
    nodes = [node("Relu", "w" * 1_000_000, "y")]
    return saved(folder, model(nodes, [value("x", 1)], [value("y", 1)])), "which nothing before it makes"


@case
def sequence_input(folder: Path) -> Made:
    item = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1])
    nodes = [node("SequenceLength", "x", "y")]
    return saved(folder, model(nodes, [item], [untyped("y", 7)])), "no tensor"


@case
def sparse_weights(folder: Path) -> Made:
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [3])
    proto = model([node("Add", "x w", "y")], [value("x", 9)], [value("y", 9)])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [9]))
    return saved(folder, proto), "sparse"


# --- absurd sizes --------------------------------------------------------------------------------------------------


@case
def absurd_input(folder: Path) -> Made:
    return saved(
        folder, model([node("Relu", "x", "y")], [value("x", 2**60)], [untyped("y")])
    ), "no device holds"


@case
def product_overflows(folder: Path) -> Made:
    """2**32 * 2**32 is 0 in 64 bits."""
    return saved(
        folder, model([node("Relu", "x", "y")], [value("x", 2**32, 2**32)], [untyped("y")])
    ), "no device holds"


@case
def absurd_constant(folder: Path) -> Made:
    proto = model([node("Add", "x w", "y")], [value("x", 1)], [untyped("y")], {"w": np.ones(1, np.float32)})
    proto.graph.initializer[0].dims[:] = [2**62, 4]
    return saved(folder, proto), "no device holds"


@case
def negative_input(folder: Path) -> Made:
    proto = model([node("Relu", "x", "y")], [value("x", 1)], [untyped("y")])
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -4
    return saved(folder, proto), "tensor 'x': a side of -4"


@case
def negative_constant(folder: Path) -> Made:
    proto = model([node("Add", "x w", "y")], [value("x", 1)], [untyped("y")], {"w": np.ones(1, np.float32)})
    proto.graph.initializer[0].dims[:] = [-1]
    return saved(folder, proto), "negative"


@case
def constant_shorter_than_its_shape(folder: Path) -> Made:
    proto = model([node("Add", "x w", "y")], [value("x", 1)], [untyped("y")], {"w": np.ones(2, np.float32)})
    proto.graph.initializer[0].dims[:] = [1000]
    return saved(folder, proto), "needs 4,000"


@case
def constant_of_no_type(folder: Path) -> Made:
    proto = model([node("Add", "x w", "y")], [value("x", 1)], [untyped("y")], {"w": np.ones(1, np.float32)})
    proto.graph.initializer[0].data_type = 77
    return saved(folder, proto), "element type 77"


@case
def small_graph_that_makes_a_giant(folder: Path) -> Made:
    nodes = [node("ConstantOfShape", "s", "big"), node("ReduceSum", "big", "y", keepdims=0)]
    proto = model(nodes, [value("x", 1)], [untyped("y")], {"s": np.array([2**20, 2**20])})
    return saved(folder, proto), "no device holds"


# --- external data ----------------------------------------------------------------------------------------------------


def external(folder: Path, location: str, **entries: str) -> Path:
    """A model whose weight w [4] (16 bytes) is said to be at ``location``."""
    proto = model([node("Add", "x w", "y")], [value("x", 4)], [value("y", 4)], {"w": np.ones(4, np.float32)})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return saved(folder, proto)


@case
def external_absolute(folder: Path) -> Made:
    return external(folder, "/etc/passwd"), "outside the model's folder"


@case
def external_parent(folder: Path) -> Made:
    (folder.parent / "secret.bin").write_bytes(bytes(16))
    return external(folder, "../secret.bin"), "outside the model's folder"


@case
def external_parent_in_the_middle(folder: Path) -> Made:
    return external(folder, "a/../../secret.bin"), "outside the model's folder"


@case
def external_windows_path(folder: Path) -> Made:
    return external(folder, "C:\\secret.bin"), "outside the model's folder"


@case
def external_link_out(folder: Path) -> Made:
    (folder.parent / "linked.bin").write_bytes(bytes(16))
    (folder / "w.bin").symlink_to(folder.parent / "linked.bin")
    return external(folder, "w.bin"), "a link out of the model's folder"


@case
def external_link_in_a_circle(folder: Path) -> Made:
    (folder / "w.bin").symlink_to(folder / "w.bin")
    return external(folder, "w.bin"), "not beside the model"


@case
def external_missing(folder: Path) -> Made:
    return external(folder, "w.bin"), "not beside the model"


@case
def external_directory(folder: Path) -> Made:
    (folder / "w.bin").mkdir()
    return external(folder, "w.bin"), "no regular file"


@case
def external_short(folder: Path) -> Made:
    (folder / "w.bin").write_bytes(bytes(10))
    return external(folder, "w.bin"), "too short: 10 bytes, 16 needed"


@case
def external_offset_past_the_end(folder: Path) -> Made:
    (folder / "w.bin").write_bytes(bytes(16))
    return external(folder, "w.bin", offset="1000000"), "too short"


@case
def external_length_does_not_fit(folder: Path) -> Made:
    (folder / "w.bin").write_bytes(bytes(99))
    return external(folder, "w.bin", length="99"), "99 bytes declared"


@case
def external_negative_offset(folder: Path) -> Made:
    (folder / "w.bin").write_bytes(bytes(16))
    return external(folder, "w.bin", offset="-8"), "no number of bytes"


@case
def external_without_a_name(folder: Path) -> Made:
    return external(folder, ""), "no file is named"


@case
def external_in_a_constant_node(folder: Path) -> Made:
    """Not only initializers can point outside."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = onnx.NodeProto(op_type="Constant", output=["w"])
    constant.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    return saved(
        folder, model([constant, node("Add", "x w", "y")], [value("x", 4)], [value("y", 4)])
    ), "outside"


# --- TFLite ----------------------------------------------------------------------------------------------------------


@case
def tflite_that_is_none(folder: Path) -> Made:
    return written(folder, np.random.default_rng(1).bytes(500), "m.tflite"), "no TFLite model, or damaged"


@case
def tflite_head_only(folder: Path) -> Made:
    return written(folder, b"\x1c\x00\x00\x00TFL3", "m.tflite"), "no TFLite model, or damaged"


@case
def tflite_head_and_noise(folder: Path) -> Made:
    noise = np.random.default_rng(2).bytes(2000)
    return written(folder, b"\x1c\x00\x00\x00TFL3" + noise, "m.tflite"), "no TFLite model, or damaged"
