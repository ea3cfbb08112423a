"""What this unit's models are to learn: to judge reviews, to remember, to foretell characters."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from assignments.a2_lstm import corpus, reviews
from autograder.checks import LearningTask, assert_like, expect_tuple


def review_accuracy(student: Any) -> float:
    """Trains on `reviews.py` with its sizes and steps; the share of the 1000 test reviews told right."""
    texts = [tokens for tokens, _ in reviews.reviews("train")]
    vocab = student.build_vocab(texts, reviews.MIN_COUNT)
    model = student.SentimentClassifier(
        len(vocab), reviews.EMBED_SIZE, reviews.HIDDEN_SIZE, len(reviews.CLASSES)
    )
    batches = reviews.review_batches("train", vocab, student.collate)
    student.fit(model, batches, reviews.LR, reviews.STEPS)
    (test,) = reviews.review_batches("test", vocab, student.collate, batch_size=1000)
    return share_right(model, test, len(reviews.CLASSES))


SIGNALS, NOISE = 8, 8  # the ids 1 to 8 are tokens to remember, 9 to 16 are to be read past
FIRST_LAG, LAST_LAG = 2, 59
RECALL_STEPS, GROWING_STEPS = 160, 128
RECALL_BATCH_SIZE = 64
RECALL_LR = 0.02


def recall_accuracy(student: Any) -> float:
    """Trains to name the first token of ever longer rows; the share of 500 rows of 60 tokens told right."""
    model = student.SentimentClassifier(1 + SIGNALS + NOISE, 32, 32, SIGNALS)
    student.fit(model, recall_batches(), RECALL_LR, RECALL_STEPS)
    generator = torch.Generator().manual_seed(1)
    return share_right(model, recall_batch(LAST_LAG, 500, generator), SIGNALS)


def recall_batches() -> list[tuple[Tensor, Tensor, Tensor]]:
    """A batch for every step of the training: the lag grows, then stays.

    Over the whole lag at once the gradient that comes back is too small to learn from, in an LSTM too as long
    as its forget gates stand half open. A plain RNN of the same size learns the short lags and loses them
    again as they grow (benchmarks/text_baselines.py); that is so on this schedule, for with short rows in
    every batch to the end it often learns the long lag too.
    """
    generator = torch.Generator().manual_seed(0)
    grown = [min(step / GROWING_STEPS, 1.0) for step in range(RECALL_STEPS)]
    lags = [round(FIRST_LAG + share * (LAST_LAG - FIRST_LAG)) for share in grown]
    return [recall_batch(lag, RECALL_BATCH_SIZE, generator) for lag in lags]


def recall_batch(lag: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(tokens (B, 1 + lag), lengths, labels): a signal, then noise; the label is which signal it was."""
    signals = torch.randint(SIGNALS, (size,), generator=generator)
    noise = torch.randint(SIGNALS, SIGNALS + NOISE, (size, lag), generator=generator)
    tokens = 1 + torch.cat([signals.unsqueeze(1), noise], dim=1)
    return tokens, torch.full((size,), 1 + lag), signals


def share_right(model: Any, batch: tuple[Tensor, Tensor, Tensor], n_classes: int) -> float:
    """The share of the batch's rows whose label gets the greatest score."""
    tokens, lengths, labels = batch
    with torch.no_grad():
        logits = model.eval()(tokens, lengths)
    assert_like(logits, torch.empty(len(tokens), n_classes), what="logits", dims="batch n_classes")
    return reviews.accuracy(logits, labels)


# Characters read at a time in the test, with the state carried from chunk to chunk: a model that forgets it
# between calls knows no more than two characters.
CHUNK = 2


def character_bits(student: Any) -> float:
    """Trains on `corpus.py` with its sizes and steps; bits per character of the test chapters."""
    model = student.CharLM(len(corpus.CHARACTERS), corpus.EMBED_SIZE, corpus.HIDDEN_SIZE).train()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=corpus.LR)
    for tokens in corpus.char_batches("train")[: corpus.STEPS]:
        inputs, following = tokens[:, :-1], tokens[:, 1:]
        logits, _ = expect_tuple(model(inputs), 2, ("logits", "state"))
        loss = F.cross_entropy(logits.transpose(1, 2), following)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, max_norm=1.0)
        optimizer.step()
    model.eval()
    bits, state = [], None
    with torch.no_grad():
        for tokens in corpus.char_batches("test", batch_size=256, length=CHUNK):
            logits, state = expect_tuple(model(tokens[:, :-1], state), 2, ("logits", "state"))
            bits.append(corpus.bits_per_character(logits, tokens[:, 1:]))
    return sum(bits) / len(bits)


SENTIMENT = LearningTask(
    name="sentiment",
    exercise="fit",
    module="text",
    measure="share of 1000 test reviews told good from bad",
    required=0.74,
    learn=review_accuracy,
)
RECALL = LearningTask(
    name="recall",
    exercise="SentimentClassifier",
    module="text",
    measure="share of 500 rows whose first token is known 59 steps later",
    required=0.9,
    learn=recall_accuracy,
)
CHARACTERS = LearningTask(
    name="characters",
    exercise="CharLM",
    module="text",
    measure="bits per character on test chapters",
    required=2.7,
    learn=character_bits,
    lower_is_better=True,
)
TASKS = (SENTIMENT, RECALL, CHARACTERS)
