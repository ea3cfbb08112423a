"""The Transformer as in Vaswani et al.; GPT as in GPT-2: small normal weights, one fused projection."""

import math

import torch
import torch.nn.functional as F
from blocks import Decoder, Encoder
from layers import FeedForward
from torch import Tensor, nn


class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, max_len: int):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)[:, : d_model // 2]
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pe[: x.shape[1]]


class Transformer(nn.Module):
    def __init__(
        self,
        src_vocab: int,
        tgt_vocab: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        n_layers: int,
        max_len: int,
        pad: int = 0,
    ):
        super().__init__()
        self.pad = pad
        self.d_model = d_model
        self.src_embed = nn.Embedding(src_vocab, d_model)
        self.tgt_embed = nn.Embedding(tgt_vocab, d_model)
        self.positions = PositionalEncoding(d_model, max_len)
        self.encoder = Encoder(n_layers, d_model, n_heads, d_ff)
        self.decoder = Decoder(n_layers, d_model, n_heads, d_ff)
        self.generator = nn.Linear(d_model, tgt_vocab)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def encode(self, src: Tensor) -> tuple[Tensor, Tensor]:
        src_mask = (src != self.pad)[:, None, None, :]
        x = self.positions(self.src_embed(src) * math.sqrt(self.d_model))
        return self.encoder(x, src_mask), src_mask

    def decode(self, memory: Tensor, src_mask: Tensor, tgt_in: Tensor) -> Tensor:
        length = tgt_in.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tgt_in.device).tril()
        x = self.positions(self.tgt_embed(tgt_in) * math.sqrt(self.d_model))
        return self.generator(self.decoder(x, memory, causal, src_mask))

    def forward(self, src: Tensor, tgt_in: Tensor) -> Tensor:
        return self.decode(*self.encode(src), tgt_in)


class KVCache:
    """What every layer has projected so far: one list of keys, one of values, an entry a layer."""

    def __init__(self) -> None:
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []

    def __len__(self) -> int:
        """How many tokens have been read."""
        return self.keys[0].shape[2] if self.keys else 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if layer == len(self.keys):
            self.keys.append(k)
            self.values.append(v)
        else:
            self.keys[layer] = torch.cat([self.keys[layer], k], dim=2)
            self.values[layer] = torch.cat([self.values[layer], v], dim=2)
        return self.keys[layer], self.values[layer]


class CausalSelfAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, layer: int):
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model, got n_heads={n_heads} and d_model={d_model}")
        super().__init__()
        self.n_heads = n_heads
        self.layer = layer
        self.c_attn = nn.Linear(d_model, 3 * d_model)
        self.c_proj = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor, cache: KVCache | None) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in self.c_attn(x).chunk(3, dim=-1)
        )
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            k, v = cache.update(self.layer, k, v)
            new, seen = q.shape[2], k.shape[2]
            mask = torch.ones(new, seen, dtype=torch.bool, device=x.device).tril(seen - new)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.c_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, d_model: int, n_heads: int, d_ff: int, layer: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d_model)
        self.attn = CausalSelfAttention(d_model, n_heads, layer)
        self.ln_2 = nn.LayerNorm(d_model)
        self.mlp = FeedForward(d_model, d_ff)

    def forward(self, x: Tensor, cache: KVCache | None) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocab_size: int, d_model: int, n_heads: int, d_ff: int, n_layers: int, max_len: int):
        super().__init__()
        self.max_len = max_len
        self.wte = nn.Embedding(vocab_size, d_model)
        self.wpe = nn.Embedding(max_len, d_model)
        self.h = nn.ModuleList(Block(d_model, n_heads, d_ff, layer) for layer in range(n_layers))
        self.ln_f = nn.LayerNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab_size, bias=False)
        self.apply(self._init_weights)
        self.lm_head.weight = self.wte.weight

    @staticmethod
    def _init_weights(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        past = 0 if cache is None else len(cache)
        total = past + tokens.shape[1]
        if total > self.max_len:
            raise ValueError(f"tokens: {total} in all, but max_len={self.max_len}")
        x = self.wte(tokens) + self.wpe(torch.arange(past, total, device=tokens.device))
        for block in self.h:
            x = block(x, cache)
        return self.lm_head(self.ln_f(x))


def mask_tokens(
    tokens: Tensor,
    mask_id: int,
    vocab_size: int,
    special_ids: list[int],
    p: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    def happens(probability: float) -> Tensor:
        return (
            torch.empty(tokens.shape, device=tokens.device)
            .bernoulli_(probability, generator=generator)
            .bool()
        )

    special = torch.as_tensor(list(special_ids), dtype=tokens.dtype, device=tokens.device)
    chosen = happens(p) & ~torch.isin(tokens, special)
    labels = tokens.masked_fill(~chosen, -100)
    masked = chosen & happens(0.8)
    inputs = tokens.masked_fill(masked, mask_id)
    # half of the 20 % that are left
    replaced = chosen & ~masked & happens(0.5)
    words = torch.randint(
        vocab_size, tokens.shape, generator=generator, dtype=tokens.dtype, device=tokens.device
    )
    return torch.where(replaced, words, inputs), labels


def shift_right(tokens: Tensor, bos: int) -> Tensor:
    return F.pad(tokens, (1, -1), value=bos)
