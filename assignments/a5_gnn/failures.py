"""Why a plain network on an adjacency matrix fails: it learns the numbering of the nodes with the graph."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class MLPOnAdjacency(nn.Module):
    """The naive network: write the adjacency matrix out as one long vector and classify that.

    logits = v relu(w flatten(adj) + b) + c

    Every entry of the matrix has weights of its own, so the same graph with its nodes numbered otherwise is
    another input and gets another answer: the model is **not** permutation invariant, and is not meant to be.
    """

    def __init__(self, n: int, hidden: int, n_classes: int) -> None:
        """Take graphs of exactly `n` nodes; one hidden layer of `hidden` units. Parameter names are free."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, adj: Float[Tensor, "batch n n"] | Int[Tensor, "batch n n"]
    ) -> Float[Tensor, "batch n_classes"]:
        """Score the classes of every graph of the batch.

        An int64 `adj`, as `to_adjacency` makes it, is as welcome as a float one: the result has the dtype
        of the parameters. Every entry of a graph's matrix takes part, and no other graph of the batch does.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def permutation_gap(
    model: Callable[[Tensor], Tensor], adj: Tensor, perm: Int[Tensor, "n"]
) -> float | Float[Tensor, ""]:
    """Renumber the nodes of a batch of graphs and measure how far the model's answer moves.

    gap = max |model(adj) - model(adj')|, adj'[b, i, j] = adj[b, perm[i], perm[j]], over the whole batch and
    all outputs; a float or a 0-d tensor.

    `adj` is (batch, n, n) and `perm` a permutation of 0..n-1. A model that sees graphs, and not numberings,
    has a gap of 0. `model` is any callable that takes a batch of adjacency matrices.

    Trap: rows and columns are renumbered together; `adj[:, perm]` alone is another graph.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
