"""The reader of rated texts, on a package of the same layout made here: the texts themselves are not ours to keep."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from edgekit.errors import DataError
from edgekit.models.zoo.builders.vader_texts import RatedText, read_texts, split_of

INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {
    "tweets_GroundTruth.txt": "1\t2.7\tSalt &amp; pepper, lovely!\r\n2\t0.9\tIt is a phone.\r\n3\t1.0\tfine \r\n",
    "movieReviewSnippets_GroundTruth.txt": "1\t-3.5\tAs dull as a cliché can be.\r\n2\t-2\tfine\r\n",
    "amazonReviewSnippets_GroundTruth.txt": "1_1\t-1.0\tbroke on monday\r\n",
    "nytEditorialSnippets_GroundTruth.txt": "1_1\t3\tThe council rejoiced.\r\n",
}


def archive(path: Path, members: dict[str, bytes]) -> bytes:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path.read_bytes()


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    inner = archive(
        tmp_path / "inner.tar.gz",
        {f"hutto_ICWSM_2014/{name}": text.encode() for name, text in FILES.items()},
    )
    archive(tmp_path / "vaderSentiment-3.3.2.tar.gz", {INNER: inner})
    return tmp_path / "vaderSentiment-3.3.2.tar.gz"


def test_clear_ratings_become_labels(sdist: Path) -> None:
    labelled = {(text.text, text.label) for text in read_texts(sdist)}
    assert labelled == {
        ("Salt & pepper, lovely!", "positive"),
        ("As dull as a cliché can be.", "negative"),
        ("fine", "negative"),  # rated twice: taken once
        ("broke on monday", "negative"),
    }


def test_split_depends_on_the_text_only(sdist: Path) -> None:
    assert all(text.split == split_of(text.text) for text in read_texts(sdist))
    sides = [split_of(f"text {number}") for number in range(1000)]
    assert 160 < sides.count("test") < 240  # a fifth; three standard deviations are 38


def test_nothing_is_unpacked(sdist: Path) -> None:
    before = sorted(sdist.parent.iterdir())
    assert isinstance(read_texts(sdist)[0], RatedText)
    assert sorted(sdist.parent.iterdir()) == before


@pytest.mark.parametrize("kept_bytes", [0, 40, 200])
def test_truncated_package_is_refused(sdist: Path, kept_bytes: int) -> None:
    sdist.write_bytes(sdist.read_bytes()[:kept_bytes])
    with pytest.raises(DataError, match=r"vaderSentiment-3\.3\.2\.tar\.gz: not the source package"):
        read_texts(sdist)


def test_absent_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fetch it again"):
        read_texts(tmp_path / "absent.tar.gz")


def test_other_package_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "other.tar.gz", {"other-1.0/README": b"hello"})
    with pytest.raises(DataError, match="hutto_ICWSM_2014"):
        read_texts(tmp_path / "other.tar.gz")


def test_link_in_place_of_the_texts_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "linked.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo(INNER)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(entry)
    with pytest.raises(DataError, match="no file of the expected size"):
        read_texts(tmp_path / "linked.tar.gz")


def test_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = archive(
        tmp_path / "inner.tar.gz", {f"hutto_ICWSM_2014/{name}": b"0" * 17 * 2**20 for name in list(FILES)[:1]}
    )
    archive(tmp_path / "bomb.tar.gz", {INNER: bomb})
    with pytest.raises(DataError, match="no file of the expected size"):
        read_texts(tmp_path / "bomb.tar.gz")
