"""Is an ONNX graph sound? Versions, names, order, constants, operators: all without native code."""

from __future__ import annotations

import difflib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence

import onnx

from edgekit.errors import ModelError
from edgekit.models.standins import contrib_problem
from edgekit.models.tensors import shape_problem, tensor_problem
from edgekit.models.walk import (
    CONTRIB_DOMAIN,
    DEFAULT_DOMAINS,
    all_graphs,
    all_nodes,
    all_tensors,
    label,
    subgraphs,
    uses,
)

MIN_OPSET, MAX_OPSET = 7, onnx.defs.onnx_opset_version()
MIN_IR, MAX_IR = 3, onnx.IR_VERSION


def opset_of(model: onnx.ModelProto) -> int | None:
    """Opset of the default domain; None where the model does not import it."""
    return next((entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS), None)


def check_structure(where: str, model: onnx.ModelProto) -> None:
    """Raise ModelError for the first thing that makes ``model`` unsound; sort its nodes where they are not."""
    for problem in _structure_problems(model):
        raise ModelError(f"{where}: {problem}")
    _sort_nodes(where, model.graph)
    _check_scopes(where, model.graph, set())


def _structure_problems(model: onnx.ModelProto) -> Iterator[str]:
    yield from _version_problems(model)
    if not model.graph.node:
        yield "the graph has no operators"
    if not model.graph.output:
        yield "the graph has no outputs"
    for graph in all_graphs(model.graph):
        if graph.sparse_initializer:
            yield "sparse initializers are not supported; store the weights densely"
        yield from _name_problems(graph)
    for node in all_nodes(model.graph.node):
        if problem := contrib_problem(node):
            yield f"{label(node)} {problem}"
    for tensor in all_tensors(model):
        if problem := tensor_problem(tensor):
            yield f"constant '{tensor.name}': {problem}"
    for value in (*model.graph.input, *model.graph.output):
        if value.type.WhichOneof("value") not in (None, "tensor_type"):
            yield f"'{value.name}' is no tensor but a sequence, map or the like; only tensors are handled"
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        yield from _value_problems(value)


def _version_problems(model: onnx.ModelProto) -> Iterator[str]:
    if not model.HasField("graph"):
        yield "holds no graph; it is no ONNX model, or damaged"
    if not MIN_IR <= model.ir_version <= MAX_IR:
        yield f"ONNX IR version {model.ir_version} is outside {MIN_IR} to {MAX_IR}; export it again"
    opset = opset_of(model)
    if opset is None:
        yield "imports no ONNX operator set; export it again"
    elif opset < MIN_OPSET:
        yield f"ONNX opset {opset} is older than {MIN_OPSET}; export it with opset 17"
    elif opset > MAX_OPSET:
        yield f"ONNX opset {opset} is newer than {MAX_OPSET}; export it with opset 17, or update edgekit's onnx"


def _name_problems(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        if not all(map(str.isprintable, (node.name, node.op_type, node.domain, *node.output))):
            yield f"{label(node)}: a name holds control characters"
    inputs = Counter(value.name for value in graph.input)
    constants = Counter(tensor.name for tensor in graph.initializer)
    made = Counter(name for node in graph.node for name in node.output if name)
    outputs = Counter(value.name for value in graph.output)
    for kind, names in (("input", inputs), ("initializer", constants), ("output", outputs)):
        if "" in names:
            yield f"an {kind} of the graph has no name"
        yield from (f"two {kind}s have the name '{name}'" for name, count in names.items() if count > 1)
    yield from (f"two nodes make the tensor '{name}'" for name, count in made.items() if count > 1)
    for name in made:
        if name in inputs or name in constants:
            yield f"'{name}' is made by a node and is also an {'input' if name in inputs else 'initializer'}"


def _value_problems(value: onnx.ValueInfoProto) -> Iterator[str]:
    sides = value.type.tensor_type.shape.dim
    # a free dimension is written as 0 or -1 by some exporters
    for side in sides:
        if side.dim_value < -1:
            yield f"tensor '{value.name}': a side of {side.dim_value} makes no sense; export it again"
    known = [side.dim_value for side in sides if side.dim_value > 0]
    if problem := shape_problem(known):
        yield f"tensor '{value.name}': {problem}"


def _sort_nodes(where: str, graph: onnx.GraphProto) -> None:
    """Put the nodes of ``graph`` in topological order, keeping the file's order where it is one."""
    order = _topological(list(graph.node))
    if len(order) < len(graph.node):
        stuck = sorted(set(range(len(graph.node))) - set(order))
        raise ModelError(f"{where}: {_why_stuck([graph.node[index] for index in stuck])}")
    if order != sorted(order):
        nodes = [graph.node[index] for index in order]
        del graph.node[:]
        graph.node.extend(nodes)


def _topological(nodes: Sequence[onnx.NodeProto]) -> list[int]:
    """Indices in topological order, the smallest ready one first; nodes of a cycle are left out."""
    needs = [uses(node) for node in nodes]
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waits = [len({name for name in names if name in maker}) for names in needs]
    users: dict[str, list[int]] = {}
    for index, names in enumerate(needs):
        for name in names & maker.keys():
            users.setdefault(name, []).append(index)
    ready = [index for index, count in enumerate(waits) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for name in nodes[index].output:
            for user in users.get(name, ()):
                waits[user] -= 1
                if waits[user] == 0:
                    heapq.heappush(ready, user)
    return order


def _why_stuck(nodes: list[onnx.NodeProto]) -> str:
    """Follow the inputs of stuck nodes backwards until one repeats: that is the cycle."""
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    path = [0]
    while True:
        before = next(maker[name] for name in sorted(uses(nodes[path[-1]])) if name in maker)
        if before in path:
            cycle = path[path.index(before) :]
            names = ", ".join(label(nodes[index]) for index in reversed(cycle[:4]))
            return f"the graph has a cycle of {len(cycle)} nodes: {names}{' …' if len(cycle) > 4 else ''}"
        path.append(before)


def _check_scopes(where: str, graph: onnx.GraphProto, outer: set[str]) -> None:
    """ModelError for a tensor that is used but made by nothing before it."""
    known = outer | {value.name for value in (*graph.input, *graph.initializer)}
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                raise ModelError(f"{where}: {label(node)} uses '{name}', which nothing before it makes")
        for inner in subgraphs(node):
            _check_scopes(where, inner, known)
        known.update(name for name in node.output if name)
    for value in graph.output:
        if value.name not in known:
            raise ModelError(f"{where}: output '{value.name}' is made by no node")


def unknown_operators(model: onnx.ModelProto) -> tuple[str, ...]:
    """One line for each operator (not each node) that ONNX's operator sets do not have."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    local = {(function.domain, function.name) for function in model.functions}
    lines: dict[tuple[str, str], str] = {}
    for node in all_nodes([*model.graph.node, *(inner for f in model.functions for inner in f.node)]):
        key = (node.domain, node.op_type)
        if key not in lines and key not in local and (problem := operator_problem(node, versions)):
            lines[key] = f"{label(node)}: {problem}"
    return tuple(lines.values())


def operator_problem(node: onnx.NodeProto, versions: dict[str, int]) -> str | None:
    """Why no operator set of ``versions`` (domain -> version) has the operator of ``node``; None where one has."""
    if node.domain == CONTRIB_DOMAIN:
        return None  # onnxruntime's own operators; whether a runtime takes them, its converter says
    domain = "" if node.domain in DEFAULT_DOMAINS else node.domain
    version = versions.get(node.domain, versions.get(domain))
    if domain not in ("", "ai.onnx.ml"):
        return f"operators of the domain '{node.domain}' are in no runtime that edgekit drives"
    if version is None:
        return f"the model does not import the domain '{node.domain}'"
    if onnx.defs.has(node.op_type, version, domain):
        return None
    if onnx.defs.has(node.op_type, domain):
        came = onnx.defs.get_schema(node.op_type, domain).since_version
        return f"not in {domain or 'ONNX'} opset {version}; the operator is of opset {came}"
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == domain}
    near = difflib.get_close_matches(node.op_type, names, n=1, cutoff=0.75)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"no such operator in {domain or 'ONNX'} opset {version}{hint}"
