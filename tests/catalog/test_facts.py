"""Which names of facts cover which keys."""

from __future__ import annotations

import pytest

from edgekit.catalog.facts import fact_problems, unsourced
from edgekit.catalog_schema import Profile

DATA = {
    "schema": 1,
    "id": "board",
    "name": "A board",
    "soc": "A chip",
    "cpu": {
        "isa_features": ["neon"],
        "clusters": [
            {"core": "big", "cores": 2, "clock_hz": 2},
            {"core": "small", "cores": 4, "clock_hz": 1},
        ],
    },
    "memory": {"ram_bytes": 5, "type": "LPDDR4"},
    "accelerators": [{"kind": "npu", "name": "NPU", "peak_int8_ops_per_s": 6}],
}
FIGURES = {
    "cpu.isa_features", "cpu.clusters.0.cores", "cpu.clusters.0.clock_hz", "cpu.clusters.1.cores",
    "cpu.clusters.1.clock_hz", "memory.ram_bytes", "accelerators.0.peak_int8_ops_per_s",
}  # fmt: skip


def profile(*facts: str) -> Profile:
    source = {"facts": list(facts), "title": "A page", "where": "somewhere", "basis": "datasheet"}
    return Profile.model_validate({**DATA, "sources": [source]})


@pytest.mark.parametrize(
    ("facts", "covered"),
    [
        (("soc",), set()),
        (("cpu.clusters.0.cores",), {"cpu.clusters.0.cores"}),
        (("cpu.clusters.1",), {"cpu.clusters.1.cores", "cpu.clusters.1.clock_hz"}),
        (("cpu.clusters.*.clock_hz",), {"cpu.clusters.0.clock_hz", "cpu.clusters.1.clock_hz"}),
        (("cpu", "accelerators"), FIGURES - {"memory.ram_bytes"}),
        (("*",), FIGURES),
    ],
)
def test_figures_that_no_source_vouches_for(facts: tuple[str, ...], covered: set[str]) -> None:
    assert {line.split(":")[0] for line in unsourced(profile(*facts))} == FIGURES - covered
    assert fact_problems(profile(*facts)) == []


@pytest.mark.parametrize(
    "name", ["cp", "cpu.cluster.0", "cpu.clusters.2.cores", "cpu.l3_bytes", "id", "sources", ""]
)
def test_names_of_nothing(name: str) -> None:
    (line,) = fact_problems(profile("soc", name))
    assert f"'{name}' names nothing in this file" in line
