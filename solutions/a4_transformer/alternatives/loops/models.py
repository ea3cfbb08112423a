from dataclasses import dataclass, field

import torch
from blocks import Attention, Decoder, Encoder, Residual
from layers import FeedForward, weight
from torch import Tensor, nn


def look_up(table, ids):
    return table[ids]


def causal(n_new, n_seen, device):
    """Row i is the new token at position n_seen + i."""
    row = torch.arange(n_seen, n_seen + n_new, device=device)
    return torch.arange(n_seen + n_new, device=device) <= row[:, None]


class Transformer(nn.Module):
    """Learned positions, a table of its own for either side; the output weights are a third table."""

    def __init__(self, src_vocab, tgt_vocab, d_model, n_heads, d_ff, n_layers, max_len, pad=0):
        super().__init__()
        self.pad = pad
        self.src_tokens = nn.Parameter(torch.randn(src_vocab, d_model))
        self.tgt_tokens = nn.Parameter(torch.randn(tgt_vocab, d_model))
        self.src_places = nn.Parameter(torch.randn(max_len, d_model))
        self.tgt_places = nn.Parameter(torch.randn(max_len, d_model))
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff, norm_first=True)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff, norm_first=True)
        self.w_out, self.b_out = weight(tgt_vocab, d_model), nn.Parameter(torch.zeros(tgt_vocab))

    def forward(self, src, tgt_in):
        keep = src.ne(self.pad).reshape(src.shape[0], 1, 1, src.shape[1])
        memory = self.encoder(look_up(self.src_tokens, src) + self.src_places[: src.shape[1]], keep)
        x = look_up(self.tgt_tokens, tgt_in) + self.tgt_places[: tgt_in.shape[1]]
        x = self.decoder(x, memory, causal(tgt_in.shape[1], 0, src.device), keep)
        return torch.einsum("btd,vd->btv", x, self.w_out) + self.b_out


@dataclass
class Memory:
    """Keys and values of one layer, (B, max_len, d_model) each, of which the first `used` are written."""

    keys: Tensor
    values: Tensor
    used: int = 0

    def write(self, keys, values):
        new = slice(self.used, self.used + keys.shape[1])
        self.keys[:, new] = keys.detach()
        self.values[:, new] = values.detach()
        self.used = new.stop
        return self.keys[:, : self.used], self.values[:, : self.used]


@dataclass
class KVCache:
    seen: int = 0
    layers: dict[int, Memory] = field(default_factory=dict)

    def of_layer(self, i, like, max_len):
        if i not in self.layers:
            shape = like.shape[0], max_len, like.shape[2]
            self.layers[i] = Memory(like.new_zeros(shape), like.new_zeros(shape))
        return self.layers[i]


class CachedAttention(Attention):
    def forward(self, x, mask, cache, i, max_len):
        k, v = self.project_memory(x)
        if cache is not None:
            k, v = cache.of_layer(i, k, max_len).write(k, v)
        return self.mix(self.project_query(x), k, v, mask)


class GPT(nn.Module):
    """Unit normal embeddings; as they are the output weights too, the logits are scaled by 1/sqrt(d_model).

    No last norm; an output bias.
    """

    def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_len):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.places = nn.Embedding(max_len, d_model)
        self.attention = nn.ModuleList()
        self.feed_forward = nn.ModuleList()
        for _ in range(n_layers):
            self.attention.append(Residual(CachedAttention(d_model, n_heads), d_model, 0.0, True))
            self.feed_forward.append(Residual(FeedForward(d_model, d_ff), d_model, 0.0, True))
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, tokens, cache=None):
        n_new, n_seen = tokens.shape[1], cache.seen if cache else 0
        max_len, d_model = self.places.weight.shape
        if n_seen + n_new > max_len:
            raise ValueError(f"tokens are {n_seen} + {n_new}, more than max_len ({max_len})")
        mask = causal(n_new, n_seen, tokens.device)
        x = self.tokens(tokens) + self.places.weight[n_seen : n_seen + n_new]
        for i, (attention, feed_forward) in enumerate(zip(self.attention, self.feed_forward, strict=True)):
            x = feed_forward(attention(x, mask, cache, i, max_len))
        if cache:
            cache.seen += n_new
        return x @ self.tokens.weight.T / d_model**0.5 + self.bias


def mask_tokens(tokens, mask_id, vocab_size, special_ids, p, generator):
    special = {int(token) for token in special_ids}
    device = tokens.device
    # one number decides: below 0.8 p mask, below 0.9 p replace, below p keep
    luck = (
        torch.rand(tokens.shape, generator=generator, device=device, dtype=torch.float64).flatten().tolist()
    )
    words = torch.randint(0, vocab_size, tokens.shape, generator=generator, device=device).flatten().tolist()
    inputs, labels = [], []
    for token, u, word in zip(tokens.flatten().tolist(), luck, words, strict=True):
        if token in special or u >= p:
            inputs.append(token)
            labels.append(-100)
            continue
        inputs.append(mask_id if u < 0.8 * p else word if u < 0.9 * p else token)
        labels.append(token)
    return (
        torch.tensor(inputs, dtype=tokens.dtype, device=device).view(tokens.shape),
        torch.tensor(labels, dtype=tokens.dtype, device=device).view(tokens.shape),
    )


def shift_right(tokens, bos):
    shifted = tokens.roll(1, dims=-1)
    shifted[..., 0] = bos
    return shifted
