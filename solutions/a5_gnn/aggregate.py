"""Aggregation: gather what arrives at every node. All of a graph network's sums over neighbours are these.

One row of `src` is one message, usually one edge; `index` says which of the `n` nodes it goes to. Cost is
proportional to the messages and the nodes, never to their product.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def scatter_sum(
    src: Float[Tensor, "edges *features"], index: Int[Tensor, "edges"], n: int
) -> Float[Tensor, "n *features"]:
    """Add up the messages of every node: out[i] = Σ_{e: index[e] = i} src[e].

    Messages have any number of feature dimensions, none too. A node without messages gets 0. The order of
    the messages does not matter.

    Trap: `out[index] += src` keeps only one of several messages to the same node.
    """
    ### BEGIN SOLUTION
    return src.new_zeros(n, *src.shape[1:]).index_add(0, index, src)
    ### END SOLUTION


def scatter_mean(
    src: Float[Tensor, "edges *features"], index: Int[Tensor, "edges"], n: int
) -> Float[Tensor, "n *features"]:
    """Average the messages of every node: their sum divided by their number.

    A node without messages gets 0, not NaN.

    Trap: count in integers. A bfloat16 that counts by ones stops at 256.
    """
    ### BEGIN SOLUTION
    count = torch.bincount(index, minlength=n).clamp(min=1)
    total = scatter_sum(src, index, n)
    return total / count.view(-1, *[1] * (src.dim() - 1))
    ### END SOLUTION


def edge_softmax(
    scores: Float[Tensor, "edges *heads"], index: Int[Tensor, "edges"], n: int
) -> Float[Tensor, "edges *heads"]:
    """Share out a weight of 1 among the edges into each node, for every head on its own.

    weight_e = exp(s_e) / Σ_{e': index[e'] = index[e]} exp(s_e')

    Heads stand in trailing dimensions, any number of them. A lone edge has weight 1. Scores of ±1e4 neither
    overflow nor turn into NaN, also where one node's scores are all 1e4 and another's all -1e4.

    Traps: the largest score to subtract is the one of the *same node*, or a node whose scores are all far
    below another's gets 0/0; and the maximum starts below every score, not at 0.
    """
    ### BEGIN SOLUTION
    shape = (n, *scores.shape[1:])
    rows = index.view(-1, *[1] * (scores.dim() - 1)).expand_as(scores)
    # The shift cancels out, so no gradient needs to pass through it.
    largest = scores.new_zeros(shape).scatter_reduce(0, rows, scores.detach(), "amax", include_self=False)
    exp = (scores - largest[index]).exp()
    return exp / scatter_sum(exp, index, n)[index]
    ### END SOLUTION
