"""How sums of 8-bit products come out, for every target that comes with edgekit and for made-up ones."""

from __future__ import annotations

import pytest

from edgekit.catalog import integer_sums, load_catalog
from edgekit.catalog.integers import computes_int8, meaning
from edgekit.catalog_schema import Target, TargetRuntime
from edgekit.vocabulary import IntegerSums, RuntimeId


def machine(arch: str, *features: str) -> Target:
    target = load_catalog().target("intel-n100")
    return target.model_copy(update={"arch": arch, "isa_features": features})


def runtime(name: RuntimeId, **facts: object) -> TargetRuntime:
    return TargetRuntime.model_validate({"id": name, "formats": ("onnx",), "precisions": ("int8",), **facts})


@pytest.mark.parametrize(
    ("arch", "features", "name", "sums"),
    [
        ("x86_64", ("avx2",), "onnxruntime", "saturating"),
        ("x86_64", ("avx2",), "openvino", "saturating"),
        ("x86_64", ("avx2", "avx512f"), "onnxruntime", "saturating"),
        ("x86_64", ("avx2",), "litert", "exact"),
        ("x86_64", ("avx2", "avx-vnni"), "onnxruntime", "exact"),
        ("x86_64", ("avx512f", "avx512-vnni"), "openvino", "exact"),
        ("aarch64", ("neon",), "onnxruntime", "exact"),
        ("aarch64", ("neon", "dotprod"), "onnxruntime", "exact"),
        ("aarch64", ("neon",), "rknn", None),
    ],
)
def test_the_instruction_set_tells(
    arch: str, features: tuple[str, ...], name: RuntimeId, sums: IntegerSums | None
) -> None:
    assert integer_sums(machine(arch, *features), runtime(name)) == sums


def test_an_npu_says_it_itself() -> None:
    assert integer_sums(machine("aarch64", "neon"), runtime("rknn", integer_sums="exact")) == "exact"


def test_every_cpu_runtime_of_the_catalog_is_known() -> None:
    for target in load_catalog().targets.values():
        for entry in target.runtimes:
            if entry.status == "available" and computes_int8(entry):
                assert integer_sums(target, entry), (target.id, entry.id)


def test_meaning_is_for_people() -> None:
    old = machine("x86_64", "avx2")
    assert meaning(old, runtime("litert")) == "int8 sums are exact"
    assert "saturate (no VNNI): 7-bit weights" in str(meaning(old, runtime("onnxruntime")))
    assert meaning(old, runtime("onnxruntime", precisions=("fp32",))) is None
    assert meaning(old, runtime("rknn")) is None
