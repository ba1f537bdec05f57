"""Have the QDQ graph made that every converter able to read QDQ takes its scales from."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from edgekit.catalog_schema import WorkerLimits
from edgekit.conversion.workers import Worker, launch

GRID, RANGES, IN_FLOAT = "grid.onnx", "ranges.json", "in_float.json"

if TYPE_CHECKING:
    from edgekit.conversion.protocol import ConversionReply, ConversionRequest
    from edgekit.conversion.workers import Told

_LIMITS = WorkerLimits(timeout_s=7200, memory_bytes=6 * 2**30)
_ROOM = Path(__file__).parents[1] / "quantization"
_PYTHON = Path(sys.executable)
_WORKER = Worker(name="quantization", python=_PYTHON, file=_ROOM / "worker.py", limits=_LIMITS)
_SENSITIVITY = Worker(
    name="sensitivity", python=_PYTHON, file=_ROOM / "sensitivity_worker.py", limits=_LIMITS
)


def quantize(
    request: ConversionRequest, *, log: Path, told: Told | None = None, stopped: Event | None = None
) -> ConversionReply:
    """Quantize ``request["source"]`` (float ONNX, opset >= 13) on all samples of ``request["calibration"]``.

    Writes into ``out_dir`` ``qdq.onnx`` and, for converters that cannot read it, ``GRID``, ``RANGES`` and ``IN_FLOAT``
    (:mod:`edgekit.quantization.travel`): int8 weights per output channel in ``options["int8_weight_bits"]`` (7, 8)
    bits, activations in ``options["int8_activations"]`` (uint8, int8, tiles), pairs as ``options["int8_pairs"]``
    says (all, read: :class:`edgekit.quantization.insertion.Scheme`), int32 biases, with ``options["effort"]``
    and what goes before it (:func:`edgekit.quantization.effort.bounds_of`); the nodes of ``options["float_nodes"]`` (a
    JSON list) stay in float. ``told``, ``stopped``: as of :func:`edgekit.conversion.workers.launch`. Raises WorkerError.
    """
    return launch(_WORKER, request, log=log, told=told, stopped=stopped)


def sense(
    request: ConversionRequest, *, log: Path, told: Told | None = None, stopped: Event | None = None
) -> ConversionReply:
    """Write ``sensitivity.json`` into ``out_dir``: what each layer of ``source`` loses alone in the ranges of
    ``options["qdq"]``, which :func:`quantize` made of it. Raises WorkerError.
    """
    return launch(_SENSITIVITY, request, log=log, told=told, stopped=stopped)
