import torch
import torch.nn as nn

from attention import scaled_dot_product_attention


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if n_heads < 1 or d_model % n_heads != 0:
            raise ValueError(f"n_heads={n_heads} has to divide d_model={d_model}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if key is None:
            key = query
        if value is None:
            value = key
        B, Tq, d_model = query.shape
        Tk = key.shape[1]

        if mask is not None:
            unused = ~mask.expand(B, self.n_heads, Tq, Tk).flatten(1, 2).any(1)
            key = key.masked_fill(unused.unsqueeze(2), 0)
            value = value.masked_fill(unused.unsqueeze(2), 0)

        q = self.q_proj(query).reshape(B, Tq, self.n_heads, -1).transpose(1, 2)
        k = self.k_proj(key).reshape(B, Tk, self.n_heads, -1).transpose(1, 2)
        v = self.v_proj(value).reshape(B, Tk, self.n_heads, -1).transpose(1, 2)
        out, weights = scaled_dot_product_attention(q, k, v, mask)
        out = out.transpose(1, 2).reshape(B, Tq, d_model)
        return self.out_proj(out), weights
