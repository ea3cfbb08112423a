"""What this unit's models are to learn: from few labels, from edges alone, and of whole graphs."""

from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from assignments.a5_gnn import homophily, karate, wordnet
from autograder.checks import LearningTask, assert_shape


def share_of_club(student: Any) -> float:
    """Trains on the two leaders of `karate.py`; the share of the other 32 people put on the right side."""
    club = karate.karate_club()
    model = student.GCN(club.x.shape[1], karate.HIDDEN_SIZE, 2, karate.DROPOUT)
    return share_of_nodes(student, model, club, karate.LR, karate.WEIGHT_DECAY, karate.STEPS)


def share_of_nouns(student: Any) -> float:
    """Trains on `wordnet.py` with its sizes and steps; the share of the 1000 test nouns classed right."""
    graph = wordnet.wordnet_graph()
    model = student.GCN(graph.x.shape[1], wordnet.HIDDEN_SIZE, len(wordnet.TOPICS), wordnet.DROPOUT)
    return share_of_nodes(student, model, graph, wordnet.LR, wordnet.WEIGHT_DECAY, wordnet.STEPS)


def share_of_nodes(
    student: Any, model: Any, graph: wordnet.NodeGraph, lr: float, weight_decay: float, steps: int
) -> float:
    """Trains `model` on the training nodes; the share of the test nodes whose class it then finds."""
    # The other labels stay here: a loss over the wrong nodes learns zeros, and nobody can copy the answers.
    labels = graph.y.masked_fill(~graph.train_mask, 0)
    student.train_nodes(model, graph.x, graph.edge_index, labels, graph.train_mask, lr, weight_decay, steps)
    with torch.no_grad():
        logits = model.eval()(graph.x, graph.edge_index)
    n_classes = int(graph.y.max()) + 1
    assert_shape(logits, (len(graph.x), n_classes), what="logits", dims="nodes n_classes")
    return wordnet.accuracy(logits, graph.y, graph.test_mask)


LINK_HIDDEN_SIZE = 64
LINK_LATENT_SIZE = 32
LINK_LR = 0.02
LINK_STEPS = 40
HELD_OUT = 0.1


class LinkTask(NamedTuple):
    """A graph of which some edges are held out, and as many pairs (of every kind) that are not edges."""

    edge_index: Tensor  # (2, E), both directions of each edge that is left
    negatives: Tensor  # (LINK_STEPS, 2, E): other pairs at every step, or a model learns them by heart
    held_out: Tensor  # (2, H)
    held_out_negatives: Tensor  # (2, 10 H)


@cache
def link_task() -> LinkTask:
    """The WordNet graph without a tenth of its edges, the same at every call."""
    graph = wordnet.wordnet_graph()
    n, edges = len(graph.x), graph.edge_index[:, : graph.edge_index.shape[1] // 2]
    generator = torch.Generator().manual_seed(0)
    edges = edges[:, torch.randperm(edges.shape[1], generator=generator)]
    held_out, kept = edges.tensor_split([round(HELD_OUT * edges.shape[1])], dim=1)
    # Nearly all pairs of nodes are no edges: the few in a thousand that are do no harm among the negatives.
    pairs = torch.randint(n, (LINK_STEPS, 2, 2 * kept.shape[1]), generator=generator)
    others = torch.randint(n, (2, 10 * held_out.shape[1]), generator=generator)
    return LinkTask(torch.cat([kept, kept.flip(0)], dim=1), pairs, held_out, others)


def area_under_links(student: Any) -> float:
    """Trains an auto-encoder on nine tenths of WordNet's edges; how well it tells the rest from non-edges."""
    x = wordnet.wordnet_graph().x
    task = link_task()
    model = student.GraphAutoEncoder(x.shape[1], LINK_HIDDEN_SIZE, LINK_LATENT_SIZE)
    optimizer = torch.optim.Adam(model.parameters(), lr=LINK_LR)
    model.train()
    for negative in task.negatives:
        optimizer.zero_grad()
        model.loss(x, task.edge_index, negative).backward()
        optimizer.step()
    with torch.no_grad():
        z = model.eval().encode(x, task.edge_index)
        edges, others = model.decode(z, task.held_out), model.decode(z, task.held_out_negatives)
    assert_shape(edges, task.held_out.shape[1:], what="probabilities", dims="edges")
    assert_shape(others, task.held_out_negatives.shape[1:], what="probabilities", dims="edges")
    return area_under_curve(edges, others)


def area_under_curve(positive: Tensor, negative: Tensor) -> float:
    """Under the ROC curve: the chance that a positive scores above a negative; ties count half."""
    higher = positive[:, None] > negative
    equal = positive[:, None] == negative
    return (higher.double() + equal.double() / 2).mean().item()


def share_of_graphs(student: Any) -> float:
    """Trains on `homophily.py` with its sizes and steps; the share of the 200 test graphs told apart."""
    train, test = homophily.coloured_graphs("train"), homophily.coloured_graphs("test")
    model = student.GraphClassifier(train.x.shape[1], homophily.HIDDEN_SIZE, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=homophily.LR)
    model.train()
    for _ in range(homophily.STEPS):
        optimizer.zero_grad()
        logits = model(train.x, train.edge_index, train.batch, train.n_graphs)
        F.cross_entropy(logits, train.y).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model.eval()(test.x, test.edge_index, test.batch, test.n_graphs)
    assert_shape(logits, (test.n_graphs, 2), what="logits", dims="n_graphs n_classes")
    return (logits.argmax(dim=1) == test.y).double().mean().item()


KARATE = LearningTask(
    name="karate",
    exercise="train_nodes",
    module="models",
    measure="share of the karate club's 32 other members put on the right side",
    required=0.9,
    learn=share_of_club,
)
WORDNET = LearningTask(
    name="wordnet",
    exercise="train_nodes",
    module="models",
    measure="share of 1000 test nouns put under the right topic",
    required=0.76,
    learn=share_of_nouns,
)
LINKS = LearningTask(
    name="links",
    exercise="GraphAutoEncoder",
    module="models",
    measure="area under the ROC curve, held-out edges against pairs without one",
    required=0.75,
    learn=area_under_links,
)
HOMOPHILY = LearningTask(
    name="homophily",
    exercise="GraphClassifier",
    module="models",
    measure="share of 200 test graphs told apart by which colours their edges join",
    required=0.9,
    learn=share_of_graphs,
)
TASKS = (KARATE, WORDNET, LINKS, HOMOPHILY)
