"""Encoded samples for workers, and the one hash over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.contracts import tensor_contract
from edgekit.data import Samples, open_samples, read_raw, write_calibration, write_raw
from edgekit.data.arrays import read_arrays, write_arrays
from edgekit.errors import DataError
from tests.contracts.making import Spec, picture, text_contract
from tests.data.making import arrays_contract, classifier, encoded, photos


def test_each_sample_is_one_file_of_the_model_s_inputs(tmp_path: Path) -> None:
    contract = classifier(tmp_path)
    samples = open_samples(photos(tmp_path / "data", ["a.png", "b.png", "c.png"]), contract)
    steps: list[tuple[float, float]] = []
    written = write_calibration(
        samples, contract, tmp_path / "out", lambda done, total, _: steps.append((done, total))
    )
    assert sorted(path.name for path in written.folder.iterdir()) == ["00000.npz", "00001.npz", "00002.npz"]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert (written.source, written.samples) == ("data", 3)
    tensors = contract.encode(samples[1].load()).tensors
    np.testing.assert_array_equal(np.load(written.folder / "00001.npz")["x"], tensors["x"])


def test_the_hash_tells_samples_and_their_order_apart(tmp_path: Path) -> None:
    contract = classifier(tmp_path)
    samples = open_samples(photos(tmp_path / "data", ["a.png", "b.png"]), contract)
    first, again, turned, fewer = (
        write_calibration(Samples("data", items), contract, tmp_path / str(place))
        for place, items in enumerate((samples.items, samples.items, samples.items[::-1], samples.items[:1]))
    )
    assert first.sha256 == again.sha256
    assert len({first.sha256, turned.sha256, fewer.sha256}) == 3
    assert (first.folder / "00000.npz").read_bytes() == (again.folder / "00000.npz").read_bytes()


@pytest.mark.parametrize(
    "other", [np.zeros((1, 2), np.int32), np.zeros((2, 1), np.float32)], ids=["type", "shape"]
)
def test_the_hash_tells_types_and_shapes_apart(tmp_path: Path, other: np.ndarray[Any, Any]) -> None:
    """Each of these arrays is eight bytes of zeros."""
    hashes = set()
    for x in (np.zeros((1, 2), np.float32), other):
        contract = tensor_contract([Spec("x", x.shape, x.dtype.name)], [Spec("y", (1,))])
        write_arrays(tmp_path / "0.npz", {"x": x})
        samples = open_samples(tmp_path / "0.npz", contract)
        hashes.add(write_calibration(samples, contract, tmp_path / x.dtype.name).sha256)
    assert len(hashes) == 2


def test_every_sample_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    contract = classifier(tmp_path)
    data = photos(tmp_path / "data", ["a.png", "b.png", "c.png"])
    for name in ("a.png", "c.png"):
        content = bytearray(encoded(".png", picture()))
        content[60:200] = bytes(140)  # the header stays sound
        (data / name).write_bytes(content)
    with pytest.raises(DataError, match=r"2 samples that cannot be used:\n.*a\.png: .*\n.*c\.png: "):
        write_calibration(open_samples(data, contract), contract, tmp_path / "out")


def test_a_sample_of_the_wrong_form_is_named(tmp_path: Path) -> None:
    write_arrays(tmp_path / "0.npz", {"file": np.zeros((1, 3)), "b/c:0": np.zeros(1, np.int64)})
    contract = arrays_contract()
    with pytest.raises(DataError, match=r"0\.npz: input 'file' needs shape \[1, 2\], got \[1, 3\]"):
        write_calibration(open_samples(tmp_path, contract), contract, tmp_path / "out")


def test_texts_are_encoded_too(tmp_path: Path) -> None:
    contract = text_contract(tmp_path)
    (tmp_path / "texts.txt").write_text("good film\nbad\n")
    written = write_calibration(open_samples(tmp_path / "texts.txt", contract), contract, tmp_path / "out")
    assert read_arrays(written.folder / "00001.npz")["input_ids"].tolist() == [[2, 5, 3, 0, 0, 0]]


def test_arrays_may_have_any_name(tmp_path: Path) -> None:
    arrays = {"file": np.zeros((1, 2)), "b/c:0": np.array([7]), "scalar": np.array(1.5)}
    write_arrays(tmp_path / "a.npz", arrays)
    read = read_arrays(tmp_path / "a.npz")
    assert list(read) == list(arrays)
    assert all(
        read[name].dtype == value.dtype and np.array_equal(read[name], value)
        for name, value in arrays.items()
    )
    assert read["scalar"].shape == ()


@pytest.mark.parametrize("raw", [picture(), "zwei\r\nZeilen ☃", {"a": np.arange(3), "b:0": np.ones((1, 2))}])
def test_a_raw_sample_survives_its_file(tmp_path: Path, raw: object) -> None:
    assert isinstance(raw, (np.ndarray, str, dict))
    back = read_raw(write_raw(raw, tmp_path, "golden"))
    if isinstance(raw, dict):
        assert isinstance(back, dict)
        assert back.keys() == raw.keys()
        assert all(np.array_equal(back[name], raw[name]) for name in raw)
    else:
        np.testing.assert_array_equal(np.asarray(back), np.asarray(raw))


def test_a_raw_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.bin: neither an image"):
        read_raw(tmp_path / "a.bin")
