"""Does a contract fit its model? Names, shapes and dtypes, before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from edgekit.contracts.keypoints import blazepose_shapes
from edgekit.contracts.loading import LoadedContract
from edgekit.contracts.masks import INDEX_MAP_SHAPES, label_problem
from edgekit.contracts.schema import (
    BoxesOutput,
    ClassesOutput,
    EmbeddingOutput,
    ImageInput,
    IndexMapOutput,
    Input,
    KeypointsOutput,
    MaskOutput,
    TensorInput,
    TextOutput,
    TextRegionsOutput,
)
from edgekit.contracts.shapes import is_fixed, show_shape
from edgekit.contracts.types import TensorSpec
from edgekit.errors import ContractError

Shape = tuple[int | None, ...]
"""None where any size will do."""


def check_fit(contract: LoadedContract, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    """ContractError with every name, shape and dtype of ``contract`` that the model's do not match.

    Free dimensions of the model fit anything.
    """
    specs = {spec.name: spec for spec in inputs}
    problems = [problem for item in contract.schema.inputs for problem in _input_problems(item, specs)]
    named = {item.name for item in contract.schema.inputs}
    problems += [f"the model's input '{name}' is not in the contract" for name in specs if name not in named]
    problems += _output_problems(contract, {spec.name: spec for spec in outputs})
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ContractError(f"the contract does not fit the model; correct contract.toml:{lines}")


def input_shape(item: Input) -> Shape:
    """The shape that ``encode`` makes of ``item``."""
    if isinstance(item, TensorInput):
        return item.shape
    if not isinstance(item, ImageInput):
        return (1, item.tokens)
    channels = 1 if item.color == "gray" else 3
    height, width = (None, None) if item.resize == "limit-side" else item.size
    return (1, channels, height, width) if item.layout == "nchw" else (1, height, width, channels)


def _input_problems(item: Input, specs: dict[str, TensorSpec]) -> list[str]:
    if item.name not in specs:
        return [f"input '{item.name}': {_unknown(item.name, 'input', list(specs))}"]
    spec, shape = specs[item.name], input_shape(item)
    problems = []
    if not _shapes_fit(shape, spec.shape):
        hint = "; resize 'limit-side' needs a free height and width" if None in shape else ""
        problems.append(
            f"input '{item.name}': the contract makes {show_shape(shape)}, the model takes {show_shape(spec.shape)}{hint}"
        )
    if item.dtype != spec.dtype:
        problems.append(f"input '{item.name}': dtype is '{item.dtype}', the model takes '{spec.dtype}'")
    return problems


def _shapes_fit(made: Shape, taken: Sequence[int | str | None]) -> bool:
    """A free dimension of the model takes any size; a free one of the contract fits only a free one."""
    return len(made) == len(taken) and all(
        not is_fixed(side) or side == size for size, side in zip(made, taken, strict=True)
    )


def _unknown(name: str, kind: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(names) or 'none'}"
    return f"the model has no such {kind}; {hint}"


def _output_problems(contract: LoadedContract, specs: dict[str, TensorSpec]) -> list[str]:
    problems = []
    output = contract.schema.output
    if isinstance(output, MaskOutput | IndexMapOutput) and (
        problem := label_problem(output, contract.labels)
    ):
        problems.append(f"output '{output.name}': {problem}")
    for place, name in enumerate(contract.schema.output_names()):
        if name not in specs:
            problems.append(f"output '{name}': {_unknown(name, 'output', list(specs))}")
            continue
        shape, dtype = specs[name].shape, specs[name].dtype
        if isinstance(output, MaskOutput) and dtype in _INDEX_DTYPES:
            problems.append(
                f"output '{name}': a mask is read from scores, the model gives {dtype} {show_shape(shape)}; where these are "
                "indices of the labels, its kind is 'index-map'"
            )
            continue
        wanted = _output_shapes(contract, place)
        if wanted and not any(_shapes_fit_output(one, shape) for one in wanted):
            problems.append(
                f"output '{name}': {_needed(contract, wanted)}, the model gives {show_shape(shape)}"
            )
    return problems


_INDEX_DTYPES = frozenset({"int32", "int64"})
"""Of what an ArgMax gives; quantized scores have 8 or 16 bits."""


def _shapes_fit_output(wanted: Shape, given: Sequence[int | str | None]) -> bool:
    return len(wanted) == len(given) and all(
        size is None or not is_fixed(side) or size == side for size, side in zip(wanted, given, strict=True)
    )


def _output_shapes(contract: LoadedContract, place: int) -> tuple[Shape, ...]:
    """What the decoder can read as its ``place``-th output; () where it takes anything."""
    match contract.schema.output:
        case ClassesOutput():
            return ((1, len(contract.labels)),)
        case EmbeddingOutput():
            return ((1, None),)
        case TextOutput():
            return ((1, None, len(contract.characters)),)
        case MaskOutput() as output:
            return (output.shape(len(contract.labels)),)
        case IndexMapOutput():
            return INDEX_MAP_SHAPES
        case TextRegionsOutput():
            return ((1, 1, None, None),)
        case BoxesOutput(decoder="blazeface"):
            return (((1, 512, 1), (1, 384, 1), (1, 512, 16), (1, 384, 16))[place],)
        case BoxesOutput() as output:
            return ((1, len(output.anchors) // len(output.names) * (5 + len(contract.labels)), None, None),)
        case KeypointsOutput():
            return (blazepose_shapes(len(contract.keypoints))[place],)
        case _:
            return ()


def _needed(contract: LoadedContract, shapes: tuple[Shape, ...]) -> str:
    reasons = {
        "classes": f"{len(contract.labels)} labels need",
        "text": f"{len(contract.characters) - 2} characters, blank and space need",
        "mask": f"a mask of {len(contract.labels)} labels needs",
        "index-map": "indices of labels need",
        "boxes": f"the decoder with {len(contract.labels)} labels needs",
        "keypoints": f"the decoder with {len(contract.keypoints)} keypoints needs",
    }
    wanted = " or ".join(map(show_shape, shapes))
    return f"{reasons.get(contract.schema.output.kind, 'the decoder needs')} {wanted}"
