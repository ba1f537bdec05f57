"""Records as a conversion and two profile runs leave them, with seeded latencies."""

from __future__ import annotations

import random
from pathlib import Path

from edgekit.bundles import Bundle
from edgekit.bundles.manifest import Manifest
from edgekit.profiling.record import LatencyRecord, Measurement, MemoryRecord, OperatorTime, RunContext

SHA = "ab" * 32


def manifest(**changes: object) -> Manifest:
    fidelity = {"samples": 64, "sqnr_db": 21.4, "cosine": 0.991, "agreement": 0.969, "data": "eval"}
    timing = {
        "p50_ms": 4.1, "source_p50_ms": 8.0, "ratio": 0.512, "ratio_ci_low": 0.508, "ratio_ci_high": 0.517,
        "rounds": 30, "threads": 2, "machine": "x86_64, 2 cores",
    }  # fmt: skip
    slower = {**timing, "p50_ms": 9.1, "ratio": 1.14, "ratio_ci_low": 1.12, "ratio_ci_high": 1.16}
    record: dict[str, object] = {
        "schema": 1, "edgekit": "0.1.0", "name": "net-host", "task": "image-classification", "target": "host",
        "converter": "openvino",
        "variant": "nncf",
        "model": {"name": "net", "sha256": SHA, "size_bytes": 18_600_000, "licence": "Apache-2.0", "origin": "a zoo"},
        "artifact": {
            "path": "artifact/model.xml", "format": "openvino-ir", "runtime": "openvino", "precision": "int8",
            "io": {
                "inputs": [{"name": "input", "source": "input", "transpose": None, "dtype": "float32"}],
                "outputs": [{"name": "logits", "source": "logits", "transpose": None, "dtype": "float32"}],
            },
        },
        "steps": [{
            "converter": "openvino", "variant": "nncf", "tool": "nncf", "version": "3.4.0", "arguments": {},
            "parent_sha256": SHA, "child_sha256": "cd" * 32, "deterministic": True,
        }],
        "files": [{"path": "artifact/model.bin", "sha256": SHA, "size_bytes": 4_800_000}],
        "fidelity": fidelity,
        "timing": timing,
        "dropped": [
            {"target": "host", "converter": "onnxruntime", "precision": "fp16", "timing": slower,
             "fidelity": {**fidelity, "agreement": 1.0}, "reason": "slower than the source: 1.14 times [1.12, 1.16]"},
            {"target": "host", "converter": "litert", "precision": "int8", "reason": "<script>alert(1)</script>"},
        ],
    }  # fmt: skip
    return Manifest.model_validate({**record, **changes})


def bundle_of(record: Manifest) -> Bundle:
    """One that was read, without its files."""
    folder = Path("net-host.edgekit")
    return Bundle(path=folder, folder=folder, manifest=record, sha256=SHA)


def measurement(seed: int = 1, *, scale: float = 1.0, operators: int = 40) -> Measurement:
    draw = random.Random(seed)
    raw = tuple(
        scale * (4.0 + draw.gammavariate(2.0, 0.12) + (draw.random() < 0.02) * 3.0) for _ in range(400)
    )
    ordered = sorted(raw)
    latency = LatencyRecord(
        p50=ordered[200], p90=ordered[360], p99=ordered[396], mean=sum(raw) / len(raw), ci_low=ordered[190],
        ci_high=ordered[210], samples=len(raw), raw_ms=raw, warmup_runs=10,
    )  # fmt: skip
    mebibyte = 1 << 20
    return Measurement(
        schema=1, bundle="net-host", bundle_sha256=SHA, model="net", target="host", precision="int8", converter="openvino",
        device="local", kind="measured", latency_ms=latency, cold_start_ms=612.0, warm_start_ms=35.0, load_ms=120.0,
        memory_bytes=MemoryRecord(
            base=61 * mebibyte, load=118 * mebibyte, first=131 * mebibyte, steady=131 * mebibyte, peak=131 * mebibyte,
            kernel_peak=131 * mebibyte, method="kernel high-water mark, reset between phases",
        ),
        operators=tuple(
            OperatorTime(name=f"/blocks/{index}/conv_dw/Conv", op=("Conv", "Relu", "Add")[index % 3], ms=draw.random() / 5)
            for index in range(operators)
        ),
        context=RunContext(
            machine="x86_64", cpu="An x86 CPU", isa_features=("avx2", "avx512-vnni"), cores=2, threads=2, governor=None,
            load_average_1m=0.7, temperature_c=None, os="Debian 12", kernel="6.1", python="3.11.2", runtime="openvino",
            runtime_version="2026.4.1", runtime_options={"INFERENCE_PRECISION_HINT": "f32"},
        ),
        duration_s=10.0, taken_utc="2026-11-23T12:00:00Z",
    )  # fmt: skip
