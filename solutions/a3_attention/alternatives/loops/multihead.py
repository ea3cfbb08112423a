import torch
from attention import scaled_dot_product_attention
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, bias=True):
        super().__init__()
        if n_heads < 1 or d_model % n_heads != 0:
            raise ValueError(f"n_heads={n_heads} does not divide d_model={d_model}")
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, query, key=None, value=None, mask=None):
        if key is None:
            key = query
        if value is None:
            value = key
        B, n_queries, _ = query.shape
        n_keys = key.shape[1]
        if mask is None:
            mask = torch.ones(n_queries, n_keys, dtype=torch.bool, device=query.device)
        mask = mask.expand(B, self.n_heads, n_queries, n_keys)

        # a key that nobody looks at must not reach the weights' gradients either
        seen = mask.any(dim=2).any(dim=1)[:, :, None]
        q = self.q_proj(query)
        k = self.k_proj(torch.where(seen, key, 0.0))
        v = self.v_proj(torch.where(seen, value, 0.0))

        outputs, weights = [], []
        for b in range(B):
            head_outputs, head_weights = [], []
            for h in range(self.n_heads):
                columns = slice(h * self.d_head, (h + 1) * self.d_head)
                output, weight = scaled_dot_product_attention(
                    q[b, :, columns], k[b, :, columns], v[b, :, columns], mask[b, h]
                )
                head_outputs.append(output)
                head_weights.append(weight)
            outputs.append(torch.cat(head_outputs, dim=-1))
            weights.append(torch.stack(head_weights))
        return self.out_proj(torch.stack(outputs)), torch.stack(weights)
