"""A bidirectional GRU reads, a GRU with additive attention writes."""

from dataclasses import dataclass

import torch
from attention import AdditiveScorer, Reader
from masks import padding_mask
from torch import Tensor, nn
from torch.nn.utils import rnn


@dataclass
class Memory:
    """What the encoder leaves behind for the decoder."""

    states: Tensor
    mask: Tensor


class Encoder(nn.Module):
    def __init__(self, vocab, embed_size, hidden_size, pad):
        super().__init__()
        self.embedding = nn.Embedding(vocab, embed_size, padding_idx=pad)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden_size, hidden_size)

    def forward(self, src, src_lengths):
        packed = rnn.pack_padded_sequence(
            self.embedding(src), src_lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.gru(packed)
        states, _ = rnn.pad_packed_sequence(states, batch_first=True, total_length=src.shape[1])
        first_state = torch.tanh(self.bridge(torch.cat((last[0], last[1]), dim=-1)))
        return Memory(states, padding_mask(src_lengths, src.shape[1])), first_state


class Decoder(nn.Module):
    def __init__(self, vocab, embed_size, hidden_size, pad):
        super().__init__()
        self.embedding = nn.Embedding(vocab, embed_size, padding_idx=pad)
        self.match = nn.ParameterDict(
            {
                "query": nn.init.xavier_uniform_(torch.empty(hidden_size, hidden_size)),
                "key": nn.init.xavier_uniform_(torch.empty(hidden_size, 2 * hidden_size)),
                "energy": torch.randn(hidden_size) * hidden_size**-0.5,
            }
        )
        self.gru = nn.GRU(embed_size + 2 * hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(3 * hidden_size, vocab)

    def step(self, memory, state, token):
        """One token (B,) in; logits (B, V), attention weights (B, Ts) and the new state out."""
        scorer = AdditiveScorer(self.match["query"], self.match["key"], self.match["energy"])
        context, weights = Reader(scorer).read(state, memory.states, memory.states, memory.mask)
        inputs = torch.cat((self.embedding(token), context), dim=-1)
        out, _ = self.gru(inputs.unsqueeze(1), state.unsqueeze(0))
        state = out.squeeze(1)
        return self.head(torch.cat((state, context), dim=-1)), weights, state

    def forward(self, memory, state, tokens):
        logits, weights = [], []
        for token in tokens.unbind(dim=1):
            step_logits, step_weights, state = self.step(memory, state, token)
            logits.append(step_logits)
            weights.append(step_weights)
        return torch.stack(logits, dim=1), torch.stack(weights, dim=1)


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.reader = Encoder(src_vocab, embed_size, hidden_size, pad)
        self.writer = Decoder(tgt_vocab, embed_size, hidden_size, pad)
        self.criterion = nn.CrossEntropyLoss(ignore_index=pad)

    def forward(self, src, src_lengths, tgt_in):
        memory, state = self.reader(src, src_lengths)
        return self.writer(memory, state, tgt_in)

    def loss(self, src, src_lengths, tgt):
        logits, _ = self(src, src_lengths, tgt[:, :-1])
        return self.criterion(logits.flatten(0, 1), tgt[:, 1:].flatten())

    def translate(self, src, src_lengths, bos, eos, max_len):
        memory, state = self.reader(src, src_lengths)
        hypotheses = [Hypothesis(eos) for _ in range(src.shape[0])]
        token = torch.full((src.shape[0],), bos, dtype=torch.long, device=src.device)
        for _ in range(max_len):
            logits, _, state = self.writer.step(memory, state, token)
            token = logits.argmax(dim=-1)
            for hypothesis, new in zip(hypotheses, token.tolist(), strict=True):
                hypothesis.append(new)
            if all(hypothesis.done for hypothesis in hypotheses):
                break
        return [hypothesis.ids for hypothesis in hypotheses]


class Hypothesis:
    """The tokens of one translation; deaf after eos."""

    def __init__(self, eos):
        self.eos = eos
        self.ids = []
        self.done = False

    def append(self, token):
        self.done = self.done or token == self.eos
        if not self.done:
            self.ids.append(token)


class Trainer:
    def __init__(self, model, lr, max_norm=1.0):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.max_norm = max_norm

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = self.model.loss(*batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        return float(loss.detach())


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    mode = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model.translate(src, src_lengths, bos, eos, max_len)
    finally:
        model.train(mode)


def train_seq2seq(model, batches, lr, steps):
    trainer = Trainer(model.train(), lr)
    return [trainer.step(batches[i % len(batches)]) for i in range(steps)]
