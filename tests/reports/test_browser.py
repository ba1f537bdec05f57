"""The report in a real browser without a network: every plot is drawn, nothing fails."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.reports.page import write_report, write_why
from edgekit.reports.sources import Evidence
from tests.reports.evidence import manifest, measurement
from tests.reports.test_layers import why

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# the closed network: every host name fails to resolve
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr", "--v=0", "--virtual-time-budget=10000",
]  # fmt: skip


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_every_plot_is_drawn_without_a_network(tmp_path: Path) -> None:
    evidence = Evidence(manifests=(manifest(),), measurements=(measurement(), measurement(2)))
    drawn = _drawn(write_report(evidence, tmp_path / "report.html"), tmp_path)
    # candidates, latency, memory, and two operator plots for each of the two runs
    assert drawn.count('class="plotly-graph-div') == 7
    assert len(re.findall(r'<svg class="main-svg"', drawn)) >= 7
    assert drawn.count('class="point"') > 40, "bars and markers are on the page"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_layers_are_drawn(tmp_path: Path) -> None:
    drawn = _drawn(write_why(why(), tmp_path / "why.html"), tmp_path)
    assert drawn.count('class="plotly-graph-div') == 1
    # two errors, and a bar of arithmetic and one of time for each of three layers
    assert drawn.count('class="point') >= 8


def _drawn(page: Path, tmp_path: Path) -> str:
    """The page without its scripts, after they ran."""
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, "the page logged an error"
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)
