"""The sentiment head: how it is fitted, and the one that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.models.zoo import builders
from edgekit.models.zoo.builders.vader_texts import LABELS
from examples.sentiment.train import Vectors, cross_validate, fit, right, save

HEAD = Path(builders.__file__).parents[1] / "data/minilm_sentiment_head.npz"


def cloud(count: int, *, seed: int) -> tuple[Vectors, Vectors]:
    """Vectors [count, 4] whose first value decides the class, but for some noise."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 4))
    positive = (vectors[:, 0] + 0.3 * random.normal(size=count) > 0).astype(np.float64)
    return vectors, positive


def test_fit_ends_where_the_gradient_is_zero() -> None:
    vectors, positive = cloud(400, seed=1)
    weights, bias = fit(vectors, positive, penalty=2.0)
    error = 1 / (1 + np.exp(-(vectors @ weights + bias))) - positive
    # Newton's steps shrink below 1e-9; the curvature here is of the order of 100
    np.testing.assert_allclose(vectors.T @ error + 2.0 * weights, 0, atol=1e-6)
    assert abs(error.sum()) < 1e-6


def test_fit_finds_the_value_that_decides() -> None:
    vectors, positive = cloud(400, seed=1)
    weights, bias = fit(vectors, positive)
    assert abs(weights[0]) > 5 * np.abs(weights[1:]).max()
    unseen = cloud(1000, seed=2)
    # the noise makes 9.3 % of the labels disagree with the first value (arctan(.3) / pi); 3 sigma are 2.8 %
    assert right(*unseen, weights, bias) > 0.907 - 0.028


def test_cross_validation_scores_unseen_vectors_only() -> None:
    random = np.random.default_rng(3)
    vectors, positive = random.normal(size=(60, 50)), (random.random(60) < 0.5).astype(np.float64)
    memorized = right(vectors, positive, *fit(vectors, positive, penalty=1e-3))
    assert memorized == 1.0  # 51 numbers for 60 random labels
    assert cross_validate(vectors, positive, penalty=1e-3) < 0.75


def test_saved_head_is_the_same_decision_in_two_classes(tmp_path: Path) -> None:
    vectors, positive = cloud(100, seed=4)
    weights, bias = fit(vectors, positive)
    save(tmp_path / "a.npz", weights, bias)
    save(tmp_path / "b.npz", weights, bias)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as head:
        logits = vectors @ head["weights"].T + head["bias"]
    # float32 holds the weights to 6e-8 of their size
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], vectors @ weights + bias, rtol=1e-5, atol=1e-6)


def test_shipped_head_fits_minilm() -> None:
    with np.load(HEAD, allow_pickle=False) as head:
        assert sorted(head) == ["bias", "labels", "weights"]
        assert head["weights"].shape == (2, 384)
        assert head["weights"].dtype == head["bias"].dtype == np.float32
        assert tuple(head["labels"]) == LABELS
        np.testing.assert_array_equal(head["weights"][0], -head["weights"][1])


@pytest.mark.network
def test_shipped_head_judges_plain_sentences() -> None:
    from edgekit.models.zoo.store import resolve
    from examples.sentiment.train import embed

    sentences = {
        "I love this camera, the pictures are wonderful.": "positive",
        "What a delightful evening with good friends!": "positive",
        "It broke after two days and nobody answers my letters.": "negative",
        "A tedious, humourless film that insults its audience.": "negative",
    }
    vectors = embed(list(sentences), resolve("minilm"), threads=1)
    with np.load(HEAD, allow_pickle=False) as head:
        answers = (vectors @ head["weights"].T + head["bias"]).argmax(axis=1)
        assert [head["labels"][answer] for answer in answers] == list(sentences.values())
