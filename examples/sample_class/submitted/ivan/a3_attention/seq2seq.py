import torch
import torch.nn.functional as F
from attention import masked_softmax
from masks import padding_mask
from torch import nn


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, embed_size, hidden_size, pad=0):
        super().__init__()
        self.pad = pad
        self.embed_src = nn.Embedding(src_vocab, embed_size)
        self.embed_tgt = nn.Embedding(tgt_vocab, embed_size)
        self.left_to_right = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.right_to_left = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.bridge = nn.Linear(2 * hidden_size, hidden_size)
        self.decoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.w_query = nn.Linear(hidden_size, hidden_size)
        self.w_key = nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.energy = nn.Linear(hidden_size, 1, bias=False)
        self.out = nn.Linear(3 * hidden_size, tgt_vocab)

    def encode(self, src, lengths):
        B, T = src.shape
        t = torch.arange(T, device=src.device).expand(B, T)
        order = torch.where(t < lengths[:, None], lengths[:, None] - 1 - t, t)
        x = self.embed_src(src)
        left, _ = self.left_to_right(x)
        right, _ = self.right_to_left(x.gather(1, order[..., None].expand_as(x)))
        rows = torch.arange(B, device=src.device)
        start = torch.tanh(self.bridge(torch.cat([left[rows, lengths - 1], right[rows, lengths - 1]], -1)))
        right = right.gather(1, order[..., None].expand_as(right))
        return torch.cat([left, right], -1), start[None]

    def decode(self, memory, lengths, state, tokens):
        h, state = self.decoder(self.embed_tgt(tokens), state)
        score = self.energy(torch.tanh(self.w_query(h)[:, :, None] + self.w_key(memory)[:, None]))[..., 0]
        weights = masked_softmax(score, padding_mask(lengths, memory.shape[1])[:, None, :])
        context = torch.einsum("bts,bsd->btd", weights, memory)
        return self.out(torch.cat([h, context], -1)), weights, state

    def forward(self, src, src_lengths, tgt_in):
        memory, state = self.encode(src, src_lengths)
        logits, weights, _ = self.decode(memory, src_lengths, state, tgt_in)
        return logits, weights


def greedy_decode(model, src, src_lengths, bos, eos, max_len):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        memory, state = model.encode(src, src_lengths)
        token = torch.full_like(src[:, :1], bos)
        result = [[] for _ in src]
        running = set(range(len(result)))
        for _ in range(max_len):
            logits, _, state = model.decode(memory, src_lengths, state, token)
            token = logits.argmax(-1)
            for b in sorted(running):
                if token[b].item() == eos:
                    running.remove(b)
                else:
                    result[b].append(token[b].item())
            if not running:
                break
    model.train(was_training)
    return result


def train_seq2seq(model, batches, lr, steps):
    model.train()
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for i in range(steps):
        src, lengths, tgt = batches[i % len(batches)]
        logits, _ = model(src, lengths, tgt[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=model.pad)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    return losses
