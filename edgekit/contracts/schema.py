"""What a contract file says: how each input is made from raw data, and how the outputs are read.

A contract is one ``contract.toml`` beside the model. Files it names (labels, tokenizer, characters) are
relative to it. It always speaks in the source model's own input and output names, layouts and dtypes; what a
converter changed (NHWC inputs, renamed tensors) stands in the bundle's manifest, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from edgekit.strict import Strict
from edgekit.vocabulary import DType, Task


class ImageInput(Strict):
    """An input made from an image: decode, resize, colour order, ``(pixel - mean) / std``, layout, dtype.

    ``resize``: ``stretch`` to ``size``; ``crop``: short side to ``resize_short_side`` (default: just covering
    ``size``), then the centre; ``letterbox``: fit inside ``size``, centred, rest filled with ``pad_value``;
    ``fit-height``: to the height of ``size``, width by aspect ratio up to the width of ``size``, padded right
    (PP-OCR recognition); ``limit-side``: shrunk to fit inside ``size``, then both sides rounded to
    ``multiple_of`` (PP-OCR detection; only for models with free height and width).
    Integer dtypes are rounded half to even and clipped.
    """

    kind: Literal["image"]
    name: str
    size: tuple[PositiveInt, PositiveInt]
    """Height, width in pixels."""
    resize: Literal["stretch", "crop", "letterbox", "fit-height", "limit-side"]
    resize_short_side: PositiveInt | None = None
    multiple_of: PositiveInt = 32
    interpolation: Literal["nearest", "bilinear", "bicubic", "area"] = "bilinear"
    color: Literal["rgb", "bgr", "gray"]
    mean: tuple[FiniteFloat, ...]
    """Per channel, in pixel units 0..255."""
    std: tuple[PositiveFloat, ...]
    pad_value: FiniteFloat = 0.0
    """In pixel units, before normalization."""
    layout: Literal["nchw", "nhwc"]
    dtype: DType = "float32"

    @model_validator(mode="after")
    def _channels_agree(self) -> ImageInput:
        channels = 1 if self.color == "gray" else 3
        if len(self.mean) != channels or len(self.std) != channels:
            raise ValueError(f"'mean' and 'std' need {channels} value(s) for color '{self.color}'")
        return self

    @model_validator(mode="after")
    def _short_side_covers_size(self) -> ImageInput:
        if self.resize_short_side is None:
            return self
        if self.resize != "crop" or self.resize_short_side < max(self.size):
            raise ValueError(
                "'resize_short_side' belongs to resize 'crop' and is at least the larger side of 'size'"
            )
        return self


class TokenInput(Strict):
    """An input made from a text by the contract's tokenizer."""

    kind: Literal["tokens"]
    name: str
    field: Literal["ids", "attention-mask", "type-ids"]
    tokens: PositiveInt
    """Sequence length: longer texts are cut, shorter ones padded to it."""
    dtype: DType = "int64"


class TensorInput(Strict):
    """An input read as it is from the array of its name in an .npz sample."""

    kind: Literal["tensor"]
    name: str
    shape: tuple[PositiveInt, ...]
    """Batch dimension included."""
    dtype: DType = "float32"


Input = Annotated[ImageInput | TokenInput | TensorInput, Field(discriminator="kind")]


class ClassesOutput(Strict):
    """Scores over classes, [N, classes]."""

    kind: Literal["classes"]
    name: str
    labels: str
    """File with one label a line."""
    activation: Literal["none", "softmax", "sigmoid"] = "softmax"
    """What turns the output into probabilities: ``none`` where the model ends in a softmax."""
    top_k: PositiveInt = 5


class EmbeddingOutput(Strict):
    """A vector a sample, [N, D]; compared by cosine."""

    kind: Literal["embedding"]
    name: str
    normalize: bool = True


class BoxesOutput(Strict):
    """Boxes of a detector. ``decoder`` names the family, ``names`` its raw outputs in the order it expects.

    yolov3: one output a scale, [N, anchors*(5+classes), H, W], before any sigmoid.
    blazeface: scores [N, 512, 1], scores [N, 384, 1], boxes [N, 512, 16], boxes [N, 384, 16].
    """

    kind: Literal["boxes"]
    decoder: Literal["yolov3", "blazeface"]
    names: tuple[str, ...] = Field(min_length=1)
    labels: str
    anchors: tuple[tuple[float, float], ...] = ()
    """yolov3: anchor (width, height) in input pixels, grouped by output in the order of ``names``."""
    score_threshold: NonNegativeFloat = 0.5
    iou_threshold: NonNegativeFloat = 0.45

    @model_validator(mode="after")
    def _decoder_gets_what_it_needs(self) -> BoxesOutput:
        if self.decoder == "blazeface" and (len(self.names) != 4 or self.anchors):
            raise ValueError("decoder 'blazeface' needs 4 'names' and no 'anchors'")
        if self.decoder == "yolov3" and (not self.anchors or len(self.anchors) % len(self.names)):
            raise ValueError("decoder 'yolov3' needs the same number of 'anchors' for each of 'names'")
        return self


class KeypointsOutput(Strict):
    """Named points of a body. ``decoder`` names the family, ``names`` its raw outputs in the order it expects.

    blazepose: landmarks [N, 5*(keypoints+6)], of each x, y and z in input pixels, visibility and presence before the
    sigmoid, the last six auxiliary; then the probability [N, 1] that somebody is there.
    """

    kind: Literal["keypoints"]
    decoder: Literal["blazepose"]
    names: tuple[str, ...] = Field(min_length=1)
    keypoints: str
    """File with one name a line, in the order of the model's points."""
    skeleton: tuple[tuple[str, str], ...] = ()
    """Pairs of them that a line connects."""
    score_threshold: NonNegativeFloat = 0.5
    """Of the pose; below it nobody is there."""

    @model_validator(mode="after")
    def _decoder_gets_what_it_needs(self) -> KeypointsOutput:
        if len(self.names) != 2:
            raise ValueError("decoder 'blazepose' needs 2 'names': the landmarks, then the presence")
        return self


class MaskOutput(Strict):
    """A class for each pixel, from maps [1, C, H, W] or [1, H, W, C] of any size.

    With ``threshold`` one map of the second of two labels: pixels from it on are of that label. Without, a map for each
    label, and the largest counts.
    """

    kind: Literal["mask"]
    name: str
    labels: str
    layout: Literal["nchw", "nhwc"]
    activation: Literal["none", "sigmoid"] = "none"
    """With ``threshold``: what turns the map into probabilities; ``none`` where the model ends in a sigmoid."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A probability."""
    background: str | None = None
    """The label that is no thing: left out of answers and pictures. With ``threshold`` that is the first label."""

    @model_validator(mode="after")
    def _one_map_or_many(self) -> MaskOutput:
        if self.threshold is None and self.activation != "none":
            raise ValueError("'activation' goes with 'threshold'; the largest map is the same without")
        if self.threshold is not None and self.background is not None:
            raise ValueError("'background' goes without 'threshold'; with it, that is the first label")
        return self

    def shape(self, labels: int) -> tuple[int | None, ...]:
        """Of the output with so many labels; None where any size will do."""
        channels = labels if self.threshold is None else 1
        return (1, channels, None, None) if self.layout == "nchw" else (1, None, None, channels)


class IndexMapOutput(Strict):
    """The class of each pixel itself, as a model that ends in an ArgMax gives it: whole numbers of any dtype.

    [1, H, W], [1, 1, H, W] or [1, H, W, 1] of any size.
    """

    kind: Literal["index-map"]
    name: str
    labels: str
    background: str | None = None
    """The label that is no thing: left out of answers and pictures."""


class TextRegionsOutput(Strict):
    """A probability map of text (PP-OCR's DB head), read as rotated boxes."""

    kind: Literal["text-regions"]
    name: str
    threshold: NonNegativeFloat = 0.3
    box_threshold: NonNegativeFloat = 0.5
    unclip_ratio: PositiveFloat = 1.6


class TextOutput(Strict):
    """CTC scores [N, T, characters+2] read greedily; index 0 is blank, the last one a space."""

    kind: Literal["text"]
    name: str
    characters: str
    """File with one character a line, UTF-8; blank and the last space are not in it."""


class TensorOutput(Strict):
    """Nothing is known of them: compared as numbers."""

    kind: Literal["tensor"]
    names: tuple[str, ...] = Field(min_length=1)


Output = Annotated[
    ClassesOutput
    | EmbeddingOutput
    | BoxesOutput
    | KeypointsOutput
    | MaskOutput
    | IndexMapOutput
    | TextRegionsOutput
    | TextOutput
    | TensorOutput,
    Field(discriminator="kind"),
]


OUTPUT_KINDS: dict[Task, tuple[str, ...]] = {
    "image-classification": ("classes",),
    "object-detection": ("boxes",),
    "face-detection": ("boxes",),
    "semantic-segmentation": ("mask", "index-map"),
    "text-detection": ("text-regions",),
    "text-recognition": ("text",),
    "pose-estimation": ("keypoints",),
    "text-classification": ("classes",),
    "sentence-embedding": ("embedding",),
    "tensor": ("tensor",),
}
INPUT_KIND: dict[Task, str] = {
    "image-classification": "image",
    "object-detection": "image",
    "face-detection": "image",
    "semantic-segmentation": "image",
    "text-detection": "image",
    "text-recognition": "image",
    "pose-estimation": "image",
    "text-classification": "tokens",
    "sentence-embedding": "tokens",
    "tensor": "tensor",
}


class Contract(Strict):
    """One way into a model and one way out of it."""

    schema_version: Literal[1] = Field(alias="schema")
    task: Task
    inputs: tuple[Input, ...]
    output: Output
    tokenizer: str | None = None
    """A ``tokenizer.json`` of the Hugging Face tokenizers library."""

    @model_validator(mode="after")
    def _parts_agree(self) -> Contract:
        problems = [*_kind_problems(self), *_token_problems(self)]
        names = [item.name for item in self.inputs]
        problems += [
            f"input '{name}' is given twice" for name in sorted({n for n in names if names.count(n) > 1})
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def output_names(self) -> tuple[str, ...]:
        """The model outputs that ``output`` reads, in its order."""
        if isinstance(self.output, BoxesOutput | KeypointsOutput | TensorOutput):
            return self.output.names
        return (self.output.name,)

    def files(self) -> tuple[str, ...]:
        """Names of the files this contract needs beside it."""
        named = (
            self.tokenizer,
            getattr(self.output, "labels", None),
            getattr(self.output, "characters", None),
            getattr(self.output, "keypoints", None),
        )
        return tuple(name for name in named if name)


def _kind_problems(contract: Contract) -> list[str]:
    # a length limit on the field itself would complain again about every input that is wrong in itself
    problems = [] if contract.inputs else ["'inputs' is empty"]
    if contract.output.kind not in (kinds := OUTPUT_KINDS[contract.task]):
        wanted_kinds = " or ".join(f"'{kind}'" for kind in kinds)
        problems.append(
            f"task '{contract.task}' needs an output of kind {wanted_kinds}, not '{contract.output.kind}'"
        )
    if any(item.kind != (wanted := INPUT_KIND[contract.task]) for item in contract.inputs):
        problems.append(f"task '{contract.task}' needs inputs of kind '{wanted}' only")
    if INPUT_KIND[contract.task] == "image" and len(contract.inputs) > 1:
        problems.append("a task on images has one input")
    return problems


def _token_problems(contract: Contract) -> list[str]:
    tokens = [item for item in contract.inputs if isinstance(item, TokenInput)]
    problems = []
    if tokens and contract.tokenizer is None:
        problems.append("an input of kind 'tokens' needs 'tokenizer'")
    if len({item.tokens for item in tokens}) > 1:
        problems.append("all inputs of kind 'tokens' need the same 'tokens'")
    return problems
