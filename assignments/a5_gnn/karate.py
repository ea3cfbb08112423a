"""Zachary's karate club: 34 people, who was friends with whom, and on which side each was when it split.

Only the two leaders, nodes 0 and 33, have a label to train on. The check builds, trains and tests your model
with the constants below, so this file is also the place to try it out:

    club = karate_club()
    model = GCN(34, HIDDEN_SIZE, 2, DROPOUT)
    train_nodes(model, club.x, club.edge_index, club.y, club.train_mask, LR, WEIGHT_DECAY, STEPS)
    accuracy(model.eval()(club.x, club.edge_index), club.y, club.test_mask)

(The check itself hands out the labels of the two leaders only: the others read 0.)

Source: Zachary 1977; the graph is NetworkX's.
"""

from functools import cache

import networkx as nx
import torch

from assignments.a5_gnn.wordnet import NodeGraph

LEADERS = (0, 33)

HIDDEN_SIZE = 32
DROPOUT = 0.0
LR = 0.01
WEIGHT_DECAY = 5e-2
STEPS = 60


@cache
def karate_club() -> NodeGraph:
    """34 people, 78 friendships; `x` is the identity, for nothing is known of a person but the friends."""
    graph = nx.karate_club_graph()
    edges = torch.tensor(list(graph.edges)).T
    train_mask = torch.zeros(len(graph), dtype=torch.bool)
    train_mask[list(LEADERS)] = True
    return NodeGraph(
        x=torch.eye(len(graph)),
        edge_index=torch.cat([edges, edges.flip(0)], dim=1),
        y=torch.tensor([int(side != "Mr. Hi") for _, side in graph.nodes(data="club")]),
        train_mask=train_mask,
        val_mask=torch.zeros_like(train_mask),
        test_mask=~train_mask,
        names=tuple(str(person) for person in graph),
    )
