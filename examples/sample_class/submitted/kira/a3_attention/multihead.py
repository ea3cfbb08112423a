from attention import scaled_dot_product_attention
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if n_heads < 1 or d_model % n_heads != 0:
            raise ValueError(f"d_model={d_model} can't be divided into n_heads={n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def split(self, x):
        B, T, D = x.shape
        return x.reshape(B, T, self.n_heads, D // self.n_heads).permute(0, 2, 1, 3)

    def forward(self, query, key=None, value=None, mask=None):
        if key is None:
            key = query
        if value is None:
            value = key
        if mask is not None:
            big_mask = mask.expand(query.shape[0], self.n_heads, query.shape[1], key.shape[1])
            used = big_mask.flatten(1, 2).any(dim=1)
            key = key.masked_fill(~used.unsqueeze(-1), 0)
            value = value.masked_fill(~used.unsqueeze(-1), 0)
        q, k, v = self.split(self.q_proj(query)), self.split(self.k_proj(key)), self.split(self.v_proj(value))
        o, weights = scaled_dot_product_attention(q, k, v, mask)
        B, H, T, d = o.shape
        return self.out_proj(o.permute(0, 2, 1, 3).reshape(B, T, H * d)), weights
