"""Dates in, dates out: LSTM encoder, LSTM decoder, Bahdanau attention; one Python step per token."""

import torch
import torch.nn.functional as F
from torch import nn


class Cell(nn.Module):
    """An LSTM cell made of two linear layers."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.from_input = nn.Linear(input_size, 4 * hidden_size)
        self.from_state = nn.Linear(hidden_size, 4 * hidden_size, bias=False)

    def forward(self, x, h, c):
        i, f, g, o = (self.from_input(x) + self.from_state(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.pad = pad
        self.hidden_size = hidden_size
        self.src_embed = nn.Embedding(src_vocab, embed_size)
        self.tgt_embed = nn.Embedding(tgt_vocab, embed_size)
        self.encoder = Cell(embed_size, hidden_size)
        self.decoder = Cell(embed_size + hidden_size, hidden_size)
        self.w_q = nn.Linear(hidden_size, hidden_size, bias=False)
        self.w_k = nn.Linear(hidden_size, hidden_size, bias=False)
        self.v = nn.Linear(hidden_size, 1, bias=False)
        self.readout = nn.Linear(2 * hidden_size, tgt_vocab)

    def forward(self, src, src_lengths, tgt_in):
        embedded = self.src_embed(src)
        h = embedded.new_zeros(src.shape[0], self.hidden_size)
        c = torch.zeros_like(h)
        states = []
        for t in range(src.shape[1]):
            real = (t < src_lengths)[:, None]
            new_h, new_c = self.encoder(embedded[:, t], h, c)
            h = torch.where(real, new_h, h)
            c = torch.where(real, new_c, c)
            states.append(h)
        states = torch.stack(states, dim=1)
        is_pad = torch.arange(src.shape[1], device=src.device)[None, :] >= src_lengths[:, None]
        keys = self.w_k(states)

        logits, all_weights = [], []
        embedded = self.tgt_embed(tgt_in)
        for t in range(tgt_in.shape[1]):
            scores = self.v(torch.tanh(self.w_q(h)[:, None, :] + keys)).squeeze(-1)
            weights = F.softmax(scores.masked_fill(is_pad, float("-inf")), dim=-1)
            context = (weights[:, :, None] * states).sum(dim=1)
            h, c = self.decoder(torch.cat([embedded[:, t], context], dim=-1), h, c)
            logits.append(self.readout(torch.cat([h, context], dim=-1)))
            all_weights.append(weights)
        return torch.stack(logits, dim=1), torch.stack(all_weights, dim=1)


@torch.no_grad()
def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    was_training = model.training
    model.eval()
    # run the decoder again on the longer prefix: slow, but nothing can go wrong
    prefix = torch.full((src.shape[0], 1), bos, dtype=torch.long, device=src.device)
    for _ in range(max_len):
        logits, _ = model(src, src_lengths, prefix)
        prefix = torch.cat([prefix, logits[:, -1].argmax(dim=-1)[:, None]], dim=1)
    model.train(was_training)

    results = []
    for row in prefix[:, 1:].tolist():
        ids = []
        for token in row:
            if token == eos:
                break
            ids.append(token)
        results.append(ids)
    return results


def train_seq2seq(model, batches, lr, steps):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        src, src_lengths, tgt = batches[step % len(batches)]
        logits, _ = model(src, src_lengths, tgt[:, :-1])
        targets = tgt[:, 1:]
        real = targets != model.pad
        loss = F.cross_entropy(logits[real], targets[real])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
