"""A model that was read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import onnx

    from edgekit.models.tflite import TfliteGraph

Shape = tuple[int | str, ...]
"""A free dimension is the name it has in the file, ``?`` where it has none."""

ANY_RANK = "..."
"""The only side of a shape whose number of dimensions is unknown."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model."""

    name: str
    shape: Shape
    dtype: str
    """numpy's name; ``bfloat16``, ``float8e4m3fn``, ``int4``, ``string`` … where numpy has none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Model:
    """A model file that is sound: readable, acyclic, names unique, weights as long as their shapes say.

    Compared by identity; ``sha256`` tells whether two are of the same bytes.
    """

    path: Path
    name: str
    """The file's name without its suffix."""
    format: Literal["onnx", "tflite"]
    sha256: str
    """Of the file; with external data, of the file's and every external file's digest."""
    size_bytes: int
    """External data included."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    opset: int | None
    """Of ONNX's default domain; None for TFLite."""
    licence: str | None
    quantization: str | None
    """How it is already quantized, in a sentence; None where it is not."""
    external_files: tuple[Path, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Input shapes the user fixed."""
    unknown_operators: tuple[str, ...] = ()
    """One line each; empty unless they were allowed when loading."""
    proto: onnx.ModelProto | None = field(default=None, repr=False)
    """The ONNX graph: external data read in, functions inlined, nodes in topological order, ``shapes`` and
    batch 1 set and inferred shapes noted. Not to be changed."""
    tflite: TfliteGraph | None = field(default=None, repr=False)

    @property
    def quantized(self) -> bool:
        return self.quantization is not None
