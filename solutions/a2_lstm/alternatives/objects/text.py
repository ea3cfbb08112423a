import contextlib
import itertools
from collections import Counter

import torch
from lstm import LSTM, set_forget_bias
from torch import nn
from torch.nn.utils.rnn import pad_sequence

SPECIAL = ("<pad>", "<unk>")


def build_vocab(texts, min_count=1):
    counter = Counter(itertools.chain.from_iterable(texts))
    # a stable sort: alphabetical first, then by count
    words = sorted(word for word in counter if word not in SPECIAL and counter[word] >= min_count)
    words.sort(key=counter.get, reverse=True)
    return {word: number for number, word in enumerate((*SPECIAL, *words))}


def collate(sequences, pad=0):
    rows = [torch.as_tensor(sequence, dtype=torch.int64) for sequence in sequences]
    lengths = torch.tensor([row.numel() for row in rows], dtype=torch.int64)
    return pad_sequence(rows, batch_first=True, padding_value=pad), lengths


class Reader(nn.Module):
    """Embedding and LSTM: tokens in, states out. The forget gates start open."""

    def __init__(self, vocab_size, embed_size, hidden_size, pad=None):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad)
        self.lstm = LSTM(embed_size, hidden_size)
        set_forget_bias(self.lstm, 1.0)

    def forward(self, tokens, state=None, lengths=None):
        return self.lstm(self.embedding(tokens), state=state, lengths=lengths)


class SentimentClassifier(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, n_classes, pad=0):
        super().__init__()
        self.reader = Reader(vocab_size, embed_size, hidden_size, pad)
        self.judge = nn.Linear(hidden_size, n_classes)

    def forward(self, tokens, lengths):
        _, (h_n, _) = self.reader(tokens, lengths=lengths)
        return self.judge(h_n[-1])


class Trainer:
    def __init__(self, model, lr, max_norm):
        self.model = model
        self.max_norm = max_norm
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def step(self, tokens, lengths, labels):
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(tokens, lengths), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        return float(loss.detach())


def fit(model, batches, lr, steps, max_norm=1.0):
    trainer = Trainer(model.train(), lr, max_norm)
    return [trainer.step(*batch) for batch in itertools.islice(itertools.cycle(batches), steps)]


class CharLM(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size):
        super().__init__()
        self.reader = Reader(vocab_size, embed_size, hidden_size)
        self.scorer = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens, state=None):
        states, state = self.reader(tokens, state)
        # the next text to be read goes on from here, but learns nothing about this one
        return self.scorer(states), tuple(part.detach() for part in state)


@contextlib.contextmanager
def evaluating(model):
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(mode)


class Sampler:
    """Draws an id from scores (V,), by the inverse of the distribution function."""

    def __init__(self, temperature, generator):
        if temperature < 0:
            raise ValueError(f"temperature is negative: {temperature}")
        self.temperature = temperature
        self.generator = generator

    def __call__(self, scores):
        if self.temperature == 0:
            return scores.argmax().reshape(1)
        # in double, and the greatest first brought to 0: a small temperature makes large numbers
        scores = (scores - scores.max()).double() / self.temperature
        reached = scores.softmax(0).cumsum(0)
        level = torch.rand(1, generator=self.generator, dtype=reached.dtype, device=reached.device)
        return torch.searchsorted(reached, level * reached[-1], right=True).clamp(max=len(reached) - 1)


def generate(model, prompt, length, temperature, generator):
    sampler = Sampler(temperature, generator)
    pieces = [prompt]
    state = None
    with evaluating(model):
        for _ in range(length):
            logits, state = model(pieces[-1].unsqueeze(0), state)
            pieces.append(sampler(logits[0, -1]))
    return torch.cat(pieces)
