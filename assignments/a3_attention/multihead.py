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
        # YOUR CODE HERE
        raise NotImplementedError()

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
        # YOUR CODE HERE
        raise NotImplementedError()
