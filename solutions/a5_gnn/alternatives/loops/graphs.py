"""Graphs as lists of edges: everything is counted by hand."""

import math

import torch


def as_pairs(edge_index):
    """[(source, target), ...]"""
    sources, targets = edge_index.tolist()
    return list(zip(sources, targets, strict=True))


def as_edge_index(pairs, device):
    sources = [source for source, _ in pairs]
    targets = [target for _, target in pairs]
    return torch.tensor([sources, targets], dtype=torch.int64, device=device)


def to_edge_index(adj):
    pairs = []
    for target, row in enumerate(adj.tolist()):
        for source, k in enumerate(row):
            for _ in range(int(k)):
                pairs.append((source, target))
    return as_edge_index(pairs, adj.device)


def to_adjacency(edge_index, n):
    adj = torch.zeros(n, n, dtype=torch.int64, device=edge_index.device)
    for source, target in as_pairs(edge_index):
        adj[target, source] += 1
    return adj


def add_self_loops(edge_index, n):
    pairs = []
    for source, target in as_pairs(edge_index):
        if source != target:
            pairs.append((source, target))
    for node in range(n):
        pairs.append((node, node))
    return as_edge_index(pairs, edge_index.device)


def in_degree(edge_index, n):
    degrees = [0] * n
    for _, target in as_pairs(edge_index):
        degrees[target] += 1
    return torch.tensor(degrees, dtype=torch.int64, device=edge_index.device)


def gcn_norm_list(edge_index, n):
    """The weights as Python floats, so that a layer can put them into any dtype."""
    degrees = in_degree(edge_index, n).tolist()
    weights = []
    for source, target in as_pairs(edge_index):
        product = degrees[source] * degrees[target]
        if product == 0:
            weights.append(0.0)
        else:
            weights.append(1 / math.sqrt(product))
    return weights


def gcn_norm(edge_index, n):
    weights = gcn_norm_list(edge_index, n)
    return torch.tensor(weights, dtype=torch.get_default_dtype(), device=edge_index.device)
