"""Candidates are built two at a time, share what they share, and nothing outlives a run that ends early."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgekit.conversion import qdq, serve, workshop
from edgekit.conversion.convert import Order, convert
from edgekit.conversion.serve import Progress
from tests.conversion.bad_workers import GOOD, waiting
from tests.conversion.project import ELSEWHERE, INT8, only, write_converter, write_target
from tests.conversion.stripes import write_sampled_classifier

MEETS = """
import time
from pathlib import Path

MINE, OTHER = Path({mine!r}), Path({other!r})


def convert(request):
    MINE.touch()
    deadline = time.monotonic() + 60
    while not OTHER.exists():  # it is under way at the same time, or this never ends well
        if time.monotonic() > deadline:
            raise TimeoutError("the other one never began")
        time.sleep(0.02)
    return good(request)
"""


def meeting(mine: Path, other: Path) -> str:
    """A good worker that goes on when the other one has begun."""
    return GOOD.replace("def convert(", "def good(") + MEETS.format(mine=str(mine), other=str(other))


@pytest.fixture
def order(project: Path, tmp_path: Path) -> Order:
    write_target(project, "far", arch=ELSEWHERE)
    model = write_sampled_classifier(tmp_path / "model")
    folder = model.parent
    return Order(
        model=model,
        targets=("far",),
        out=project / "out",
        calibration=folder / "photos",
        evaluation=folder / "labelled",
        precisions=("int8",),
        effort="fast",
        threads=1,
    )


def test_two_are_under_way_at_once_and_what_they_share_is_made_once(
    order: Order, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = project / "one", project / "two"
    write_converter(project, "one", INT8, worker=meeting(one, two))
    write_converter(project, "two", INT8, worker=meeting(two, one))
    quantizations: list[Path] = []

    def counted(*arguments: Any, **more: Any) -> Any:
        quantizations.append(Path(arguments[0]["out_dir"]))
        return qdq.quantize(*arguments, **more)

    monkeypatch.setattr(workshop, "quantize", counted)
    made = convert(order, catalog=only("one", "two"))
    assert len(made.bundles) == 1
    assert [entry.reason for entry in made.dropped if "never began" in entry.reason] == []
    assert len(quantizations) == 1


def test_an_error_ends_the_workers_that_nobody_waits_for_any_more(
    order: Order, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(project / "started")
    write_converter(project, "a", INT8, worker=GOOD)
    write_converter(project, "z", INT8, worker=waiting(str(project / "started"), str(project / "never")))
    workers: list[psutil.Process] = []

    def interrupted(*_: object) -> None:
        workers.append(psutil.Process(int((project / "started").read_text())))
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "try_candidate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(order, catalog=only("a", "z"))
    assert len(workers) == 1
    assert not workers[0].is_running()


def test_of_two_builds_one_is_heard_until_the_next_step() -> None:
    said: list[str] = []
    progress = Progress(total=4, advance=lambda done, total, doing: said.append(doing))

    def tell(word: str) -> None:
        other = threading.Thread(target=progress.within, args=(0.5, word))
        other.start()
        other.join()

    progress.step("a: building")
    progress.within(0.1, "mine")
    tell("of another")
    progress.step("a: comparing", hears=False)
    tell("of a build meanwhile")
    progress.step("b: building")
    tell("its own")
    assert said == ["a: building", "a: building: mine", "a: comparing", "b: building", "b: building: its own"]
