"""Two kinds of graphs that differ in nothing but who is joined to whom: a task for `GraphClassifier`.

The nodes have one of two colours, as many of the one as of the other. In graphs of class 1 most edges join
equal colours (homophily), in those of class 0 most join different ones. Sizes and numbers of edges are the
same in both, so nodes without edges tell nothing, nor do edges without colours. The check trains your model,
`GraphClassifier(2, HIDDEN_SIZE, 2)`, on `coloured_graphs("train")`, with all graphs at each of `STEPS` steps,
by cross-entropy and Adam with `LR`, and tests it on `coloured_graphs("test")`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

NODES = (10, 12, 14, 16)  # a graph of n nodes has 2n edges
SHARE = 0.8  # of the edges join equal colours in class 1, and different ones in class 0
GRAPHS = {"train": 64, "test": 200}

HIDDEN_SIZE = 16
LR = 0.02
STEPS = 50


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """Several graphs as one, without edges between them, and a class each."""

    x: Tensor  # (N, F) float32
    edge_index: Tensor  # (2, E) int64, each edge in both directions
    batch: Tensor  # (N,) int64: which graph a node belongs to
    n_graphs: int
    y: Tensor  # (n_graphs,) int64


@cache
def coloured_graphs(split: Literal["train", "test"]) -> GraphBatch:
    """The graphs of a split in one batch, the same at every call; `x` is the colour of a node, one-hot."""
    generator = torch.Generator().manual_seed(list(GRAPHS).index(split))
    colours, edges, batch, first = [], [], [], 0
    for graph in range(GRAPHS[split]):
        n = NODES[graph // 2 % len(NODES)]
        colour = torch.randperm(n, generator=generator) % 2
        colours.append(colour)
        edges.append(first + coloured_edges(colour, equal=graph % 2 == 1, generator=generator))
        batch.append(torch.full((n,), graph))
        first += n
    bonds = torch.cat(edges, dim=1)
    return GraphBatch(
        x=torch.eye(2)[torch.cat(colours)],
        edge_index=torch.cat([bonds, bonds.flip(0)], dim=1),
        batch=torch.cat(batch),
        n_graphs=GRAPHS[split],
        y=torch.arange(GRAPHS[split]) % 2,
    )


def coloured_edges(colour: Tensor, equal: bool, generator: torch.Generator) -> Tensor:
    """2n different edges (2, 2n), each in one direction, of which `SHARE` join equal colours, or do not."""
    n_edges = 2 * len(colour)
    many = round(SHARE * n_edges)
    pairs = torch.combinations(torch.arange(len(colour))).T
    is_equal = colour[pairs[0]] == colour[pairs[1]]
    drawn = []
    for kind, count in ((is_equal == equal, many), (is_equal != equal, n_edges - many)):
        those = pairs[:, kind]
        drawn.append(those[:, torch.randperm(those.shape[1], generator=generator)[:count]])
    return torch.cat(drawn, dim=1)
