"""Weights of MatMul, Gemm and embedding tables in 8 or 4 bits a block, as MatMulNBits and GatherBlockQuantized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from blockwise import Blocks, Grid, compensated, nearest
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Array = np.ndarray[Any, Any]

DOMAIN = "com.microsoft"
SMALLEST_BLOCK = 16
TABLE_BLOCK = 128
TABLE_ROWS = 32
"""Tables with fewer rows (token types) stay float: there is nothing to gain."""
MASK_INPUT = "attention_mask"
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A node that multiplies by a constant matrix."""

    node: onnx.NodeProto
    weight: str
    matrix: Array
    """K × N, with a Gemm's transposition and ``alpha`` carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    grid: Grid
    compensate: bool
    accuracy_level: int
    """0: float arithmetic; 4: each block of an activation rounded to int8 inside the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    model: onnx.ModelProto
    products: int
    left: tuple[str, ...]
    """Products with a constant matrix that stay in float."""
    tables: int


def quantize_weights(model: onnx.ModelProto, scheme: Scheme, samples: Sequence[Path]) -> Outcome:
    """Replace every product by a constant matrix and every embedding table; the rest stays as it is.

    ``samples``: calibration files, which only ``scheme.compensate`` needs.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = list(_products(model.graph, constants))
    products = {id(product.node): product for product in found if product.matrix.shape[0] >= SMALLEST_BLOCK}
    moments = _second_moments(model, list(products.values()), samples) if scheme.compensate else {}
    writer = _Writer(model.graph)
    made: dict[str, Blocks] = {}
    tables = 0
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if product := products.get(id(node)):
            key = _key(product)
            if key not in made:
                made[key] = _rounded(product.matrix, scheme, moments.get(key))
            nodes += writer.product(product, made[key], scheme.accuracy_level)
        elif _is_table(node, constants):
            nodes.append(writer.table(node, numpy_helper.to_array(constants[node.input[0]])))
            tables += 1
        else:
            nodes.append(node)
    left = [
        node.name for node in model.graph.node if _multiplies(node, constants) and id(node) not in products
    ]
    _replace(model, nodes)
    return Outcome(model=model, products=len(products), left=tuple(left), tables=tables)


def _multiplies(node: onnx.NodeProto, constants: Mapping[str, Any]) -> bool:
    return node.op_type in ("MatMul", "Gemm") and len(node.input) > 1 and node.input[1] in constants


def _products(graph: onnx.GraphProto, constants: Mapping[str, onnx.TensorProto]) -> Iterator[Product]:
    for node in graph.node:
        if not _multiplies(node, constants):
            continue
        weight = constants[node.input[1]]
        if len(weight.dims) != 2 or weight.data_type != onnx.TensorProto.FLOAT:
            continue
        matrix = numpy_helper.to_array(weight)
        given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        # optimizers fuse MatMul + Add to Gemm, which onnxruntime's own quantizer passes over without a word
        if node.op_type == "Gemm":
            if given.get("transA") or given.get("beta", 1.0) != 1.0:
                continue
            matrix = (matrix.T if given.get("transB") else matrix) * np.float32(given.get("alpha", 1.0))
        yield Product(node=node, weight=node.input[1], matrix=matrix)


def _key(product: Product) -> str:
    """One name for each different matrix: a weight may be used as it is and transposed."""
    attributes = "".join(f".{item.name}{helper.get_attribute_value(item)}" for item in product.node.attribute)
    return product.weight + attributes


def _is_table(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Gather" or node.input[0] not in constants:
        return False
    table = constants[node.input[0]]
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
    fits = len(table.dims) == 2 and table.dims[0] >= TABLE_ROWS and table.dims[1] >= SMALLEST_BLOCK
    return axis == 0 and fits and bool(table.data_type == onnx.TensorProto.FLOAT)


def _rounded(matrix: Array, scheme: Scheme, moments: Array | None) -> Blocks:
    grid = Grid(
        bits=scheme.grid.bits,
        block=_block(len(matrix), scheme.grid.block),
        symmetric=scheme.grid.symmetric,
    )
    return nearest(matrix, grid) if moments is None else compensated(matrix, moments, grid)


def _block(length: int, wanted: int) -> int:
    """The wanted block, or the smallest power of two that holds all of a shorter matrix."""
    while wanted // 2 >= max(length, SMALLEST_BLOCK):
        wanted //= 2
    return wanted


def _second_moments(
    model: onnx.ModelProto, products: Sequence[Product], samples: Sequence[Path]
) -> dict[str, Array]:
    """Of each matrix, the sum of ``outer(x, x)`` over all that it is multiplied with; padding left out."""
    inputs = list(dict.fromkeys(product.node.input[0] for product in products))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in inputs)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the order of sums, hence the bytes, must not depend on the machine
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sums: dict[str, Array] = {}
    waiting: dict[str, list[Array]] = {name: [] for name in inputs}
    for path in samples:
        with np.load(path) as arrays:
            sample = dict(arrays)
        for name, value in zip(inputs, session.run(inputs, sample), strict=True):
            waiting[name].append(_tokens(value, sample.get(MASK_INPUT)))
            if sum(map(len, waiting[name])) >= _ROWS_AT_ONCE:
                _add_up(sums, name, waiting[name])
    for name, rows in waiting.items():
        _add_up(sums, name, rows)
    found: dict[str, Array] = {}
    for product in products:
        key = _key(product)
        found[key] = found.get(key, 0.0) + sums[product.node.input[0]]
    return found


def _tokens(value: Array, mask: Array | None) -> Array:
    """The rows of an activation, without those of padding where its shape tells which they are."""
    rows = value.reshape(-1, value.shape[-1])
    if mask is None or mask.shape != value.shape[:-1]:
        return np.asarray(rows)
    return np.asarray(rows[mask.reshape(-1) != 0])


def _add_up(sums: dict[str, Array], name: str, rows: list[Array]) -> None:
    """Add many rows in one float32 product, the products in float64."""
    if rows:
        joined = np.concatenate(rows)
        sums[name] = sums.get(name, 0.0) + (joined.T @ joined).astype(np.float64)
        rows.clear()


class _Writer:
    """Makes nodes and puts their constants into the graph; what two nodes share is stored once."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.stored: set[str] = set()

    def product(self, product: Product, blocks: Blocks, accuracy_level: int) -> list[onnx.NodeProto]:
        node, grid, name = product.node, blocks.grid, _key(product)
        inputs = [node.input[0], self.store(f"{name}_Q{grid.bits}", packed(blocks))]
        inputs.append(self.store(f"{name}_scales", blocks.scales.T))
        if not grid.symmetric:  # without them: the middle
            inputs.append(self.store(f"{name}_zero_points", _nibbles(blocks.zeros.T, grid.bits)))
        rows, columns = product.matrix.shape
        bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
        output = f"{node.output[0]}_unbiased" if bias else node.output[0]
        levels = {"accuracy_level": accuracy_level} if accuracy_level else {}
        attributes: dict[str, Any] = {
            "K": rows,
            "N": columns,
            "bits": grid.bits,
            "block_size": grid.block,
            **levels,
        }
        made = helper.make_node("MatMulNBits", inputs, [output], node.name, domain=DOMAIN, **attributes)
        if not bias:
            return [made]
        return [made, helper.make_node("Add", [output, bias], list(node.output), f"{node.name}_bias")]

    def table(self, node: onnx.NodeProto, table: Array) -> onnx.NodeProto:
        """Each row rounded to 8 bits: a table is the larger half of a small transformer."""
        name, block = node.input[0], _block(table.shape[1], TABLE_BLOCK)
        blocks = nearest(table.T, Grid(bits=8, block=block, symmetric=True))
        inputs = [
            self.store(f"{name}_Q8", blocks.integers.T),
            node.input[1],
            self.store(f"{name}_scales", blocks.scales.T),
            self.store(f"{name}_zero_points", blocks.zeros.T),
        ]
        attributes: dict[str, Any] = {"gather_axis": 0, "quantize_axis": 1, "block_size": block, "bits": 8}
        return helper.make_node(
            "GatherBlockQuantized", inputs, list(node.output), node.name, domain=DOMAIN, **attributes
        )

    def store(self, name: str, value: Array) -> str:
        if name not in self.stored:
            self.stored.add(name)
            self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def packed(blocks: Blocks) -> Array:
    """The integers as MatMulNBits reads them: [N, blocks, bytes], of two 4-bit values the earlier one low."""
    grid, (rows, columns) = blocks.grid, blocks.integers.shape
    count = len(blocks.scales)
    filled = np.full((columns, count * grid.block), (grid.top + 1) // 2, np.uint8)
    filled[:, :rows] = blocks.integers.T
    return _nibbles(filled.reshape(columns, count, grid.block), grid.bits)


def _nibbles(values: Array, bits: int) -> Array:
    if bits == 8:
        return values
    even = np.concatenate([values, np.zeros((*values.shape[:-1], values.shape[-1] % 2), np.uint8)], axis=-1)
    return np.asarray(even[..., 0::2] | (even[..., 1::2] << 4))


def _replace(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Put the new nodes in, and take out the constants that no node reads any more."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    read = {name for node in copies for name in node.input} | {output.name for output in model.graph.output}
    # bodies of loops and branches read from outside
    read |= {name for node in copies for item in node.attribute for name in _read_inside(item)}
    kept = [
        onnx.TensorProto.FromString(tensor.SerializeToString())
        for tensor in model.graph.initializer
        if tensor.name in read
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if DOMAIN not in {item.domain for item in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))


def _read_inside(attribute: onnx.AttributeProto) -> Iterator[str]:
    for graph in (attribute.g, *attribute.graphs):
        for node in graph.node:
            yield from node.input
            for inner in node.attribute:
                yield from _read_inside(inner)
