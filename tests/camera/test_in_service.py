"""What deploy writes, under a real systemd with a real device of Video4Linux: it starts, is watched, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.camera.service.machine import missing, try_on_it

pytestmark = [pytest.mark.slow, pytest.mark.emulated, pytest.mark.thorough]


class Seen:
    """The files that were written on the machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def text(self, name: str) -> str:
        return (self._folder / name).read_text()

    def state(self, name: str) -> dict[str, str]:
        """Properties of the service, as systemctl shows them."""
        return dict(line.split("=", 1) for line in self.text(name).splitlines())


@pytest.fixture(scope="module")
def seen(classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("machine")
    found = try_on_it(classifier, folder)
    if not (found / "all").exists():
        log = folder / "shared/trial.log"
        pytest.fail(f"it did not come to its end: {log.read_text() if log.exists() else folder / 'console'}")
    return Seen(found)


def test_it_is_up_with_a_camera_and_few_rights(seen: Seen) -> None:
    assert " root video 81, " in seen.text("device")
    state = seen.state("started")
    assert (state["ActiveState"], state["SubState"], state["NRestarts"]) == ("active", "running", "0")
    assert int(state["MemoryCurrent"]) < int(state["MemoryMax"])


def test_frames_come_out_for_the_journal(seen: Seen) -> None:
    lines = seen.text("journal").splitlines()
    assert sum('"frame":' in line for line in lines) > 10


def test_who_has_the_camera_is_told(seen: Seen) -> None:
    said = seen.text("in_use")
    pid = seen.state("started")["MainPID"]
    assert said.endswith("exit 1\n")
    assert f"/dev/video0: in use by edgekit (process {pid})" in said


def test_one_that_hangs_is_started_again(seen: Seen) -> None:
    before, after = seen.state("started"), seen.state("hung")
    assert (after["ActiveState"], after["NRestarts"]) == ("active", "1")
    assert before["MainPID"] != after["MainPID"]


def test_stopping_is_no_failure(seen: Seen) -> None:
    for moment in ("stopped", "ended"):
        state = seen.state(moment)
        assert (state["ActiveState"], state["Result"], state["ExecMainStatus"]) == (
            "inactive",
            "success",
            "0",
        )


def test_a_camera_that_comes_back_is_taken_up_again(seen: Seen) -> None:
    assert seen.state("unplugged")["NRestarts"] == "1"
    assert "edgekit: /dev/video0: no such camera; this machine has none" in seen.text("journal")
    state = seen.state("plugged")
    assert state["ActiveState"] == "active"
    assert int(state["NRestarts"]) >= 1
