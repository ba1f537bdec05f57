"""Write the TFLite files that tests of the litert converter start from, with the io map onnx2tf found.

    .venv/bin/python -m scripts.make_tflite_fixtures     # needs the onnx2tf environment, makes it where absent

They stand in the repository so that litert is tested without a package registry; a ``network`` test compares them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import onnx

from edgekit.catalog_schema import Converter
from edgekit.conversion.workers import run_worker
from edgekit.strict import read_record
from tests.graphs import tiny_bert, tiny_cnn

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "converters" / "data"


def main() -> None:
    for name, model in {"tiny_cnn": tiny_cnn(), "tiny_bert": tiny_bert()}.items():
        write(name, model, DATA)


def write(name: str, model: onnx.ModelProto, folder: Path) -> None:
    """``<name>.tflite`` and ``<name>.json`` (its io map) into ``folder``."""
    converter, problems = read_record(ROOT / "converters/onnx2tf/converter.toml", Converter)
    if converter is None:
        raise SystemExit("\n".join(problems))
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, "model.onnx"), Path(scratch, "out")
        out.mkdir()
        onnx.save(model, source)
        reply = run_worker(
            converter,
            ROOT / "converters/onnx2tf",
            {
                "source": str(source), "io": None, "out_dir": str(out), "precision": "fp32", "options": {},
                "calibration": None, "task": "tensor", "threads": 1,
            },
            log=Path(scratch, "log"),
        )  # fmt: skip
        (folder / f"{name}.tflite").write_bytes((out / reply["artifact"]).read_bytes())
        (folder / f"{name}.json").write_text(json.dumps(reply["io"], indent=1) + "\n")


if __name__ == "__main__":
    main()
