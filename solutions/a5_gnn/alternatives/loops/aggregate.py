"""Sum, mean and softmax over the edges that share a target: one bucket a node."""

import torch


def buckets(index, n):
    """A list of n lists: the numbers of the edges that go to each node."""
    edges = [[] for _ in range(n)]
    for edge, node in enumerate(index.tolist()):
        edges[node].append(edge)
    return edges


def split(src, edges):
    """The rows of src, bucket by bucket: one tensor (k, ...) a node."""
    order = [edge for bucket in edges for edge in bucket]
    # one split for all: src[bucket] in a loop would make backward() fill a whole src for every node
    return src[order].split([len(bucket) for bucket in edges])


def scatter_sum(src, index, n):
    if n == 0:
        return src.clone()
    sums = []
    for rows in split(src, buckets(index, n)):
        sums.append(rows.sum(0))
    return torch.stack(sums)


def scatter_mean(src, index, n):
    if n == 0:
        return src.clone()
    means = []
    for rows in split(src, buckets(index, n)):
        means.append(rows.sum(0) / max(len(rows), 1))
    return torch.stack(means)


def edge_softmax(scores, index, n):
    if n == 0:
        return scores.clone()
    edges = buckets(index, n)
    shares = []
    for rows in split(scores, edges):
        shares.append(torch.softmax(rows, dim=0))
    shares = torch.cat(shares)

    # they lie bucket after bucket now: put each back in its edge's place
    position = {}
    for bucket in edges:
        for edge in bucket:
            position[edge] = len(position)
    return shares[[position[edge] for edge in range(len(shares))]]
