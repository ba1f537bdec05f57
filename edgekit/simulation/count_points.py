"""Published latencies beside the counts of the same models on an emulated core like the board's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from edgekit.catalog_schema import Profile
from edgekit.simulation.choosing import chosen
from edgekit.simulation.count_terms import count_terms
from edgekit.simulation.crossing import Point
from edgekit.simulation.emulated_counts import Counted, recorded
from edgekit.simulation.published import Series, published

FITTED = "ncnn"
"""The runtime whose latencies constants are fitted to: what was published of TFLite is of ruy's kernels on threads
that nobody states, and LiteRT, whose code can be counted, computes with XNNPACK's."""
CHANGED_SINCE: Mapping[str, str] = {
    "vision_transformer": "Gemm instead of InnerProduct since Tencent/ncnn@d4f599f2cd3b54384b656ec92b384273098a07a6 of 2026"
}
"""Published models whose files are no longer those that were timed. The transformer was counted once, on a Cortex-A72,
from the file of Tencent/ncnn@10cee2a7bcf580704e46e4a50644bef2e3723265, to be predicted and not to be fitted to."""
_LEAST_MODELS = 12


def counted_series(profile: Profile) -> Mapping[tuple[Series, ...], tuple[Point, ...]]:
    """Points of each runtime and number of threads: a run's series in floats and in integers, with their counts.

    Of several runs the one is taken whose floats ``choosing`` takes. Left out are runs on more threads than the
    fastest cluster has cores, and those of few models.
    """
    found, cluster = {}, profile.cpu.clusters[0]
    for floats in chosen(published(), profile.id):
        if floats.precision == "int8" or floats.runtime != FITTED or floats.threads > cluster.cores:
            continue
        series = tuple(item for item in (floats, replace(floats, precision="int8")) if item in published())
        points = tuple(point for item in series for point in counted_points(item, profile))
        if len({point.model for point in points}) >= _LEAST_MODELS:
            found[series] = points
    return found


def counted_points(series: Series, profile: Profile) -> Iterator[Point]:
    """The points of ``series``, their terms from counts; left out are those that were not counted, and CHANGED_SINCE."""
    integer = series.precision == "int8"
    counts = {
        item.model: item
        for item in _alike(profile)
        if item.runtime == FITTED and (item.precision == "int8") == integer
    }
    for point in published()[series]:
        if point.model in counts and point.model not in CHANGED_SINCE:
            item = counts[point.model]
            yield replace(point, terms=count_terms(item.by_class, item.cache_misses))


def _alike(profile: Profile) -> Sequence[Counted]:
    """Counts on the core and the caches of the fastest cluster."""
    cluster = profile.cpu.clusters[0]
    sizes = (cluster.l1d_bytes, cluster.l2_bytes, profile.cpu.l3_bytes)
    wanted = tuple(size for size in sizes if size)
    return [item for item in recorded() if item.core == cluster.core and item.cache_bytes == wanted]
