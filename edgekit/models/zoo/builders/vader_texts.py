"""The rated texts of the vaderSentiment source package, as labelled texts with a fixed split.

Hutto, C.J. & Gilbert, E.E. (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text. Eighth International Conference on Weblogs and Social Media (ICWSM-14). Ann Arbor, MI, June 2014.

The texts are read where the package was fetched to and are no part of edgekit. Each has the mean of at least
twenty people's ratings, -4 (extremely negative) to 4 (extremely positive).
"""

from __future__ import annotations

import hashlib
import html
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.errors import DataError

# News editorials, the package's fourth source, are left out: most of them are rated as near to neutral.
SOURCES = ("tweets", "movieReviewSnippets", "amazonReviewSnippets")
CLEAR_RATING = 1.0
"""Texts rated nearer to neutral than this are left out: raters disagree on their sign."""
LABELS = ("negative", "positive")

_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_SIZE_LIMIT_BYTES = 16 * 2**20  # of one file when unpacked; the largest has 1.4 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedText:
    """One text with the sign of its mean rating, and the side of the split it is on."""

    text: str
    label: Literal["negative", "positive"]
    split: Literal["train", "test"]


def read_texts(sdist: Path) -> tuple[RatedText, ...]:
    """Read the clearly rated texts from ``vaderSentiment-3.3.2.tar.gz``, in the order of the files.

    A text that occurs twice is taken once. Nothing is unpacked to disk.

    Raises:
        DataError: ``sdist`` is not that package.
    """
    try:
        with tarfile.open(sdist) as outer, tarfile.open(fileobj=io.BytesIO(_member(outer, _INNER))) as inner:
            files = [_member(inner, f"hutto_ICWSM_2014/{source}_GroundTruth.txt") for source in SOURCES]
        rated = {text: rating for file in files for text, rating in _rows(file)}
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError, zlib.error) as error:
        raise DataError(
            f"{sdist}: not the source package vaderSentiment 3.3.2 ({error}); fetch it again"
        ) from error
    return tuple(_labelled(text, rating) for text, rating in rated.items() if abs(rating) >= CLEAR_RATING)


def split_of(text: str) -> Literal["train", "test"]:
    """Every fifth text is for testing, chosen by its hash: the same on every machine, whatever the order."""
    return "test" if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 5 == 0 else "train"


def _labelled(text: str, rating: float) -> RatedText:
    return RatedText(text=text, label="positive" if rating > 0 else "negative", split=split_of(text))


def _rows(file: bytes) -> list[tuple[str, float]]:
    """The (text, mean rating) of lines ``id <tab> rating <tab> text``; tweets have their ``&amp;`` resolved."""
    rows = (line.split("\t") for line in file.decode().split("\r\n") if line)
    return [(html.unescape(text).strip(), float(rating)) for _, rating, text in rows]


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    entry = archive.getmember(name)
    content = archive.extractfile(entry) if entry.isfile() else None
    if content is None or entry.size > _SIZE_LIMIT_BYTES:
        raise ValueError(f"{name} is no file of the expected size")
    return content.read()
