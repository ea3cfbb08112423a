from attention import scaled_dot_product_attention
from shared import contract, where_kept
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, bias: bool = True):
        if n_heads <= 0 or d_model % n_heads:
            raise ValueError(f"d_model ({d_model}) must be a multiple of n_heads ({n_heads})")
        super().__init__()
        self.n_heads = n_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(d_model, d_model, bias))

    def heads(self, x: Tensor, proj: nn.Linear) -> Tensor:
        """(B, T, d_model) -> (B, n_heads, T, d_head), projection and split in one einsum."""
        out = contract("btc,hdc->bhtd", x, proj.weight.unflatten(0, (self.n_heads, -1)))
        if proj.bias is not None:
            out = out + proj.bias.unflatten(0, (self.n_heads, 1, -1))
        return out

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        key = query if key is None else key
        value = key if value is None else value
        if mask is not None:
            mask = mask.expand(query.shape[0], self.n_heads, query.shape[1], key.shape[1])
            seen = mask.any(2).any(1)
            key, value = where_kept(key, seen), where_kept(value, seen)
        context, weights = scaled_dot_product_attention(
            self.heads(query, self.q_proj), self.heads(key, self.k_proj), self.heads(value, self.v_proj), mask
        )
        out = contract("bhtd,ohd->bto", context, self.out_proj.weight.unflatten(1, (self.n_heads, -1)))
        return (out if self.out_proj.bias is None else out + self.out_proj.bias), weights
