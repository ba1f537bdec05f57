"""A file of texts given with --calib is what the tool calibrates on: every line, encoded as the contract says."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import numpy as np
import onnx
import pytest

from edgekit.catalog_schema import Converter
from edgekit.contracts import load_contract
from edgekit.conversion import workshop
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.protocol import ConversionReply, ConversionRequest
from edgekit.conversion.workers import run_worker
from tests.contracts.making import contract, token_inputs
from tests.conversion.project import ELSEWHERE, write_target
from tests.graphs import tiny_bert

TEXTS = ("good film", "bad", "good good bad film", "film")
TOKENS = 16


@pytest.mark.slow
def test_nncf_calibrates_on_every_text(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(tiny_bert(tokens=TOKENS), project / "bert.onnx")
    path = contract(
        project,
        "sentence-embedding",
        token_inputs(TOKENS),
        {"kind": "embedding", "name": "embedding"},
        tokenizer="tokenizer.json",
    )
    (project / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    write_target(project, "far", arch=ELSEWHERE, runtime="openvino", format_="openvino-ir")
    seen: list[dict[str, np.ndarray]] = []
    arguments: list[dict[str, object]] = []

    def watched(
        converter: Converter, folder: Path, request: ConversionRequest, *, log: Path, stopped: Event
    ) -> ConversionReply:
        reply = run_worker(converter, folder, request, log=log, stopped=stopped)
        if request["options"].get("quantizer") == "nncf":
            assert request["calibration"] is not None
            seen.extend(dict(np.load(file)) for file in sorted(Path(request["calibration"]).iterdir()))
            arguments.append(dict(reply["tools"][-1]["arguments"]))
        return reply

    monkeypatch.setattr(workshop, "run_worker", watched)
    convert(
        Order(
            model=project / "bert.onnx",
            targets=("far",),
            out=project / "out",
            calibration=project / "texts.txt",
            precisions=("int8",),
            threads=1,
        )
    )
    assert [(item["model_type"], item["subset_size"]) for item in arguments] == [("transformer", len(TEXTS))]
    wanted = [load_contract(path).encode(text).tensors for text in TEXTS]
    assert len(seen) == len(wanted)
    for found, encoded in zip(seen, wanted, strict=True):
        assert found.keys() == encoded.keys()
        assert all(np.array_equal(found[name], encoded[name]) for name in encoded)
