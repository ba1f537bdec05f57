"""The models that are recommended tell more of the others than models at random, and none is told twice."""

from __future__ import annotations

import numpy as np

from edgekit.simulation.crossing import points_of
from edgekit.simulation.fitting import Population, fit_population
from edgekit.simulation.probing import choose_probes, recommend
from edgekit.simulation.published import alike, model_work
from edgekit.simulation.terms import Terms


def population() -> Population:
    return fit_population([points_of(points) for points in alike("tflite", "fp32").values()])


def measured() -> dict[str, Terms]:
    return {point.model: point.terms for points in alike("tflite", "fp32").values() for point in points}


def test_each_probe_leaves_less_unknown() -> None:
    found = recommend(measured(), "tflite", "fp32", count=5)
    unsure = [probe.unsure for probe in found]
    assert unsure == sorted(unsure, reverse=True)
    assert len({probe.name for probe in found}) == 5
    # the first tells how fast the board is at all; the others the rest
    assert unsure[-1] < 0.6 * unsure[0]


def test_they_tell_more_than_models_at_random() -> None:
    known, everything, random = population(), measured(), np.random.default_rng(3)
    others = np.array(list(everything.values()))
    best = choose_probes(everything, known, others, count=5)[-1].unsure
    for _ in range(20):
        names = random.choice(sorted(everything), 5, replace=False)
        drawn = choose_probes({name: everything[name] for name in names}, known, others, count=5)
        assert best <= drawn[-1].unsure


def test_the_same_model_is_not_chosen_for_what_it_told_already() -> None:
    terms = {name: work.usual for name, work in model_work().items()}
    twice = {
        "a": terms["mobilenet_v1_1.0_224"],
        "b": terms["mobilenet_v1_1.0_224"],
        "c": terms["resnet50_v1.5"],
    }
    found = choose_probes(twice, population(), np.array(list(measured().values())), count=2)
    assert "c" in {probe.name for probe in found}
