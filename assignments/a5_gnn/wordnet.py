"""Nouns of WordNet as a graph: the task that `GCN` and `train_nodes` are graded on.

A node is a noun in one of its meanings, its features are the words of its definition, its edges lead to what
it is a kind, a part or a member of, and its class is one of seven topics. Only 20 nodes a class have a label
to train on. The check builds, trains and tests your model with the constants below, so this file is also the
place to try it out:

    graph = wordnet_graph()
    model = GCN(graph.x.shape[1], HIDDEN_SIZE, len(TOPICS), DROPOUT)
    train_nodes(model, graph.x, graph.edge_index, graph.y, graph.train_mask, LR, WEIGHT_DECAY, STEPS)
    accuracy(model.eval()(graph.x, graph.edge_index), graph.y, graph.test_mask)

(The check itself hands out the labels of the training nodes only: the others read 0.)
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

TOPICS = ("animal", "body", "food", "location", "person", "possession", "substance")

HIDDEN_SIZE = 16
DROPOUT = 0.5
LR = 0.05
WEIGHT_DECAY = 5e-3
STEPS = 60

DATA = Path(__file__).resolve().parents[2] / "data" / "wordnet.tsv"


@dataclass(frozen=True, eq=False)
class NodeGraph:
    """A graph whose nodes have features, and a class each."""

    x: Tensor  # (N, F) float32
    edge_index: Tensor  # (2, E) int64, each edge in both directions
    y: Tensor  # (N,) int64
    train_mask: Tensor  # (N,) bool: whose class may be used to train
    val_mask: Tensor  # (N,) bool: whose class may be used to choose settings
    test_mask: Tensor  # (N,) bool
    names: tuple[str, ...]  # N, for people


@cache
def wordnet_graph() -> NodeGraph:
    """The graph of `data/wordnet.tsv`: 1400 nodes, of which 140 train, 260 validate and 1000 test.

    A row of `x` gives the words of a definition equal shares, which sum to 1, or to 0 where it has none of
    the 380 that count. Columns are in the words' alphabetical order.
    """
    rows = [line.split("\t") for line in DATA.read_text(encoding="utf-8").splitlines()]
    splits, topics, nouns, definitions, neighbours = zip(*rows, strict=True)
    vocabulary = sorted({word for definition in definitions for word in definition.split()})
    column = {word: j for j, word in enumerate(vocabulary)}
    x = torch.zeros(len(rows), len(vocabulary))
    for i, definition in enumerate(definitions):
        words = definition.split()
        for word in words:
            x[i, column[word]] = 1 / len(words)
    edges = torch.tensor([(i, int(j)) for i, line in enumerate(neighbours) for j in line.split()]).T
    return NodeGraph(
        x=x,
        edge_index=torch.cat([edges, edges.flip(0)], dim=1),
        y=torch.tensor([TOPICS.index(topic) for topic in topics]),
        train_mask=torch.tensor([split == "train" for split in splits]),
        val_mask=torch.tensor([split == "val" for split in splits]),
        test_mask=torch.tensor([split == "test" for split in splits]),
        names=nouns,
    )


def accuracy(logits: Tensor, y: Tensor, mask: Tensor) -> float:
    """The share of the nodes in `mask` whose class `y` (N,) has the greatest of their `logits` (N, C)."""
    return (logits.argmax(dim=1) == y)[mask].float().mean().item()
