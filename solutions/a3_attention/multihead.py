"""Multi-head attention: several small attentions side by side, each free to look elsewhere."""

from attention import scaled_dot_product_attention
from jaxtyping import Bool, Float
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Project, split into heads, attend in each, join, project.

    head_h = attention(q_proj(query)_h, k_proj(key)_h, v_proj(value)_h), out = out_proj([head_0; head_1; …]),
    where ·_h are the columns h·d_h … (h+1)·d_h - 1 and d_h = d_model / n_heads.

    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        """Make the four `nn.Linear(d_model, d_model)`: `q_proj`, `k_proj`, `v_proj`, `out_proj`.

        They are the whole state dict, under these names; `bias=False` drops all four biases.
        An `n_heads` that does not divide `d_model` is a ValueError that names `n_heads` and its value.
        """
        super().__init__()
        ### BEGIN SOLUTION
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model={d_model}, got {n_heads}")
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model, bias=bias)
        self.k_proj = nn.Linear(d_model, d_model, bias=bias)
        self.v_proj = nn.Linear(d_model, d_model, bias=bias)
        self.out_proj = nn.Linear(d_model, d_model, bias=bias)
        ### END SOLUTION

    def forward(
        self,
        query: Float[Tensor, "batch queries d_model"],
        key: Float[Tensor, "batch keys d_model"] | None = None,
        value: Float[Tensor, "batch keys d_model"] | None = None,
        mask: Bool[Tensor, "#batch #heads #queries #keys"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries d_model"], Float[Tensor, "batch heads queries keys"]]:
        """Attend from `query` to `key` and `value` -> (out, weights of every head).

        `key=None` is self-attention (key = query); `value=None` means value = key.
        `mask` is True where a query may attend and broadcasts to (batch, heads, queries, keys) by the usual
        rules, so a (queries, keys) mask, such as a causal one, serves every row and every head, and padding
        is passed as `padding_mask(lengths, keys)[:, None, None, :]`.

        A query that may attend to nothing gets weights of 0, and for its output the bias of `out_proj`.
        A key masked for a query cannot affect that query. A key masked for all of them, in all heads,
        reaches no result and no gradient, those of the projections included, even when `key` and `value`
        are NaN or infinite there.

        Trap: splitting into heads is `(batch, time, heads, d_h)` and then a transpose; a `view` straight to
        `(batch, heads, time, d_h)` has the right shape and mixes up time and heads.
        """
        ### BEGIN SOLUTION
        key = query if key is None else key
        value = key if value is None else value
        if mask is not None:
            # A projection's gradient is a sum over all keys, and 0 · NaN is NaN there too.
            shape = (query.shape[0], self.n_heads, query.shape[1], key.shape[1])
            attended = mask.expand(shape).any(dim=(1, 2)).unsqueeze(-1)
            key, value = key.where(attended, 0.0), value.where(attended, 0.0)
        projected = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q, k, v = (x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for x in projected)
        heads, weights = scaled_dot_product_attention(q, k, v, mask)
        return self.out_proj(heads.transpose(1, 2).flatten(2)), weights
        ### END SOLUTION
