"""Own attention, head by head, without biases. A block is a list of sub-layers around a residual."""

import torch
from layers import FeedForward, LayerNorm, weight
from torch import nn


def attend(q, k, v, mask):
    """One head: (B,Tq,d), (B,Tk,d), (B,Tk,d), mask None or broadcastable to (B,Tq,Tk)."""
    scores = torch.einsum("bqd,bkd->bqk", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.einsum("bqk,bkd->bqd", scores.softmax(-1), v)


def mask_of_head(mask, h):
    """The part of a mask (…, n_heads or 1, Tq, Tk) that is for head `h`."""
    if mask is None or mask.dim() < 3:
        return mask
    return mask[..., h if mask.shape[-3] > 1 else 0, :, :]


class Attention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        if n_heads <= 0 or d_model % n_heads != 0:
            raise ValueError(f"d_model={d_model} cannot be split into n_heads={n_heads}")
        self.d_head = d_model // n_heads
        self.n_heads = n_heads
        self.w_qkv = weight(3 * d_model, d_model)
        self.w_out = weight(d_model, d_model)

    def project_query(self, x):
        return x @ self.w_qkv[: x.shape[-1]].T

    def project_memory(self, x):
        return (x @ self.w_qkv[x.shape[-1] :].T).chunk(2, -1)

    def mix(self, q, k, v, mask):
        """Every head writes its own part into the output."""
        out = 0
        for h in range(self.n_heads):
            own = slice(h * self.d_head, (h + 1) * self.d_head)
            head = attend(q[..., own], k[..., own], v[..., own], mask_of_head(mask, h))
            out = out + head @ self.w_out[:, own].T
        return out

    def forward(self, x, memory, mask=None):
        k, v = self.project_memory(memory)
        return self.mix(self.project_query(x), k, v, mask)


class Residual(nn.Module):
    """x + f(LN(x)), or LN(x + f(x))."""

    def __init__(self, f, d_model, dropout, norm_first):
        super().__init__()
        self.f = f
        self.norm = LayerNorm(d_model)
        self.dropout = dropout
        self.norm_first = norm_first

    def forward(self, x, *context):
        y = self.f(self.norm(x) if self.norm_first else x, *context)
        y = x + nn.functional.dropout(y, self.dropout, self.training)
        return y if self.norm_first else self.norm(y)


class SelfAttention(Attention):
    def forward(self, x, mask=None):
        return super().forward(x, x, mask)


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
        super().__init__()
        self.attend = Residual(SelfAttention(d_model, n_heads), d_model, dropout, norm_first)
        self.think = Residual(FeedForward(d_model, d_ff), d_model, dropout, norm_first)

    def forward(self, x, mask=None):
        return self.think(self.attend(x, mask))


class DecoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
        super().__init__()
        self.attend = Residual(SelfAttention(d_model, n_heads), d_model, dropout, norm_first)
        self.look_up = Residual(Attention(d_model, n_heads), d_model, dropout, norm_first)
        self.think = Residual(FeedForward(d_model, d_ff), d_model, dropout, norm_first)

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        x = self.attend(x, self_mask)
        x = self.look_up(x, memory, memory_mask)
        return self.think(x)


class Stack(nn.Module):
    kind = None

    def __init__(self, n_layers, d_model, *args, norm_first=True, **kwargs):
        super().__init__()
        if len(args) == 4:  # n_heads, d_ff, dropout, norm_first
            *args, norm_first = args
        self.depth = n_layers
        for i in range(n_layers):
            self.add_module(f"block_{i}", self.kind(d_model, *args, norm_first=norm_first, **kwargs))
        if norm_first:
            self.last_norm = LayerNorm(d_model)

    def forward(self, x, *args, **kwargs):
        for i in range(self.depth):
            x = self.get_submodule(f"block_{i}")(x, *args, **kwargs)
        return self.last_norm(x) if hasattr(self, "last_norm") else x


class Encoder(Stack):
    kind = EncoderBlock


class Decoder(Stack):
    kind = DecoderBlock
