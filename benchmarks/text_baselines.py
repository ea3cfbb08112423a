"""The learning tasks of a2_lstm beside what simpler models reach on the same data.

    python benchmarks/text_baselines.py [--seeds 3]

Prints the solution's test results, least to greatest over the seeds, with the thresholds of the checks, and
below them: TF-IDF with logistic regression on the reviews, Witten-Bell n-grams on the characters, and a plain
RNN of the same sizes, trained by the same `fit`, on the long lag.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assignments.a2_lstm.corpus import CHARACTERS as ALPHABET
from assignments.a2_lstm.corpus import corpus
from assignments.a2_lstm.learning import CHARACTERS, RECALL, SENTIMENT
from assignments.a2_lstm.reviews import reviews
from autograder.checks import LearningTask
from benchmarks.solution import over_seeds, row, solution_module


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    with solution_module("a2_lstm", "text") as text:
        for task, baselines in (
            (SENTIMENT, {"always the same class": majority, "TF-IDF, logistic regression": tfidf}),
            (CHARACTERS, {f"{n}-gram, Witten-Bell": ngram(n) for n in range(1, 7)}),
            (RECALL, {}),
        ):
            heading(task)
            row("LSTM", over_seeds(partial(task.learn, text), seeds))
            for name, baseline in baselines.items():
                row(name, [baseline()])
        plain = SimpleNamespace(SentimentClassifier=RNNClassifier, fit=text.fit)
        row("plain RNN of the same sizes", over_seeds(partial(RECALL.learn, plain), seeds))


def heading(task: LearningTask) -> None:
    bound = "at most" if task.lower_is_better else "at least"
    print(f"{task.name}: {task.measure}, {bound} {task.required:g} to pass", flush=True)


def majority() -> float:
    labels = Counter(label for _, label in reviews("test"))
    return max(labels.values()) / labels.total()


def tfidf() -> float:
    """Accuracy of logistic regression on TF-IDF weights of single words, scikit-learn's defaults for both."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (train, train_labels), (test, test_labels) = (
        zip(*reviews("train"), strict=True),
        zip(*reviews("test"), strict=True),
    )
    vectorizer = TfidfVectorizer(analyzer=list)  # the texts are lists of tokens
    model = LogisticRegression().fit(vectorizer.fit_transform(train), train_labels)
    return float(model.score(vectorizer.transform(test), test_labels))


def ngram(n: int) -> Callable[[], float]:
    """Bits per character of an n-gram model, which knows the n - 1 characters before, on the test chapters.

    Witten-Bell: p(c | h) = (count(hc) + kinds(h) p(c | h')) / (count(h) + kinds(h)), where kinds(h) counts
    the different characters seen after h, and h' is h without its first; below the empty context all are
    alike.
    """

    def bits() -> float:
        train, test = corpus("train"), corpus("test")
        after: dict[str, Counter[str]] = defaultdict(Counter)
        for i, character in enumerate(train):
            for known in range(min(n, i + 1)):
                after[train[i - known : i]][character] += 1
        totals = {context: counts.total() for context, counts in after.items()}
        logs = 0.0
        for i, character in enumerate(test):
            p = 1 / len(ALPHABET)
            for known in range(min(n, i + 1)):
                context = test[i - known : i]
                if context in after:
                    kinds = len(after[context])
                    p = (after[context][character] + kinds * p) / (totals[context] + kinds)
            logs -= math.log2(p)
        return logs / len(test)

    return bits


class RNNClassifier(nn.Module):
    """`SentimentClassifier` on torch's plain RNN (tanh)."""

    def __init__(
        self, vocab_size: int, embed_size: int, hidden_size: int, n_classes: int, pad: int = 0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad)
        self.rnn = nn.RNN(embed_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, n_classes)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        hs, _ = self.rnn(self.embedding(tokens))
        return self.out(hs[torch.arange(len(tokens)), lengths - 1])


if __name__ == "__main__":
    main()
