"""Read the layers of an ncnn ``.param`` file, as ``edgekit.simulation`` counts them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.simulation.layer import Layer, LayerKind, convolution_kind

Shape = tuple[int, ...]
Values = dict[int, list[float]]
_AUTO_PAD = (-233, -234)
_PLAIN: dict[str, LayerKind] = {
    "ReLU": "elementwise", "HardSwish": "elementwise", "HardSigmoid": "elementwise", "Sigmoid": "elementwise",
    "GELU": "elementwise", "BatchNorm": "elementwise", "Softmax": "norm", "LayerNorm": "norm", "LRN": "norm",
    "ShuffleChannel": "move",
}  # fmt: skip
_PERMUTATIONS = {1: (1, 0, 2), 2: (0, 2, 1), 3: (2, 0, 1), 4: (1, 2, 0), 5: (2, 1, 0)}
"""Of width, height, channels."""


@dataclass(frozen=True)
class Step:
    """One line of the file, with the shapes it gets: channels first."""

    op: str
    values: Values
    inputs: list[Shape]

    def number(self, key: int, default: int = 0) -> int:
        return int(self.values[key][0]) if key in self.values else default


Result = tuple[list[Shape], list[Layer]]


def read_param(path: Path, size: int) -> list[Layer]:
    """The layers of ``path`` for an image of three channels and ``size`` pixels a side."""
    shapes: dict[str, Shape] = {}
    layers: list[Layer] = []
    for line in path.read_text(encoding="ascii").splitlines()[2:]:
        op, _, inputs, outputs, *rest = line.split()
        names, made = rest[: int(inputs)], rest[int(inputs) : int(inputs) + int(outputs)]
        step = Step(op, _values(rest[int(inputs) + int(outputs) :]), [shapes[name] for name in names])
        image: Result = [(3, size, size)], []
        results, found = image if op == "Input" else _HANDLERS.get(op, _same)(step)
        shapes |= dict(zip(made, results * len(made) if len(results) == 1 else results, strict=False))
        layers += found
    return layers


def _values(words: list[str]) -> Values:
    found: Values = {}
    for word in words:
        key, value = word.split("=", 1)
        if int(key) <= -23300:
            found[-int(key) - 23300] = [float(item) for item in value.split(",")[1:]]
        else:
            found[int(key)] = [float(value)]
    return found


def _same(step: Step) -> Result:
    """Keeps the shape; free where it is in no table."""
    shape = step.inputs[0]
    if step.op not in _PLAIN:
        if step.op not in ("Split", "Noop", "Dropout"):
            raise SystemExit(f"{step.op}: unknown layer")
        return [shape], []
    return [shape], [Layer(kind=_PLAIN[step.op], reads=math.prod(shape), writes=math.prod(shape))]


def _move(reads: int, shape: Shape) -> Result:
    return [shape], [Layer(kind="move", reads=reads, writes=math.prod(shape))]


def _product(kind: LayerKind, rows: int, depth: int, columns: int) -> Layer:
    return Layer(
        kind=kind, macs=rows * depth * columns, weights=depth * columns, reads=rows * depth, writes=rows * columns,
        in_channels=depth, out_channels=columns, kernel=1, stride=1,
    )  # fmt: skip


def _window(
    step: Step, kernel: int, stride: int, pads: tuple[int, int, int, int], dilation: int = 1
) -> Shape:
    """Height and width after a square window; ``pads`` are left, right, top, bottom."""
    _, height, width = step.inputs[0]
    reach = dilation * (kernel - 1) + 1
    if pads[0] in _AUTO_PAD:
        return math.ceil(height / stride), math.ceil(width / stride)
    return (height + pads[2] + pads[3] - reach) // stride + 1, (
        width + pads[0] + pads[1] - reach
    ) // stride + 1


def _convolution(step: Step) -> Result:
    channels, height, width = step.inputs[0]
    outside, kernel, stride = step.number(0), step.number(1), step.number(3, 1)
    left, dilation = step.number(4), step.number(2, 1)
    top = step.number(14, left)
    pads = (left, step.number(15, left), top, step.number(16, top))
    groups = 1 if step.op == "Convolution" else step.number(7, 1)
    weights = outside * (channels // groups) * kernel**2
    if step.op.startswith("Deconvolution"):
        sides: Shape = tuple((side - 1) * stride + kernel - 2 * left for side in (height, width))
        macs = channels * height * width * (outside // groups) * kernel**2
    else:
        sides = _window(step, kernel, stride, pads, dilation)
        macs = math.prod(sides) * weights
    assert weights == step.number(6), "the file states another number of weights"
    made = (outside, *sides)
    layer = Layer(
        kind=convolution_kind(channels, groups, kernel**2), macs=macs, weights=weights,
        reads=math.prod(step.inputs[0]), writes=math.prod(made), in_channels=channels, out_channels=outside,
        kernel=kernel**2, stride=stride, dilation=dilation,
    )  # fmt: skip
    return [made], [layer]


def _inner_product(step: Step) -> Result:
    columns, depth = step.number(0), math.prod(step.inputs[0])
    return [(columns,)], [_product("dense", 1, depth, columns)]


def _gemm(step: Step) -> Result:
    columns, depth = step.number(8), step.number(9)
    rows = math.prod(step.inputs[0]) // depth
    return [(*step.inputs[0][:-1], columns)], [
        _product("linear" if rows > 1 else "dense", rows, depth, columns)
    ]


def _attention(step: Step) -> Result:
    """Three projections, queries with keys, softmax, weights with values, one projection."""
    width, heads, tokens = step.number(0), step.number(1), step.inputs[0][0]
    square, inside = heads * tokens**2, tokens * width
    project = _product("linear", tokens, width, width)

    def pair(reads: int, writes: int, depth: int, columns: int) -> Layer:
        return Layer(
            kind="matmul", macs=tokens**2 * width, reads=reads, writes=writes, in_channels=depth,
            out_channels=columns, kernel=1, stride=1,
        )  # fmt: skip

    scores = pair(2 * inside, square, width // heads, tokens)
    mixed = pair(square + inside, inside, tokens, width // heads)
    softmax = Layer(kind="norm", reads=square, writes=square)
    return [step.inputs[0]], [project, project, project, scores, softmax, mixed, project]


def _pooling(step: Step) -> Result:
    channels, height, width = step.inputs[0]
    if step.number(4):
        made: Shape = (channels,)
    else:
        kernel, stride, left = step.number(1), step.number(2, 1), step.number(3)
        top = step.number(13, left)
        pads = (left, step.number(14, left), top, step.number(15, top))
        if step.number(5) == 0:  # the last window may reach over the edge
            up = [side + before + after - kernel for side, before, after in
                  ((height, pads[2], pads[3]), (width, pads[0], pads[1]))]  # fmt: skip
            made = (channels, *(math.ceil(side / stride) + 1 for side in up))
        elif step.number(5) == 1:
            made = (channels, *_window(step, kernel, stride, pads))
        else:
            made = (channels, math.ceil(height / stride), math.ceil(width / stride))
    return [made], [Layer(kind="pool", reads=math.prod(step.inputs[0]), writes=math.prod(made))]


def _binary(step: Step) -> Result:
    largest = max(step.inputs, key=math.prod)
    reads = sum(map(math.prod, step.inputs))
    return [largest], [Layer(kind="elementwise", reads=reads, writes=math.prod(largest))]


def _concat(step: Step) -> Result:
    axis = step.number(0) % len(step.inputs[0])
    made = list(step.inputs[0])
    made[axis] = sum(shape[axis] for shape in step.inputs)
    return _move(math.prod(made), tuple(made))


def _slice(step: Step) -> Result:
    shape = step.inputs[0]
    axis = step.number(1) % len(shape)
    left, made = shape[axis], []
    for index, wanted in enumerate(step.values[0]):
        part = left // (len(step.values[0]) - index) if wanted == _AUTO_PAD[0] else int(wanted)
        left -= part
        made.append((*shape[:axis], part, *shape[axis + 1 :]))
    return made, [Layer(kind="move", reads=math.prod(shape), writes=math.prod(shape))]


def _crop(step: Step) -> Result:
    shape = list(step.inputs[0])
    if 9 in step.values:
        for start, end, place in zip(step.values[9], step.values[10], step.values[11], strict=True):
            axis = int(place) % len(shape)
            stop = int(end) if end >= 0 else shape[axis] + int(end)
            shape[axis] = min(stop, shape[axis]) - int(start)
    else:
        shape = [step.number(5) or shape[0], step.number(4) or shape[1], step.number(3) or shape[2]]
    return _move(math.prod(shape), tuple(shape))


def _reshape(step: Step) -> Result:
    given = step.inputs[0]
    sides = [step.number(key, -233) for key in (2, 11, 1, 0)]
    sides = [side for side in sides if side != -233]
    sides = [given[index - len(sides)] if side == 0 else side for index, side in enumerate(sides)]
    known = math.prod(side for side in sides if side != -1)
    return [tuple(math.prod(given) // known if side == -1 else side for side in sides)], []


def _permute(step: Step) -> Result:
    shape = step.inputs[0]
    if len(shape) == 2:
        made: Shape = shape[::-1] if step.number(0) == 1 else shape
    else:
        order = _PERMUTATIONS.get(step.number(0), (0, 1, 2))
        made = tuple(reversed([shape[2 - axis] for axis in order]))
    return _move(math.prod(shape), made)


def _padding(step: Step) -> Result:
    channels, height, width = step.inputs[0]
    front, behind = step.number(7), step.number(8)
    sides = (height + step.number(0) + step.number(1), width + step.number(2) + step.number(3))
    made = (channels + front + behind, *sides)
    return _move(math.prod(step.inputs[0]), made)


def _resize(step: Step) -> Result:
    channels, height, width = step.inputs[0]
    scale_high, scale_wide = (step.values.get(key, [1.0])[0] for key in (1, 2))
    made = (channels, step.number(3) or int(height * scale_high), step.number(4) or int(width * scale_wide))
    return _move(math.prod(step.inputs[0]), made)


def _reduction(step: Step) -> Result:
    channels = step.inputs[0][0]
    return [(channels, 1, 1)], [Layer(kind="pool", reads=math.prod(step.inputs[0]), writes=channels)]


def _memory(step: Step) -> Result:
    return [tuple(side for side in map(step.number, (2, 1, 0)) if side)], []


def _detection(step: Step) -> Result:
    """What comes out depends on the image, or is a table of boxes made once."""
    return [(1,)], [Layer(kind="move", reads=sum(map(math.prod, step.inputs)))]


def _prior_boxes(step: Step) -> Result:
    _, height, width = step.inputs[0]
    ratios = len(step.values.get(2, [])) * (2 if step.number(7) else 1)
    boxes = len(step.values.get(0, [])) * (1 + ratios) + len(step.values.get(1, []))
    return [(2, 4 * width * height * boxes)], [Layer(kind="move", reads=sum(map(math.prod, step.inputs)))]


_HANDLERS: dict[str, Callable[[Step], Result]] = {
    "BinaryOp": _binary,
    "Concat": _concat,
    "Convolution": _convolution,
    "ConvolutionDepthWise": _convolution,
    "Crop": _crop,
    "DeconvolutionDepthWise": _convolution,
    "DetectionOutput": _detection,
    "Eltwise": _binary,
    "Flatten": lambda step: ([(math.prod(step.inputs[0]),)], []),
    "Gemm": _gemm,
    "InnerProduct": _inner_product,
    "Interp": _resize,
    "MemoryData": _memory,
    "MultiHeadAttention": _attention,
    "Padding": _padding,
    "Permute": _permute,
    "Pooling": _pooling,
    "PriorBox": _prior_boxes,
    "Reduction": _reduction,
    "Reshape": _reshape,
    "Slice": _slice,
    "YoloDetectionOutput": _detection,
    "Yolov3DetectionOutput": _detection,
}
