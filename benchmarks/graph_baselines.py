"""The solution of a5_gnn beside what simpler models reach on the same bundled graphs.

    python benchmarks/graph_baselines.py [--seeds 3]

Prints, least to greatest over the seeds: test accuracies on WordNet's nouns, of a network without the graph,
of labels spread along the edges without the features, of GCN and of GAT; areas under the ROC curve of edges
held out from that graph; and accuracies on MUTAG's molecules in ten-fold cross-validation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assignments.a5_gnn import wordnet
from assignments.a5_gnn.learning import LINKS, WORDNET, area_under_curve, link_task, share_of_nodes
from assignments.a5_gnn.molecules import ATOMS, MOLECULES, MoleculeBatch, molecule_batch
from benchmarks.solution import over_seeds, row, solution_module

FOLDS = 10
MOLECULE_STEPS = 200
ROUNDS = (2, 10, 50, 200)  # of label propagation


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    with solution_module("a5_gnn", "models") as models:
        print(f"nouns: {WORDNET.measure}, {WORDNET.required:g} to pass")
        row("MLP, features alone", over_seeds(partial(nouns, models, MLP), seeds))
        for rounds in ROUNDS:
            row(f"label propagation, {rounds} rounds", [label_propagation(rounds)])
        row("GCN", over_seeds(partial(WORDNET.learn, models), seeds))
        row("GAT", over_seeds(partial(nouns, models, partial(gat, models)), seeds))
        print(f"links: {LINKS.measure}, {LINKS.required:g} to pass")
        row("common words", [common_words()])
        row("paths of 2 to 4 edges", [short_paths()])
        row("auto-encoder", over_seeds(partial(LINKS.learn, models), seeds))
        print(f"molecules: accuracy, mean of {FOLDS} folds, not graded")
        row("always mutagenic", [float(molecule_batch().y.double().mean())])
        row("atom counts, logistic regr.", over_seeds(partial(folds, atom_counts), seeds))
        row("GraphClassifier", over_seeds(partial(folds, partial(classify_molecules, models)), seeds))


def nouns(models: Any, make: Callable[[int, int], nn.Module]) -> float:
    """Another model than GCN, trained as the check trains it."""
    graph = wordnet.wordnet_graph()
    model = make(graph.x.shape[1], len(wordnet.TOPICS))
    return share_of_nodes(models, model, graph, wordnet.LR, wordnet.WEIGHT_DECAY, wordnet.STEPS)


class MLP(nn.Module):
    """GCN without its edges: every node by itself."""

    def __init__(self, in_size: int, n_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(wordnet.DROPOUT),
            nn.Linear(in_size, wordnet.HIDDEN_SIZE),
            nn.ReLU(),
            nn.Dropout(wordnet.DROPOUT),
            nn.Linear(wordnet.HIDDEN_SIZE, n_classes),
        )

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layers(x)


def gat(models: Any, in_size: int, n_classes: int) -> nn.Module:
    """As many hidden features as GCN in all, in four heads."""
    return models.GAT(in_size, wordnet.HIDDEN_SIZE // 4, 4, n_classes, wordnet.DROPOUT)


def label_propagation(rounds: int) -> float:
    """Labels handed on along the edges (Zhou et al. 2004); what the neighbours say counts 0.9."""
    from torch_geometric.nn import LabelPropagation

    graph = wordnet.wordnet_graph()
    spread = LabelPropagation(rounds, alpha=0.9)(graph.y, graph.edge_index, mask=graph.train_mask)
    return wordnet.accuracy(spread, graph.y, graph.test_mask)


def common_words() -> float:
    x = wordnet.wordnet_graph().x
    return area(x @ x.T)


def short_paths() -> float:
    """Paths between two nodes, each further edge counting a tenth (the index of Katz 1953, cut off)."""
    n, (source, target) = len(wordnet.wordnet_graph().x), link_task().edge_index
    adjacency = torch.zeros(n, n).index_put((source, target), torch.ones(()), accumulate=True)
    two = adjacency @ adjacency
    return area(two + two @ adjacency / 10 + two @ two / 100)


def area(scores: Tensor) -> float:
    """Of `scores` (N, N) between all nodes, on the pairs that the check asks for."""
    task = link_task()
    return area_under_curve(scores[tuple(task.held_out)], scores[tuple(task.held_out_negatives)])


def folds(learn: Callable[[MoleculeBatch, MoleculeBatch], int]) -> float:
    """The share of the molecules that `learn(train, test)` gets right while they are held out."""
    right = 0
    for held_out in torch.randperm(MOLECULES).chunk(FOLDS):
        rest = sorted(set(range(MOLECULES)) - set(held_out.tolist()))
        right += learn(molecule_batch(rest), molecule_batch(held_out.tolist()))
    return right / MOLECULES


def atom_counts(train: MoleculeBatch, test: MoleculeBatch) -> int:
    from sklearn.linear_model import LogisticRegression

    def counts(molecules: MoleculeBatch) -> Tensor:
        return torch.zeros(molecules.n_graphs, len(ATOMS)).index_add(0, molecules.batch, molecules.x)

    model = LogisticRegression(max_iter=1000).fit(counts(train).numpy(), train.y.numpy())
    return int((model.predict(counts(test).numpy()) == test.y.numpy()).sum())


def classify_molecules(models: Any, train: MoleculeBatch, test: MoleculeBatch) -> int:
    model = models.GraphClassifier(len(ATOMS), 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(MOLECULE_STEPS):
        optimizer.zero_grad()
        logits = model(train.x, train.edge_index, train.batch, train.n_graphs)
        F.cross_entropy(logits, train.y).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(test.x, test.edge_index, test.batch, test.n_graphs)
    return int((logits.argmax(dim=1) == test.y).sum())


if __name__ == "__main__":
    main()
