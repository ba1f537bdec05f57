"""Train the sentiment head of the zoo's ``minilm-sentiment``: logistic regression on MiniLM's sentence vectors.

    edgekit models get minilm
    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python -m examples.sentiment.train --texts vaderSentiment-3.3.2.tar.gz --out head.npz

Only the head is trained, so this needs no torch: the sentence vectors come from the encoder's ONNX file, through
the encoder's own contract, and 385 numbers are fitted with Newton's method. There is nothing random in it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import numpy.typing as npt
import onnxruntime

from edgekit.cli.output import progress
from edgekit.contracts import load_contract
from edgekit.models.zoo.builders.vader_texts import LABELS, read_texts
from edgekit.models.zoo.store import resolve

PENALTY = (
    0.3  # on the squared weights: the best of 0.01, 0.03 … 100 by cross-validation on the training texts
)
BATCH = 32

Vectors = npt.NDArray[np.float64]


def fit(vectors: Vectors, positive: Vectors, penalty: float = PENALTY) -> tuple[Vectors, float]:
    """Weights [D] and bias of penalized logistic regression, by Newton's method.

    Args:
        vectors: sentence vectors [N, D].
        positive: 1 where the text is positive, else 0, [N].
        penalty: on half of the squared weights; the bias is free.
    """
    inputs = np.hstack([vectors, np.ones((len(vectors), 1))])
    penalties = np.full(inputs.shape[1], penalty)
    penalties[-1] = 0.0
    weights = np.zeros(inputs.shape[1])
    for _ in range(30):  # quadratic convergence: about six are enough
        chance = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (chance - positive) + penalties * weights
        curvature = (inputs.T * (chance * (1 - chance))) @ inputs + np.diag(penalties)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights[:-1], float(weights[-1])


def cross_validate(vectors: Vectors, positive: Vectors, penalty: float, folds: int = 5) -> float:
    """Mean share of right answers on each fifth of the training texts, fitted on the other four."""
    fold = np.arange(len(vectors)) % folds
    shares = []
    for left_out in range(folds):
        rest = fold != left_out
        weights, bias = fit(vectors[rest], positive[rest], penalty)
        shares.append(right(vectors[~rest], positive[~rest], weights, bias))
    return float(np.mean(shares))


def right(vectors: Vectors, positive: Vectors, weights: Vectors, bias: float) -> float:
    """Share of right answers, 0..1."""
    return float(((vectors @ weights + bias > 0) == positive).mean())


def embed(texts: Sequence[str], encoder: Path, threads: int) -> Vectors:
    """Sentence vectors of length 1, [N, D], from the model at ``encoder`` and the contract beside it."""
    contract = load_contract(encoder.parent / "contract.toml")
    (mask,) = (
        item.name
        for item in contract.schema.inputs
        if item.kind == "tokens" and item.field == "attention-mask"
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(encoder, options, providers=["CPUExecutionProvider"])
    samples = [contract.encode(text).tensors for text in texts]
    by_length = sorted(range(len(texts)), key=lambda index: int(samples[index][mask].sum()))
    rows: dict[int, npt.NDArray[np.float32]] = {}
    with progress("encoding texts") as advance:
        for first in range(0, len(texts), BATCH):
            batch = by_length[first : first + BATCH]
            longest = int(
                samples[batch[-1]][mask].sum()
            )  # what is behind is padding, which the model ignores
            feed = {
                name: np.concatenate([samples[i][name][:, :longest] for i in batch]) for name in samples[0]
            }
            rows |= zip(batch, session.run(None, feed)[0], strict=True)
            advance(first + len(batch), len(texts), "encoding texts")
    vectors = np.stack([rows[index] for index in range(len(texts))]).astype(np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def save(path: Path, weights: Vectors, bias: float) -> None:
    """Write the head as two classes: ``weights`` float32 [2, D], ``bias`` float32 [2], ``labels`` [2].

    The softmax of ``weights @ vector + bias`` is the logistic function of the one decision value.
    """
    both = np.array([-0.5, 0.5])
    np.savez(
        path,
        weights=np.outer(both, weights).astype(np.float32),
        bias=(both * bias).astype(np.float32),
        labels=np.array(LABELS),
    )


def main() -> None:
    """Embed, fit on the training texts, and print the accuracy on the held-out ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, required=True, help="vaderSentiment-3.3.2.tar.gz")
    parser.add_argument(
        "--encoder", default="minilm", help="zoo id, or an .onnx with contract.toml beside it"
    )
    parser.add_argument("--out", type=Path, default=Path("minilm_sentiment_head.npz"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    texts = read_texts(options.texts)
    vectors = embed([text.text for text in texts], resolve(options.encoder), options.threads)
    positive = np.array([text.label == "positive" for text in texts], np.float64)
    train = np.array([text.split == "train" for text in texts])
    validated = cross_validate(vectors[train], positive[train], PENALTY)
    weights, bias = fit(vectors[train], positive[train])
    save(options.out, weights, bias)
    measured = right(vectors[~train], positive[~train], weights, bias)
    majority = max(positive[~train].mean(), 1 - positive[~train].mean())
    print(f"{train.sum()} training texts, {validated:.4f} right by cross-validation", file=sys.stderr)
    print(f"{options.out}: {measured:.4f} of {(~train).sum()} held-out texts right; majority {majority:.4f}")


if __name__ == "__main__":
    main()
