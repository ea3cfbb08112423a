import torch
from attention import scaled_dot_product_attention
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if n_heads <= 0 or d_model % n_heads > 0:
            raise ValueError(f"n_heads {n_heads} doesn't divide d_model {d_model}")
        self.d_model, self.n_heads, self.d_h = d_model, n_heads, d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias)
        self.k_proj = nn.Linear(d_model, d_model, bias)
        self.v_proj = nn.Linear(d_model, d_model, bias)
        self.out_proj = nn.Linear(d_model, d_model, bias)

    def forward(self, query, key=None, value=None, mask=None):
        key = query if key is None else key
        value = key if value is None else value
        B, Tq, Tk = len(query), query.shape[1], key.shape[1]
        if mask is not None:
            mask = mask.expand(B, self.n_heads, Tq, Tk)
            visible = mask.any(2).any(1)[..., None]
            key = torch.where(visible, key, 0.0)
            value = torch.where(visible, value, 0.0)
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        heads, weights = [], []
        for h in range(self.n_heads):
            first, last = h * self.d_h, (h + 1) * self.d_h
            head_mask = None if mask is None else mask[:, h]
            out, w = scaled_dot_product_attention(q[..., first:last], k[..., first:last], v[..., first:last], head_mask)
            heads.append(out)
            weights.append(w)
        return self.out_proj(torch.cat(heads, -1)), torch.stack(weights, 1)
