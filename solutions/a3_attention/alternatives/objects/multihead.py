import attention
import torch
from torch import nn


class Heads:
    """Takes (B, T, d_model) apart into heads and puts them together again."""

    def __init__(self, d_model, count):
        if count < 1 or d_model % count:
            raise ValueError(f"n_heads: {count} does not divide d_model={d_model}")
        self.count = count
        self.size = d_model // count

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.count, self.size).transpose(1, 2)

    def merge(self, x):
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], self.count * self.size)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        self.heads = Heads(d_model, n_heads)
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def hide_unseen(self, x, mask):
        """Zero the steps that no head and no query may look at, so not even a gradient meets them."""
        seen = mask.flatten(1, 2).any(dim=1)
        return torch.where(seen.unsqueeze(-1), x, torch.zeros_like(x))

    def forward(self, query, key=None, value=None, mask=None):
        key = key if key is not None else query
        value = value if value is not None else key
        if mask is not None:
            mask = torch.broadcast_to(mask, (query.shape[0], self.heads.count, query.shape[1], key.shape[1]))
            key = self.hide_unseen(key, mask)
            value = self.hide_unseen(value, mask)
        context, weights = attention.scaled_dot_product_attention(
            self.heads.split(self.q_proj(query)),
            self.heads.split(self.k_proj(key)),
            self.heads.split(self.v_proj(value)),
            mask,
        )
        return self.out_proj(self.heads.merge(context)), weights
