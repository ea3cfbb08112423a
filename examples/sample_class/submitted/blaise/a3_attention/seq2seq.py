import torch
from attention import additive_attention
from masks import padding_mask
from torch import nn


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.src_emb = nn.Embedding(src_vocab, embed_size, padding_idx=pad)
        self.tgt_emb = nn.Embedding(tgt_vocab, embed_size, padding_idx=pad)
        self.encoder = nn.LSTM(embed_size, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(embed_size + hidden_size, hidden_size, batch_first=True)
        self.w_q = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.w_k = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.v = nn.Parameter(torch.randn(hidden_size) / hidden_size**0.5)
        self.readout = nn.Linear(2 * hidden_size, tgt_vocab)
        self.pad = pad

    def start(self, src, src_lengths):
        states, _ = self.encoder(self.src_emb(src))
        # the encoder only runs forward, so the state at length - 1 knows nothing of the padding
        h = states[torch.arange(len(src), device=src.device), src_lengths - 1]
        return states, padding_mask(src_lengths, src.shape[1]), h, torch.zeros_like(h)

    def step(self, token, states, mask, h, c):
        context, weights = additive_attention(h, states, self.w_q, self.w_k, self.v, mask)
        x = torch.cat([self.tgt_emb(token), context], dim=-1)
        _, (h, c) = self.decoder(x[:, None], (h[None].contiguous(), c[None].contiguous()))
        h, c = h[0], c[0]
        return self.readout(torch.cat([h, context], dim=-1)), weights, h, c

    def forward(self, src, src_lengths, tgt_in):
        states, mask, h, c = self.start(src, src_lengths)
        logits, weights = [], []
        for t in range(tgt_in.shape[1]):
            y, w, h, c = self.step(tgt_in[:, t], states, mask, h, c)
            logits.append(y)
            weights.append(w)
        return torch.stack(logits, 1), torch.stack(weights, 1)


@torch.no_grad()
def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    outputs = []
    for b in range(len(src)):
        n = src_lengths[b : b + 1]
        states, mask, h, c = model.start(src[b : b + 1], n)
        token = torch.tensor([bos], device=src.device)
        ids = []
        while len(ids) < max_len:
            y, _, h, c = model.step(token, states, mask, h, c)
            token = y.argmax(-1)
            if token.item() == eos:
                break
            ids.append(token.item())
        outputs.append(ids)
    return outputs


def train_seq2seq(model, batches, lr, steps):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss(ignore_index=model.pad)
    losses = []
    for step in range(steps):
        src, src_lengths, tgt = batches[step % len(batches)]
        optimizer.zero_grad()
        logits, _ = model(src, src_lengths, tgt[:, :-1])
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
