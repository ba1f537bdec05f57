"""Published latencies beside the counts of the same models on an emulated core like the board's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRun:
    """A published run of one board on a number of threads, with the counts of its models."""

    series: tuple[Series, ...]
    """In floats, and in integers where the run has them."""
    points: tuple[Point, ...]
    """Of all series, their terms from counts."""
    core: str
    clock_hz: float
    """The board's fastest, which the run is taken to have had."""

    @property
    def threads(self) -> int:
        return self.series[0].threads


def counted_runs(profile: Profile) -> Sequence[CountedRun]:
    """The runs that the profile's constants are fitted to, one of each number of threads.

    Of several the one is taken whose floats ``choosing`` takes. Left out are runs on more threads than the fastest
    cluster has cores, and those of few models.
    """
    found, cluster = [], profile.cpu.clusters[0]
    if cluster.clock_hz is None:
        return ()
    for floats in chosen(published(), profile.id):
        if floats.precision == "int8" or floats.runtime != FITTED or floats.threads > cluster.cores:
            continue
        series = tuple(item for item in (floats, replace(floats, precision="int8")) if item in published())
        points = tuple(point for item in series for point in counted_points(item, profile))
        if len({point.model for point in points}) >= _LEAST_MODELS:
            found.append(
                CountedRun(series=series, points=points, core=cluster.core, clock_hz=cluster.clock_hz)
            )
    return found


def akin(run: CountedRun, profiles: Iterable[Profile]) -> Sequence[CountedRun]:
    """The runs on the same core, on one thread or several as ``run``, which is one of them where its profile is."""
    return [
        other
        for profile in profiles
        if profile.cpu.clusters[0].core == run.core
        for other in counted_runs(profile)
        if (other.threads == 1) == (run.threads == 1)
    ]


def counted_points(series: Series, profile: Profile) -> Iterator[Point]:
    """The points of ``series``, their terms from counts; left out are those that were not counted, and CHANGED_SINCE.

    Of a model that was counted in several releases the one counts that came out nearest to the day on which the run was
    published: kernels change, and contributors build what is there.
    """
    integer = series.precision == "int8"
    alike = [
        item for item in _alike(profile) if item.runtime == FITTED and (item.precision == "int8") == integer
    ]
    for point in published()[series]:
        counts = [item for item in alike if item.model == point.model]
        if counts and point.model not in CHANGED_SINCE:
            item = min(counts, key=lambda item: days_between(item.version, series.version))
            yield replace(point, terms=count_terms(item))


def days_between(release: str, published_on: str) -> int:
    """From one of ncnn's releases (1.0.20230816) to a day (2023-08-25), in either direction."""
    return abs(date.fromisoformat(release.rpartition(".")[2]) - date.fromisoformat(published_on)).days


def _alike(profile: Profile) -> Sequence[Counted]:
    """Counts on the core and the caches of the fastest cluster."""
    cluster = profile.cpu.clusters[0]
    sizes = (cluster.l1d_bytes, cluster.l2_bytes, profile.cpu.l3_bytes)
    wanted = tuple(size for size in sizes if size)
    return [item for item in recorded() if item.core == cluster.core and item.cache_bytes == wanted]
