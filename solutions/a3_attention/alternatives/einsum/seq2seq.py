"""GRU encoder and decoder. The decoder's states come first, all at once; then every state looks back."""

from itertools import cycle, islice, takewhile

import torch
import torch.nn.functional as F
from attention import masked_softmax
from masks import padding_mask
from shared import contract
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Seq2Seq(nn.Module):
    def __init__(self, src_vocab: int, tgt_vocab: int, embed_size: int, hidden_size: int, pad: int = 0):
        super().__init__()
        self.pad_id = pad
        self.embed_src = nn.Embedding(src_vocab, embed_size)
        self.embed_tgt = nn.Embedding(tgt_vocab, embed_size)
        self.encoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.decoder = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.w_q = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.w_k = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.v = nn.Parameter(torch.randn(hidden_size) / hidden_size**0.5)
        self.combine = nn.Linear(2 * hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, tgt_vocab)

    def encode(self, src: Tensor, src_lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        packed = pack_padded_sequence(
            self.embed_src(src), src_lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.encoder(packed)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=src.shape[1])
        return states, padding_mask(src_lengths, src.shape[1]), last

    def decode(
        self, memory: Tensor, keep: Tensor, h: Tensor, tgt_in: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        queries, h = self.decoder(self.embed_tgt(tgt_in), h)
        hidden = contract("btd,ad->bta", queries, self.w_q).unsqueeze(2)
        hidden = hidden + contract("bsd,ad->bsa", memory, self.w_k).unsqueeze(1)
        weights = masked_softmax(contract("btsa,a->bts", hidden.tanh(), self.v), keep.unsqueeze(1))
        context = contract("bts,bsd->btd", weights, memory)
        return self.out(self.combine(torch.cat([queries, context], -1)).tanh()), weights, h

    def forward(self, src: Tensor, src_lengths: Tensor, tgt_in: Tensor) -> tuple[Tensor, Tensor]:
        logits, weights, _ = self.decode(*self.encode(src, src_lengths), tgt_in)
        return logits, weights


@torch.no_grad()
def greedy_decode(
    model: Seq2Seq, src: Tensor, src_lengths: Tensor, bos: int, eos: int, max_len: int
) -> list[list[int]]:
    training = model.training
    model.eval()
    memory, keep, h = model.encode(src, src_lengths)
    token = src.new_full((src.shape[0], 1), bos)
    ended = torch.zeros_like(token, dtype=torch.bool)
    columns = []
    while len(columns) < max_len and not ended.all():
        logits, _, h = model.decode(memory, keep, h, token)
        token = logits.argmax(-1)
        ended = ended | (token == eos)
        columns.append(token)
    model.train(training)
    if not columns:
        return [[] for _ in range(src.shape[0])]
    return [list(takewhile(lambda t: t != eos, row)) for row in torch.cat(columns, 1).tolist()]


def train_seq2seq(model: Seq2Seq, batches: list, lr: float, steps: int) -> list[float]:
    model.train()
    adam = torch.optim.Adam(model.parameters(), lr)

    def step(src: Tensor, src_lengths: Tensor, tgt: Tensor) -> float:
        adam.zero_grad()
        logits, _ = model(src, src_lengths, tgt[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), tgt[:, 1:], ignore_index=model.pad_id)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        adam.step()
        return loss.item()

    return [step(*batch) for batch in islice(cycle(batches), steps)]
