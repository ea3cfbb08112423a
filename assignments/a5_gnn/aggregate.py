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
    # YOUR CODE HERE
    raise NotImplementedError()


def scatter_mean(
    src: Float[Tensor, "edges *features"], index: Int[Tensor, "edges"], n: int
) -> Float[Tensor, "n *features"]:
    """Average the messages of every node: their sum divided by their number.

    A node without messages gets 0, not NaN.

    Trap: count in integers. A bfloat16 that counts by ones stops at 256.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()
