"""Blocks and stacks of them: attention among tokens, a network a token, and a residual around either.

A block adds what it has found to what came in, so every sub-layer f stands in a residual:

    pre-norm (`norm_first`)   x + f(LN(x))      today's way: it trains without a warm-up
    post-norm                 LN(x + f(x))      the paper's

Every sub-layer has a norm and weights of its own. Where dropout sits is free; the paper has it on f's result,
before the sum. Parameter names and initial values are free.

Masks are True where a query may attend to a key, and broadcast to (batch, heads, queries, keys); None is no
mask, in a decoder too. Attention is not asked for again: `F.scaled_dot_product_attention`,
`nn.MultiheadAttention` (whose masks say the opposite) and a copy of your own are all allowed. An `n_heads`
that does not divide `d_model` is a ValueError that names `n_heads` and its value.

Source: Vaswani et al. 2017; pre-norm: Xiong et al. 2020.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from layers import FeedForward, LayerNorm
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """A suggestion: attention as all blocks here use it. It is not checked by itself."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        """Make what projects queries, keys, values and the joined heads."""
        super().__init__()
        ### BEGIN SOLUTION
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model={d_model}, got {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self,
        query: Float[Tensor, "batch queries d_model"],
        key: Float[Tensor, "batch keys d_model"],
        mask: Bool[Tensor, "*#batch_heads #queries #keys"] | None = None,
        past: dict[str, Tensor] | None = None,
    ) -> Float[Tensor, "batch queries d_model"]:
        """Attend from `query` to `key`, which gives keys and values.

        `past` is for `GPT`'s cache: the keys and values that earlier calls projected, {} at the first one.
        They come before those of `key`, which are added to it in place.
        """
        ### BEGIN SOLUTION
        projected = self.q_proj(query), self.k_proj(key), self.v_proj(key)
        q, k, v = (x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for x in projected)
        if past is not None:
            if past:
                k = torch.cat([past["k"], k], dim=2)
                v = torch.cat([past["v"], v], dim=2)
            past["k"], past["v"] = k.detach(), v.detach()
        heads = F.scaled_dot_product_attention(q, k, v, mask)
        return self.out_proj(heads.transpose(1, 2).flatten(2))
        ### END SOLUTION


class EncoderBlock(nn.Module):
    """Self-attention, then the feed-forward network: what an encoder, and a GPT, is a stack of."""

    def __init__(
        self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = True
    ) -> None:
        """`d_ff` is the feed-forward network's inner size, `dropout` the share dropped while training."""
        super().__init__()
        ### BEGIN SOLUTION
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "*#batch_heads #time #time"] | None = None,
        past: dict[str, Tensor] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Every token looks at the tokens that `mask` keeps for it, then thinks about what it has seen.

        With `norm_first`: x ← x + attention(LN_1(x)), x ← x + feed_forward(LN_2(x)).
        Without: x ← LN_1(x + attention(x)), x ← LN_2(x + feed_forward(x)).

        `past` is a suggestion for `GPT`'s cache; no check passes it.
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            normed = self.norm1(x)
            x = x + self.dropout(self.attention(normed, normed, mask, past))
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.dropout(self.attention(x, x, mask, past)))
        return self.norm2(x + self.feed_forward(x))
        ### END SOLUTION


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to an encoder's result, then the feed-forward network."""

    def __init__(
        self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0, norm_first: bool = True
    ) -> None:
        """The arguments of `EncoderBlock`."""
        super().__init__()
        ### BEGIN SOLUTION
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, n_heads)
        self.cross_attention = MultiHeadAttention(d_model, n_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        memory: Float[Tensor, "batch memory_time d_model"],
        self_mask: Bool[Tensor, "*#batch_heads #time #time"] | None = None,
        memory_mask: Bool[Tensor, "*#batch_heads #time #memory_time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Look at one's own tokens, then at the source, then think; a residual and a norm around each.

        In cross-attention the queries come from `x`, keys and values from `memory`, which is taken as it is:
        the norm of that sub-layer is for `x` only.
        `self_mask` says what a token of `x` sees of `x`, `memory_mask` what it sees of `memory`.

        Trap: the block is causal only if `self_mask` is; it adds no mask of its own.
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            normed = self.norm1(x)
            x = x + self.dropout(self.self_attention(normed, normed, self_mask))
            x = x + self.dropout(self.cross_attention(self.norm2(x), memory, memory_mask))
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, self_mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory_mask)))
        return self.norm3(x + self.feed_forward(x))
        ### END SOLUTION


class Encoder(nn.Module):
    """`n_layers` encoder blocks, one upon another, and a last norm when `norm_first`."""

    def __init__(
        self,
        n_layers: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ) -> None:
        """Make the blocks, each with weights of its own.

        Pre-norm blocks only ever add to x, so with `norm_first` one more norm follows the last of them.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.blocks = nn.ModuleList(
            EncoderBlock(d_model, n_heads, d_ff, dropout, norm_first) for _ in range(n_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else nn.Identity()
        ### END SOLUTION

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "*#batch_heads #time #time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Run `x` through all blocks, with the same mask in each."""
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)
        ### END SOLUTION


class Decoder(nn.Module):
    """`n_layers` decoder blocks, one upon another, and a last norm when `norm_first`."""

    def __init__(
        self,
        n_layers: int,
        d_model: int,
        n_heads: int,
        d_ff: int,
        dropout: float = 0.0,
        norm_first: bool = True,
    ) -> None:
        """Make the blocks, each with weights of its own, and the last norm, as in `Encoder`."""
        super().__init__()
        ### BEGIN SOLUTION
        self.blocks = nn.ModuleList(
            DecoderBlock(d_model, n_heads, d_ff, dropout, norm_first) for _ in range(n_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else nn.Identity()
        ### END SOLUTION

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        memory: Float[Tensor, "batch memory_time d_model"],
        self_mask: Bool[Tensor, "*#batch_heads #time #time"] | None = None,
        memory_mask: Bool[Tensor, "*#batch_heads #time #memory_time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """Run `x` through all blocks; every one of them looks at the same `memory`, the encoder's result."""
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x, memory, self_mask, memory_mask)
        return self.norm(x)
        ### END SOLUTION
