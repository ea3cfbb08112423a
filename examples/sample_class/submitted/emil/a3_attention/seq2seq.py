import torch
import torch.nn.functional as F
from attention import masked_softmax
from masks import padding_mask
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.pad = pad
        self.emb_in = nn.Embedding(src_vocab, embed_size)
        self.emb_out = nn.Embedding(tgt_vocab, embed_size)
        self.encoder = nn.LSTM(embed_size, hidden_size, batch_first=True, bidirectional=True)
        self.first = nn.Linear(2 * hidden_size, hidden_size)
        self.decoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.wq = nn.Linear(hidden_size, hidden_size)
        self.wk = nn.Linear(2 * hidden_size, hidden_size)
        self.v = nn.Linear(hidden_size, 1)
        self.last = nn.Linear(3 * hidden_size, tgt_vocab)

    def read(self, src, src_lengths):
        x = pack_padded_sequence(self.emb_in(src), src_lengths.cpu(), True, enforce_sorted=False)
        y, (h, _) = self.encoder(x)
        y, _ = pad_packed_sequence(y, True, total_length=src.size(1))
        h = torch.tanh(self.first(torch.cat([h[0], h[1]], -1)))
        return y, h[None]

    def write(self, tokens, memory, mask, h):
        s, h = self.decoder(self.emb_out(tokens), h)
        e = self.v(torch.tanh(self.wq(s)[:, :, None] + self.wk(memory)[:, None])).squeeze(-1)
        weights = masked_softmax(e, mask[:, None].expand_as(e))
        return self.last(torch.cat([s, weights @ memory], -1)), weights, h

    def forward(self, src, src_lengths, tgt_in):
        memory, h = self.read(src, src_lengths)
        logits, weights, _ = self.write(tgt_in, memory, padding_mask(src_lengths, src.size(1)), h)
        return logits, weights


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    with torch.no_grad():
        memory, h = model.read(src, src_lengths)
        mask = padding_mask(src_lengths, src.size(1))
        token = torch.full((src.size(0), 1), bos, device=src.device)
        ids = []
        for _ in range(max_len):
            logits, _, h = model.write(token, memory, mask, h)
            token = logits.argmax(-1)
            ids.append(token)
    out = []
    for row in torch.cat(ids, 1).tolist():
        out.append(row[: row.index(eos)] if eos in row else row)
    return out


def train_seq2seq(model, batches, lr, steps):
    model.train()
    opt = torch.optim.Adam(model.parameters(), lr)
    losses = []
    while len(losses) < steps:
        src, src_lengths, tgt = batches[len(losses) % len(batches)]
        logits, _ = model(src, src_lengths, tgt[:, :-1])
        target = tgt[:, 1:]
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        opt.step()
        losses.append(loss.item())
    return losses
