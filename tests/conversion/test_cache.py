"""Finished steps are reused, damaged ones made again, and failures leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from edgekit.conversion.cache import IN_USE_S, StepCache, digest
from edgekit.conversion.keys import code_sha256, package_versions
from edgekit.conversion.protocol import ConversionReply
from edgekit.errors import ConversionError, WorkerError


class Maker:
    """Makes a step of one file and counts how often."""

    def __init__(self, content: str = "made") -> None:
        self.content = content
        self.calls = 0

    def __call__(self, out: Path) -> ConversionReply:
        self.calls += 1
        (out / "artifact").write_text(self.content)
        return {
            "artifact": "artifact",
            "files": ["artifact"],
            "io": {"inputs": [], "outputs": []},
            "tools": [],
            "notes": ["a note"],
        }


@pytest.fixture
def cache(tmp_path: Path) -> StepCache:
    return StepCache(tmp_path / "steps")


def test_a_finished_step_is_reused_with_its_reply(cache: StepCache) -> None:
    make = Maker()
    first, second = cache.get({"a": 1}, make), cache.get({"a": 1}, make)
    assert (first.reused, second.reused, make.calls) == (False, True, 1)
    assert second.artifact.read_text() == "made"
    assert second.reply == first.reply
    assert second.sha256 == first.sha256


def test_another_key_is_another_step(cache: StepCache) -> None:
    make = Maker()
    cache.get({"a": 1}, make)
    assert not cache.get({"a": 2}, make).reused


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize("damage", ["changed", "missing", "extra", "no record"])
def test_a_damaged_step_is_made_again(cache: StepCache, damage: str) -> None:
    make = Maker()
    step = cache.get({"a": 1}, make)
    match damage:
        case "changed":
            step.artifact.write_text("other")
        case "missing":
            step.artifact.unlink()
        case "extra":
            (step.folder / "more").touch()
        case _:
            (step.folder.parent / "step.json").write_text("{")
    again = cache.get({"a": 1}, make)
    assert (again.reused, make.calls) == (False, 2)
    assert [path.name for path in again.folder.iterdir()] == ["artifact"]


def test_a_failure_passes_through_and_leaves_nothing(cache: StepCache) -> None:
    def fail(out: Path) -> ConversionReply:
        (out / "half").touch()
        raise WorkerError("crashed")

    with pytest.raises(WorkerError, match="crashed"):
        cache.get({"a": 1}, fail)
    assert list(cache.folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConversionError, match="Not a directory"):
        StepCache(tmp_path / "file" / "steps").get({"a": 1}, Maker())


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end; both come as an OSError of write(2)."""
    code = f"""
        import resource
        from pathlib import Path
        from edgekit.conversion.cache import StepCache
        from edgekit.errors import ConversionError

        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            StepCache(Path({str(tmp_path)!r})).get({{}}, lambda out: (out / "big").write_bytes(bytes(5000)))
        except ConversionError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert "EDGEKIT_CACHE" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_steps_used_least_lately_go_first(cache: StepCache) -> None:
    old, new = cache.get({"a": "old"}, Maker("o" * 1000)), cache.get({"a": "new"}, Maker("n" * 1000))
    past = time.time() - IN_USE_S - 100
    os.utime(old.folder.parent, (past, past))
    cache.prune(max_bytes=1500)
    assert not old.folder.exists()
    assert new.folder.exists()


def test_steps_in_use_are_not_removed(cache: StepCache) -> None:
    step = cache.get({"a": 1}, Maker())
    cache.prune(max_bytes=0)
    assert step.folder.exists()


def test_the_code_of_a_folder_counts_without_compiled_files(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "worker.py").write_text("one")
    code_sha256.cache_clear()
    before = code_sha256(tmp_path)
    (tmp_path / "__pycache__" / "worker.pyc").touch()
    code_sha256.cache_clear()
    assert code_sha256(tmp_path) == before
    (tmp_path / "worker.py").write_text("two")
    code_sha256.cache_clear()
    assert code_sha256(tmp_path) != before


def test_versions_are_those_of_the_distributions() -> None:
    versions = package_versions(("onnxruntime", "ai_edge_litert", "no_such_module"))
    assert {"python", "onnxruntime", "ai-edge-litert"} == set(versions)
