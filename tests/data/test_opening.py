"""Data sets of images, texts and arrays: what is found, in which order, with which labels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.contracts import Box
from edgekit.data import open_samples
from edgekit.data.arrays import write_arrays
from edgekit.errors import DataError
from tests.contracts.making import text_contract
from tests.data.making import arrays_contract, classifier, detector, photos, reader


def test_a_plain_folder_of_images_has_no_labels(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["b.png", "a.jpg"])
    samples = open_samples(data, classifier(tmp_path))
    assert [sample.id for sample in samples] == ["a.jpg", "b.png"]
    assert samples.name == "data"
    assert not samples.labelled
    image = samples[1].load()
    assert isinstance(image, np.ndarray)
    assert image.shape == (10, 20, 3)


def test_one_image_is_a_data_set(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png"])
    assert [sample.id for sample in open_samples(data / "a.png", classifier(tmp_path))] == ["a.png"]


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["dog/1.png", "cat/2.png", "cat/more/3.png"])
    samples = open_samples(data, classifier(tmp_path))
    assert [(sample.id, sample.label) for sample in samples] == [
        ("cat/2.png", "cat"),
        ("cat/more/3.png", "cat"),
        ("dog/1.png", "dog"),
    ]
    assert samples.labelled
    assert samples.labels == ("cat", "cat", "dog")


def test_labels_csv_is_the_list_of_the_data_set(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png", "sub/c.png"])
    (data / "labels.csv").write_text("\ufefffile,label\nsub/c.png,bird\na.png,2\n")
    samples = open_samples(data, classifier(tmp_path))
    assert [(sample.id, sample.label) for sample in samples] == [("sub/c.png", "bird"), ("a.png", "2")]


def test_labels_of_texts_in_images_may_be_anything(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png"])
    (data / "labels.csv").write_text('file,label\na.png,"Hello, world"\nb.png,\n')
    assert open_samples(data, reader(tmp_path)).labels == ("Hello, world", "")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,class\na.png,cat\n", "must name the columns file,label"),
        ("", "must name the columns file,label"),
        ("file,label\n", "no samples"),
        ("file,label\nz.png,cat\n", "line 2: no file 'z.png'"),
        ("file,label\na.png\n", "line 2: needs a file and a label"),
        ("file,label\na.png,cat\na.png,dog\n", "line 3: 'a.png' is listed twice"),
        ("file,label\n../a.png,cat\n", "line 2: '../a.png' is outside the folder"),
        (
            "file,label\na.png,catt\n",
            "labels that the contract does not know.*\n.*'catt'; did you mean 'cat'",
        ),
        ("file,label\na.png,3\n", "'3'"),
    ],
)
def test_a_wrong_label_table_is_refused(tmp_path: Path, table: str, message: str) -> None:
    data = photos(tmp_path / "data", ["a.png"])
    (data / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        open_samples(data, classifier(tmp_path))


def test_images_beside_class_folders_are_refused(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["cat/1.png", "loose.png"])
    with pytest.raises(DataError, match=r"move 'loose\.png' into the folder of its class"):
        open_samples(data, classifier(tmp_path))


def test_all_unreadable_images_are_counted_and_five_named(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["good.png"])
    for place in range(7):
        (data / f"bad{place}.jpg").write_bytes(b"\xff\xd8\xff" if place else b"")
    with pytest.raises(DataError) as caught:
        open_samples(data, classifier(tmp_path))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{data}: 7 unreadable files")
    assert lines[1].endswith("bad0.jpg: the file is empty")
    assert lines[2].endswith("bad1.jpg: cut short")
    assert lines[6] == "  and 2 more"


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_missing_or_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for contract in (classifier(tmp_path), text_contract(tmp_path / "text"), arrays_contract()):
        with pytest.raises(DataError, match=f"{tmp_path / name}: "):
            open_samples(tmp_path / name, contract)


def test_texts_for_a_model_of_images_are_refused_and_back(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("good\n")
    with pytest.raises(DataError, match="the model takes images"):
        open_samples(tmp_path / "texts.txt", classifier(tmp_path))
    data = photos(tmp_path / "data", ["a.png"])
    with pytest.raises(DataError, match="the model takes texts"):
        open_samples(data / "a.png", text_contract(tmp_path / "text"))


def test_box_files_are_shares_of_the_image(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png"])  # 10 x 20 and 11 x 20
    (data / "a.txt").write_text("dog 0.5 0.5 0.5 0.2\n\n2 0.25 0.5 0.1 1\n")
    (data / "b.txt").write_text("")
    samples = open_samples(data, detector(tmp_path))
    first, none = samples.labels
    assert isinstance(first, tuple)
    assert first[0] == Box(index=1, label="dog", score=1.0, left=5, top=4, right=15, bottom=6)
    assert first[1].label == "bird"
    assert none == ()
    assert samples.labelled


@pytest.mark.parametrize(
    "line", ["dog 1 2 3", "dog a b c d", "dog 5 5 2 2", "fish 0.5 0.5 0.1 0.1", "dog nan 0 0 0"]
)
def test_a_wrong_box_is_refused(tmp_path: Path, line: str) -> None:
    data = photos(tmp_path / "data", ["a.png"])
    (data / "a.txt").write_text(line)
    with pytest.raises(DataError, match=r"a\.txt line 1: "):
        open_samples(data, detector(tmp_path))


def test_box_files_are_there_for_all_or_none(tmp_path: Path) -> None:
    data = photos(tmp_path / "data", ["a.png", "b.png"])
    assert not open_samples(data, detector(tmp_path)).labelled
    (data / "a.txt").touch()
    with pytest.raises(DataError, match=r"1 images have no box file.*\n.*no 'b\.txt'"):
        open_samples(data, detector(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("a.txt", "good film\n\nbad film\r\n", (None, None)),
        ("a.csv", 'text,label\n"good film",cat\nbad film,dog\n', ("cat", "dog")),
        ("a.tsv", "label\ttext\ncat\tgood film\ndog\tbad film\n", ("cat", "dog")),
        ("a.csv", "text\ngood film\nbad film\n", (None, None)),
        (
            "a.jsonl",
            '{"text": "good film", "label": 0}\n\n{"text": "bad film", "label": "dog"}\n',
            ("0", "dog"),
        ),
    ],
)
def test_texts(tmp_path: Path, name: str, content: str, labels: tuple[str | None, ...]) -> None:
    (tmp_path / name).write_text(content, newline="")
    samples = open_samples(tmp_path / name, text_contract(tmp_path / "contract"))
    assert [sample.load() for sample in samples] == ["good film", "bad film"]
    assert tuple(sample.label for sample in samples) == labels
    assert samples.labelled == (labels[0] is not None)


def test_a_text_over_several_lines_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"good\nfilm",cat\n')
    (sample,) = open_samples(tmp_path / "a.csv", text_contract(tmp_path / "contract"))
    assert sample.load() == "good\nfilm"


def test_a_folder_with_one_text_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "texts.txt").write_text("good\n")
    contract = text_contract(tmp_path / "contract")
    assert len(open_samples(data, contract)) == 1
    (data / "more.csv").write_text("text\nbad\n")
    with pytest.raises(DataError, match=r"give one file .*here are: more\.csv, texts\.txt"):
        open_samples(data, contract)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good\ncaf\xe9\n", "not UTF-8 in line 2; save it as UTF-8"),
        ("a.txt", "good".encode("utf-16"), "not UTF-8 in line 1"),
        ("a.txt", b"\n \n", "no texts"),
        ("a.csv", b"good,cat\n", "must name the columns"),
        ("a.csv", b"text,label\ngood,\nbad,cat\n", "1 samples without a label.*\n  line 2"),
        ("a.csv", b"text,label\ngood,kat\n", "'kat'; did you mean 'cat'"),
        (
            "a.jsonl",
            b'{"text": "good"}\n{"body": "bad"}\n[]\n',
            "2 lines without a text:\n  line 2.*\n  line 3",
        ),
        ("a.jsonl", b"{\n", "line 1: no JSON"),
    ],
)
def test_wrong_texts_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_samples(tmp_path / name, text_contract(tmp_path / "contract"))


def test_arrays_come_from_npz_files(tmp_path: Path) -> None:
    for place in (1, 0):
        write_arrays(tmp_path / f"{place}.npz", {"file": np.full((1, 2), place), "b/c:0": np.array([7])})
    samples = open_samples(tmp_path, arrays_contract())
    assert [sample.id for sample in samples] == ["0.npz", "1.npz"]
    raw = samples[1].load()
    assert isinstance(raw, dict)
    assert raw["file"].tolist() == [[1, 1]]


def test_broken_npz_files_are_named(tmp_path: Path) -> None:
    write_arrays(tmp_path / "0.npz", {"file": np.zeros((1, 2))})
    (tmp_path / "1.npz").write_bytes((tmp_path / "0.npz").read_bytes()[:100])
    with pytest.raises(DataError, match=r"1 unreadable files.*\n.*1\.npz"):
        open_samples(tmp_path, arrays_contract())


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=np.array([{"a": 1}], object))
    (sample,) = open_samples(tmp_path, arrays_contract())
    with pytest.raises(DataError, match=r"0\.npz: .*allow_pickle"):
        sample.load()
