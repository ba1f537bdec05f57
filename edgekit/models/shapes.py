"""Input shapes: what a user fixes, what stays free, and the option to type for it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

import onnx

from edgekit.errors import ModelError
from edgekit.models.dtypes import ONNX_DTYPES
from edgekit.models.model import ANY_RANK, Shape, TensorSpec
from edgekit.models.tensors import shape_problem

_LAYOUTS = {3: ("N", "C", "L"), 4: ("N", "C", "H", "W"), 5: ("N", "C", "D", "H", "W")}


def parse_shapes(options: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """``["x:1,3,640,640"]`` -> ``{"x": (1, 3, 640, 640)}``; ModelError for anything else."""
    shapes: dict[str, tuple[int, ...]] = {}
    for option in options:
        # names may hold colons ('input:0'), so the last one counts
        name, _, sides = option.rpartition(":")
        if not name or not re.fullmatch(r"[0-9]{1,18}(,[0-9]{1,18})*", sides, re.ASCII):
            raise ModelError(f"--shape {option}: write NAME:SIDES, e.g. --shape x:1,3,640,640")
        if name in shapes:
            raise ModelError(f"--shape {option}: the shape of '{name}' is given twice")
        shapes[name] = tuple(int(side) for side in sides.split(","))
        if 0 in shapes[name] or shape_problem(shapes[name]):
            raise ModelError(
                f"--shape {option}: every side must be at least 1, and the tensor fit into memory"
            )
    return shapes


def specs_of(values: Iterable[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """Name, shape and dtype of graph inputs or outputs."""
    return tuple(TensorSpec(value.name, shape_of(value), dtype_of(value)) for value in values)


def shape_of(value: onnx.ValueInfoProto) -> Shape:
    """Sides of a tensor; a free one is its symbol or ``?``. ``("...",)`` where not even their number is known."""
    if not value.type.tensor_type.HasField("shape"):
        return (ANY_RANK,)
    return tuple(
        side.dim_value if side.dim_value > 0 else side.dim_param or "?"
        for side in value.type.tensor_type.shape.dim
    )


def dtype_of(value: onnx.ValueInfoProto) -> str:
    """Name of the element type; ``unknown`` where the file does not say."""
    return ONNX_DTYPES.get(value.type.tensor_type.elem_type, ("unknown", 0))[0]


def graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs that the caller must give; before IR version 4 the initializers are listed among them."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def bind_shapes(where: str, graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Set ``shapes`` and batch 1 on the inputs of ``graph``; True where that changed anything.

    A symbol bound in one input is bound in all. ModelError for an unknown name, another number of sides, and
    a side that the file fixes otherwise.
    """
    inputs = {value.name: shape_of(value) for value in graph_inputs(graph)}
    symbols = dict.fromkeys(_batch_symbols(inputs.values()), 1) | _given_symbols(where, inputs, shapes)
    bound = {name: shapes.get(name) or _batched(_bound(shape, symbols)) for name, shape in inputs.items()}
    for value in graph_inputs(graph):
        if bound[value.name] != inputs[value.name]:
            write_shape(value, bound[value.name])
    for value in graph.output:
        write_shape(value, _bound(shape_of(value), symbols))
    return bound != inputs


def _given_symbols(
    where: str, inputs: Mapping[str, Shape], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, int]:
    """What ``shapes`` say of the symbols; ModelError where they do not fit ``inputs`` or each other."""
    symbols: dict[str, int] = {}
    for name, shape in shapes.items():
        _check_fits(where, name, shape, inputs)
        for given, side in zip(shape, inputs[name], strict=False):
            if isinstance(side, str) and side != "?" and symbols.setdefault(side, given) != given:
                raise ModelError(f"{where}: dimension '{side}' is given as {symbols[side]} and as {given}")
    return symbols


def _check_fits(where: str, name: str, shape: tuple[int, ...], inputs: Mapping[str, Shape]) -> None:
    if name not in inputs:
        near = difflib.get_close_matches(name, inputs, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(inputs)}"
        raise ModelError(f"{where}: --shape names '{name}', which is no input; {hint}")
    own = inputs[name]
    if own == (ANY_RANK,):
        return
    shown, asked = (",".join(str(side) for side in sides) for sides in (own, shape))
    if len(own) != len(shape):
        raise ModelError(
            f"{where}: input '{name}' has the {len(own)} dimensions {shown}; --shape gives {asked}"
        )
    if any(isinstance(side, int) and side != given for given, side in zip(shape, own, strict=True)):
        raise ModelError(f"{where}: input '{name}' is fixed to {shown} in the file; --shape gives {asked}")


def _batch_symbols(shapes: Collection[Shape]) -> set[str]:
    """Symbols that stand for the batch: named so, or in the first place of several and nowhere else."""
    several = [shape for shape in shapes if len(shape) > 1]
    leading = {shape[0] for shape in several if isinstance(shape[0], str)}
    later = {side for shape in several for side in shape[1:]}
    named = {side for shape in shapes for side in shape if isinstance(side, str) and "batch" in side.lower()}
    return ({symbol for symbol in leading if symbol not in later} | named) - {"?"}


def _bound(shape: Shape, symbols: Mapping[str, int]) -> Shape:
    return tuple(symbols.get(side, side) if isinstance(side, str) else side for side in shape)


def _batched(shape: Shape) -> Shape:
    """A nameless leading side is the batch."""
    return (1, *shape[1:]) if len(shape) > 1 and shape[0] == "?" else shape


def write_shape(value: onnx.ValueInfoProto, shape: Shape) -> None:
    """Let ``shape`` be what ``value`` says of its sides; the reverse of ``shape_of``."""
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    if shape == (ANY_RANK,):
        return
    tensor.shape.SetInParent()  # a scalar's shape has no sides, but is there
    for side in shape:
        if isinstance(side, int):
            tensor.shape.dim.add(dim_value=side)
        else:
            tensor.shape.dim.add(dim_param=side if side != "?" else "")


def free_dimensions(inputs: Iterable[TensorSpec]) -> tuple[str, ...]:
    """One line for each input whose shape is not fully known, with the option that fixes it."""
    return tuple(_free_line(spec) for spec in inputs if any(isinstance(side, str) for side in spec.shape))


def _free_line(spec: TensorSpec) -> str:
    if spec.shape == (ANY_RANK,):
        return f"input '{spec.name}' has no shape; add --shape '{spec.name}:SIDES', e.g. 1,3,224,224"
    free = [f"{index} ('{side}')" for index, side in enumerate(spec.shape) if isinstance(side, str)]
    sides = ",".join(_placeholder(spec, index) for index in range(len(spec.shape)))
    verb = "dimensions {} are" if len(free) > 1 else "dimension {} is"
    return f"input '{spec.name}': {verb.format(' and '.join(free))} free; add --shape '{spec.name}:{sides}'"


def _placeholder(spec: TensorSpec, index: int) -> str:
    """What to write for a side: its number, or a word in capitals to be replaced by one."""
    side = spec.shape[index]
    if isinstance(side, int):
        return str(side)
    if len(spec.shape) in _LAYOUTS and spec.dtype.startswith("float"):
        return _LAYOUTS[len(spec.shape)][index]
    return re.sub(r"[^A-Z0-9]+", "_", side.upper()).strip("_") or f"SIDE{index}"
