"""A camera that cannot keep its limits falls back to cheaper bundles, then to fewer frames, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.camera import ladder
from edgekit.camera.answering import open_bundle
from edgekit.camera.degrading import Degrading
from edgekit.camera.ladder import Limits
from edgekit.camera.running import Input, Output, run_camera
from edgekit.camera.work import Work
from edgekit.errors import CameraError
from tests.camera.bundles import bundle_of
from tests.camera.making import scenes, write_clip
from tests.conversion.stripes import stripes, write_classifier

SOURCE = "synthetic:64x64@200"


@pytest.fixture(scope="module")
def cheaper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cheaper")
    sample = stripes(0, np.random.default_rng(0))
    return bundle_of(write_classifier(folder, width=4), folder / "cheaper.edgekit", sample)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "LOOK_S", 0.2)


@pytest.mark.usefixtures("impatient")
def test_it_goes_down_to_the_last_rung_when_nothing_helps(classifier: Path, cheaper: Path) -> None:
    told: list[str] = []
    work = Work(bundle=classifier, degrade_to=(cheaper,), limits=Limits(age_ms=0.001))
    facts = run_camera(work, Input(sources=[SOURCE], frames=600), Output(), told=told.append)
    degrading = facts["degrading"]
    assert (degrading["rung"], degrading["changes"]) == (3, 3)
    assert [(Path(rung["bundle"]).name, rung["every"]) for rung in degrading["rungs"]] == [
        (classifier.name, 1),
        (cheaper.name, 1),
        (cheaper.name, 2),
        (cheaper.name, 4),
    ]
    assert all(rung["frames"] for rung in degrading["rungs"])
    assert sum(rung["frames"] for rung in degrading["rungs"]) == facts["frames"]
    assert told[0].startswith("answers are ")
    assert told[0].endswith(f"ms old, 0 are allowed: doing less, {cheaper.name} (rung 1)")
    assert told[2].endswith(f"{cheaper.name}, 1 frame in 4 (rung 3)")


@pytest.mark.parametrize(("rung", "share"), [(0, 1.0), (2, 1 / 2), (3, 1 / 4)])
def test_a_pinned_rung_answers_its_share(classifier: Path, cheaper: Path, rung: int, share: float) -> None:
    work = Work(bundle=classifier, degrade_to=(cheaper,), rung=rung)
    facts = run_camera(work, Input(sources=["synthetic:64x64@50"], frames=40), Output())
    assert facts["degrading"]["rung"] == rung
    # a busy machine may drop some more
    assert 0.5 * share * 40 <= facts["frames"] <= share * 40


def test_heat_is_read_once_a_second(classifier: Path) -> None:
    asked: list[float] = []

    def temperature() -> float:
        asked.append(90.0)
        return 90.0

    degrading = Degrading(
        [open_bundle(classifier, threads=1)], Limits(temperature_c=80), temperature=temperature
    )
    for _ in range(50):
        degrading.came_out(1.0)
    assert len(asked) == 1


def test_what_cannot_degrade_is_said(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CameraError, match=r"there is no rung 9; 0: stripes\.edgekit; 1: stripes\.edgekit, 1 frame in 2"
    ):
        run_camera(Work(bundle=classifier, rung=9), Input(sources=[SOURCE]), Output())
    clip = write_clip(tmp_path / "clip.avi", scenes(3, (64, 64)))
    with pytest.raises(CameraError, match="of a file every frame is answered"):
        run_camera(Work(bundle=classifier, rung=0), Input(sources=[str(clip)]), Output())


@pytest.mark.network
def test_only_a_bundle_of_the_same_kind_stands_in(classifier: Path, blazeface: Path) -> None:
    with pytest.raises(CameraError, match=r"blazeface\.edgekit: cannot stand in for .*stripes\.edgekit"):
        run_camera(Work(bundle=classifier, degrade_to=(blazeface,)), Input(sources=[SOURCE]), Output())
