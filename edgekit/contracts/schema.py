"""What a contract file says: how each input is made from raw data, and how the outputs are read.

A contract is one ``contract.toml`` beside the model. Files it names (labels, tokenizer, characters) are
relative to it. It always speaks in the source model's own input and output names, layouts and dtypes; what a
converter changed (NHWC inputs, renamed tensors) stands in the bundle's manifest, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from edgekit.strict import Strict
from edgekit.vocabulary import DType, Task


class ImageInput(Strict):
    """An input made from an image: decode, resize, colour order, ``(pixel - mean) / std``, layout, dtype.

    ``resize``: ``stretch`` to ``size``; ``crop``: short side to ``resize_short_side`` (default: size), then the
    centre; ``letterbox``: fit inside ``size``, rest filled with ``pad_value``; ``fit-height``: to the height of
    ``size``, width by aspect ratio up to the width of ``size``, padded right (PP-OCR recognition);
    ``limit-side``: longest side at most ``size``, both sides rounded to ``multiple_of`` (PP-OCR detection).
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
    mean: tuple[float, ...]
    """Per channel, in pixel units 0..255."""
    std: tuple[PositiveFloat, ...]
    pad_value: float = 0.0
    """In pixel units, before normalization."""
    layout: Literal["nchw", "nhwc"]
    dtype: DType = "float32"

    @model_validator(mode="after")
    def _channels_agree(self) -> ImageInput:
        channels = 1 if self.color == "gray" else 3
        if len(self.mean) != channels or len(self.std) != channels:
            raise ValueError(f"'mean' and 'std' need {channels} value(s) for color '{self.color}'")
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
    """Boxes of a detector. ``decoder`` names the family, ``names`` its raw outputs in the order it expects."""

    kind: Literal["boxes"]
    decoder: Literal["yolov3", "blazeface"]
    names: tuple[str, ...]
    labels: str
    anchors: tuple[tuple[float, float], ...] = ()
    """yolov3: anchor (width, height) in input pixels, grouped by output in the order of ``names``."""
    score_threshold: NonNegativeFloat = 0.5
    iou_threshold: NonNegativeFloat = 0.45


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
    """File with one character a line."""


class TensorOutput(Strict):
    """Nothing is known of it: compared as numbers."""

    kind: Literal["tensor"]
    name: str


Output = Annotated[
    ClassesOutput | EmbeddingOutput | BoxesOutput | TextRegionsOutput | TextOutput | TensorOutput,
    Field(discriminator="kind"),
]


class Contract(Strict):
    """One way into a model and one way out of it."""

    schema_version: Literal[1] = Field(alias="schema")
    task: Task
    inputs: tuple[Input, ...] = Field(min_length=1)
    output: Output
    tokenizer: str | None = None
    """A ``tokenizer.json`` of the Hugging Face tokenizers library."""

    @model_validator(mode="after")
    def _tokens_need_tokenizer(self) -> Contract:
        if any(item.kind == "tokens" for item in self.inputs) and self.tokenizer is None:
            raise ValueError("an input of kind 'tokens' needs 'tokenizer'")
        return self

    def files(self) -> tuple[str, ...]:
        """Names of the files this contract needs beside it."""
        named = (self.tokenizer, getattr(self.output, "labels", None), getattr(self.output, "characters", None))
        return tuple(name for name in named if name)
