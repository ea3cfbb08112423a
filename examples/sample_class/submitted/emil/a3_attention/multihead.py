from attention import scaled_dot_product_attention, zero_out
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if n_heads < 1:
            raise ValueError(f"n_heads must be at least 1, not {n_heads}")
        if d_model % n_heads:
            raise ValueError(f"d_model {d_model} is not a multiple of n_heads {n_heads}")
        self.n_heads = n_heads
        for p in "qkv":
            self.add_module(f"{p}_proj", nn.Linear(d_model, d_model, bias=bias))
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def heads(self, x):
        B, T, D = x.shape
        return x.view(B, self.n_heads, T, D // self.n_heads)

    def forward(self, query, key=None, value=None, mask=None):
        key = key if key is not None else query
        value = value if value is not None else key
        B, T, D = query.shape
        if mask is not None:
            mask = mask.expand(B, self.n_heads, T, key.size(1))
            key, value = (zero_out(x, mask.any(2).any(1)) for x in (key, value))
        out, weights = scaled_dot_product_attention(
            self.heads(self.q_proj(query)), self.heads(self.k_proj(key)), self.heads(self.v_proj(value)), mask
        )
        return self.out_proj(out.transpose(1, 2).reshape(B, T, D)), weights
