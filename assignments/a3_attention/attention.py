"""Attention in the order of the lecture: soft, hard, global and local, then queries, keys and values."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def masked_softmax(
    scores: Float[Tensor, "*shape"],
    mask: Bool[Tensor, "*#shape"] | None = None,
    dim: int = -1,
) -> Float[Tensor, "*shape"]:
    """Share out a weight of 1 among the kept entries along `dim`.

    weights_i = exp(s_i) / Σ_kept exp(s_j) where kept, exactly 0 elsewhere.

    `mask` is True where an entry is kept and broadcasts to the shape of `scores`; None keeps everything.
    A slice with nothing kept is all 0, never NaN, and so is its gradient.
    What stands in a masked entry, NaN and infinity included, reaches neither the result nor a gradient.
    Scores of ±1e4 neither overflow nor turn into NaN.

    Trap: a masked score of 0 still gets a share, because exp(0) = 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def additive_attention(
    query: Float[Tensor, "batch query_size"],
    keys: Float[Tensor, "batch keys key_size"],
    w_q: Float[Tensor, "attention_size query_size"],
    w_k: Float[Tensor, "attention_size key_size"],
    v: Float[Tensor, "attention_size"],
    mask: Bool[Tensor, "#batch #keys"] | None = None,
) -> tuple[Float[Tensor, "batch key_size"], Float[Tensor, "batch keys"]]:
    """Let a small network judge how well a query and a key fit -> (context, weights).

    e_j = v · tanh(w_q q + w_k k_j), weights = softmax(e) over the keys, context = Σ_j weights_j k_j.

    `mask` is True where a key may be attended to. A row that may attend to nothing gets zeros, not NaN.
    A masked key reaches neither result nor any gradient, those of the weights included, even when it is
    NaN or infinite.

    Source: Bahdanau et al. 2015.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def hard_attention(
    weights: Float[Tensor, "batch keys"],
    values: Float[Tensor, "batch keys d"],
    generator: torch.Generator,
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch"]]:
    """Look at one key a row, drawn with the probabilities `weights` -> (context, log_prob).

    i ~ weights[b], context[b] = values[b, i], log_prob[b] = log weights[b, i].

    Every row of `weights` sums to 1; rows are drawn independently; a key of weight 0 is never drawn.
    All randomness comes from `generator`: the same state gives the same draw, and the global random state
    is left alone. The draw itself has no gradient: `log_prob` is differentiable in `weights` (that is what
    REINFORCE needs), `context` only in `values`.

    Source: Xu et al. 2015, section 4.1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def luong_scores(
    query: Float[Tensor, "batch query_size"],
    keys: Float[Tensor, "batch keys key_size"],
    kind: str,
    w: Float[Tensor, "_ _"] | None = None,
    v: Float[Tensor, "attention_size"] | None = None,
) -> Float[Tensor, "batch keys"]:
    """Score every key in one of Luong's three ways; no softmax yet.

    "dot":      q · k_j                  (query_size equals key_size; no parameters)
    "general":  qᵀ w k_j                 w (query_size, key_size)
    "concat":   v · tanh(w [q; k_j])     w (attention_size, query_size + key_size), v (attention_size,)

    Another `kind` is a ValueError that names `kind` and its value.

    Trap: in "general", w lies the other way round than a weight of `nn.Linear` from query to key.

    Source: Luong et al. 2015, section 3.1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def local_attention(
    query: Float[Tensor, "batch d"],
    keys: Float[Tensor, "batch keys d"],
    centre: Float[Tensor, "batch"] | Int[Tensor, "batch"],
    window: float,
    mask: Bool[Tensor, "#batch #keys"] | None = None,
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch keys"]]:
    """Attend near a position, and more to what is nearer to it -> (context, weights).

    Key s is kept where |s - centre| <= window (and `mask`, if given, is True), s counting from 0.
    weights_s = softmax(q · k) over the kept keys, times exp(-(s - centre)² / (2σ²)) with σ = window / 2;
    context = Σ_s weights_s k_s.

    The weights are **not** renormalised after the Gaussian, so they sum to less than 1.
    `centre` may be float, also between two keys or outside the sequence, or int; a float one is
    differentiable, through the Gaussian. The results have the dtype of `keys`, whatever that of `centre`.
    A row that keeps no key gets zeros, not NaN; a key that is not kept reaches neither result nor
    gradient, even when it is NaN or infinite.
    `window <= 0` is a ValueError that names `window` and its value.

    Source: Luong et al. 2015, section 3.2 (local-p, with the dot score).
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch queries d"],
    k: Float[Tensor, "*batch keys d"],
    v: Float[Tensor, "*batch keys d_v"],
    mask: Bool[Tensor, "*#batch #queries #keys"] | None = None,
) -> tuple[Float[Tensor, "*batch queries d_v"], Float[Tensor, "*batch queries keys"]]:
    """Look every query up in a soft dictionary of keys and values -> (output, weights).

    weights = softmax(q kᵀ / √d) over the keys, output = weights v.

    `mask` is True where a query may attend, and broadcasts to (…, queries, keys): (keys,), (1, keys),
    (queries, keys) and (…, 1, keys) are all welcome. `*batch` is any number of leading dimensions, none too.
    A query that may attend to nothing gets an output and weights of zeros, not NaN.
    A key masked for a query cannot affect that query's output, weights and gradient, whatever `k` and `v`
    hold there and whatever other queries see of it; a key masked for all gets a gradient of 0.

    Traps: 0 · NaN is NaN, so a weight of 0 alone does not silence a NaN, neither in `weights v` nor, for
    a NaN in `k`, in the gradient of `q`. d is the size of a key, not of a value.

    Source: Vaswani et al. 2017, equation 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
