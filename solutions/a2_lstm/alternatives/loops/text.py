"""Reviews and characters."""

import torch
import torch.nn.functional as F
from lstm import LSTM, last_valid
from torch import nn


def build_vocab(texts, min_count=1):
    counts = {}
    for text in texts:
        for token in text:
            counts[token] = counts.get(token, 0) + 1

    pairs = []
    for token, count in counts.items():
        if count >= min_count and token not in ("<pad>", "<unk>"):
            pairs.append((-count, token))
    pairs.sort()

    vocab = {"<pad>": 0, "<unk>": 1}
    for _, token in pairs:
        vocab[token] = len(vocab)
    return vocab


def collate(sequences, pad=0):
    longest = max(len(sequence) for sequence in sequences)
    rows, lengths = [], []
    for sequence in sequences:
        rows.append(list(sequence) + [pad] * (longest - len(sequence)))
        lengths.append(len(sequence))
    return torch.tensor(rows), torch.tensor(lengths)


class SentimentClassifier(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, n_classes, pad=0):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = LSTM(embed_size, hidden_size)
        self.out = nn.Linear(hidden_size, n_classes)

    def forward(self, tokens, lengths):
        states, _ = self.lstm(self.embed(tokens), lengths=lengths)
        return self.out(last_valid(states, lengths))


def fit(model, batches, lr, steps, max_norm=1.0):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        tokens, lengths, labels = batches[step % len(batches)]
        loss = F.cross_entropy(model(tokens, lengths), labels)
        losses.append(loss.item())

        optimizer.zero_grad()
        loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
        if norm > max_norm:
            for grad in grads:
                grad *= max_norm / norm
        optimizer.step()
    return losses


class CharLM(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = LSTM(embed_size, hidden_size)
        self.out = nn.Linear(hidden_size, vocab_size)

    def forward(self, tokens, state=None):
        states, state = self.lstm(self.embed(tokens), state)
        return self.out(states), state


def generate(model, prompt, length, temperature, generator):
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, not {temperature}")
    was_training = model.training
    model.eval()
    text = prompt
    with torch.no_grad():
        for _ in range(length):
            # read everything again for every character: slow, but nothing can go wrong
            logits, _ = model(text[None, :])
            scores = logits[0, -1]
            if temperature == 0:
                token = scores.argmax()[None]
            else:
                token = torch.multinomial(F.softmax(scores / temperature, dim=0), 1, generator=generator)
            text = torch.cat([text, token])
    model.train(was_training)
    return text
