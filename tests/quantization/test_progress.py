"""The line that a starter reads while a worker works."""

from __future__ import annotations

import re
import time
from pathlib import Path

from edgekit.quantization.progress import Told


def test_the_last_line_stands_alone(tmp_path: Path) -> None:
    told = Told.to(str(tmp_path / "progress"))
    told.say(0.05, "ranges, sample 5 of 20")
    assert (tmp_path / "progress").read_text() == "0.050 ranges, sample 5 of 20"
    told.say(0.06, "ranges, sample 6 of 20")
    assert (tmp_path / "progress").read_text() == "0.060 ranges, sample 6 of 20"
    assert [path.name for path in tmp_path.iterdir()] == ["progress"]


def test_the_time_left_is_told_when_it_can_be_known(tmp_path: Path) -> None:
    told = Told(tmp_path / "progress", begin_s=time.monotonic() - 30)
    told.say(0.25, "weights, layer 1 of 4: conv")
    line = (tmp_path / "progress").read_text()
    # a quarter took 30 s; half a second for a loaded machine
    assert re.fullmatch(r"0\.250 weights, layer 1 of 4: conv, about 9[01] s left", line)
    told.say(1.0, "done")
    assert (tmp_path / "progress").read_text() == "1.000 done"


def test_without_a_file_nothing_is_written() -> None:
    Told.to(None).say(0.5, "ranges")
