"""The points of a plan, and the order they are gone through in."""

from __future__ import annotations

from dataclasses import replace

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Target
from edgekit.conversion.candidates import Candidate, Link
from edgekit.tuning.space import Point, Space, thread_counts

CATALOG = load_catalog()
HOST: Target = CATALOG.target("host")


def candidates(converter: str) -> list[Candidate]:
    """Every variant of a converter for the host, as if nothing spoke against it."""
    found = CATALOG.converter(converter)
    runtime = next(runtime for runtime in HOST.runtimes if runtime.id == found.runtime)
    return [
        Candidate(target=HOST, runtime=runtime, chain=(Link(converter=found, variant=variant),))
        for variant in found.variants
    ]


OURS = next(item for item in candidates("openvino") if item.chain[-1].variant.quantized_by == "edgekit")
FLOAT = next(item for item in candidates("openvino") if item.precision == "fp32")


def test_ranges_and_rounding_are_tried_where_edgekit_quantizes() -> None:
    space = Space.over([FLOAT, OURS], threads=2)
    float_points = [point for point in space.points if point.candidate == FLOAT.label]
    int8_points = [point for point in space.points if point.candidate == OURS.label]
    assert [(point.ranges, point.rounding, point.threads) for point in float_points] == [
        (None, None, 1),
        (None, None, 2),
    ]
    assert {point.ranges for point in int8_points} == {"minmax", "percentile", "mse", "entropy"}
    assert {point.rounding for point in int8_points} == {"fitted", "nearest"}
    assert len(set(int8_points)) == 4 * 2 * 2
    assert float_points[0].quantization == {}
    nearest = Point(candidate="c", ranges="mse", rounding="nearest", threads=1)
    assert nearest.quantization == {"ranges": "mse", "fits": "none"}
    assert replace(nearest, rounding="fitted").quantization == {"ranges": "mse", "fits": "best"}


def test_what_cannot_be_built_has_a_name_and_no_points() -> None:
    space = Space.over([FLOAT, OURS.without("not today")], threads=1)
    assert space.names == (FLOAT.label, OURS.label)
    assert {point.candidate for point in space.points} == {FLOAT.label}


def test_two_of_one_label_are_told_apart() -> None:
    other = replace(FLOAT, chain=(candidates("onnxruntime")[0].chain[0], *FLOAT.chain))
    space = Space.over([FLOAT, other], threads=1)
    assert len(set(space.names)) == len(space.points) == 2


def test_the_order_is_the_seed_s_and_begins_with_one_of_each() -> None:
    space = Space.over([FLOAT, OURS], threads=2)
    order = space.in_order(7)
    assert order == space.in_order(7) != space.in_order(8)
    assert set(order) == set(space.points)
    assert len(order) == len(space.points)
    assert {point.candidate for point in order[:2]} == {FLOAT.label, OURS.label}


def test_many_threads_are_tried_in_doubles() -> None:
    assert thread_counts(1) == (1,)
    assert thread_counts(4) == (1, 2, 3, 4)
    assert thread_counts(48) == (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 48)
