"""Snippets of film reviews, to be told good from bad: what `SentimentClassifier` and `fit` are graded on.

The check reads, builds, trains and tests with your functions and the constants below, so this file is also
the place to try them out:

    vocab = build_vocab([tokens for tokens, _ in reviews("train")], MIN_COUNT)
    model = SentimentClassifier(len(vocab), EMBED_SIZE, HIDDEN_SIZE, len(CLASSES))
    fit(model, review_batches("train", vocab, collate), LR, STEPS)
    (tokens, lengths, labels), = review_batches("test", vocab, collate, batch_size=1000)
    accuracy(model(tokens, lengths), labels)
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

from torch import Tensor, tensor

CLASSES = ("bad", "good")

MIN_COUNT = 2  # half of all words occur once: of those a model learns nothing but that they are rare
EMBED_SIZE = 32
HIDDEN_SIZE = 32
BATCH_SIZE = 64
LR = 0.02
STEPS = 150

DATA = Path(__file__).resolve().parents[2] / "data" / "reviews.tsv"
_UNKNOWN = 1


def tokenize(text: str) -> list[str]:
    """The words of a text in lower case, and its exclamation and question marks."""
    return re.findall(r"\w+(?:'\w+)*|[!?]", text.lower())


@cache
def reviews(split: Literal["train", "test"]) -> tuple[tuple[list[str], int], ...]:
    """The reviews (tokens, label) of a split, in the order of the file: 4800 or 1000, half of them good."""
    rows = (line.split("\t") for line in DATA.read_text(encoding="utf-8").splitlines())
    return tuple((tokenize(text), int(float(rating) > 0)) for name, rating, text in rows if name == split)


def review_batches(
    split: Literal["train", "test"],
    vocab: dict[str, int],
    collate: Callable[[list[list[int]]], tuple[Tensor, Tensor]],
    batch_size: int = BATCH_SIZE,
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """A split as (tokens (B, T), lengths (B,), labels (B,)), by `build_vocab`'s ids and your `collate`."""
    chosen = reviews(split)
    batches = []
    for start in range(0, len(chosen), batch_size):
        texts, labels = zip(*chosen[start : start + batch_size], strict=True)
        tokens, lengths = collate([[vocab.get(token, _UNKNOWN) for token in text] for text in texts])
        batches.append((tokens, lengths, tensor(labels)))
    return batches


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of rows of `logits` (B, classes) whose greatest score is at the label (B,)."""
    return (logits.argmax(dim=1) == labels).double().mean().item()
