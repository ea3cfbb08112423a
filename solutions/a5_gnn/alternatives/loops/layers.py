"""Message passing, one edge or one node at a time."""

import math

import torch
from aggregate import edge_softmax, scatter_sum
from graphs import add_self_loops, gcn_norm_list
from torch import nn


def random_weight(*shape):
    bound = math.sqrt(6 / (shape[-2] + shape[-1]))
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class NeighbourMeanLayer(nn.Module):
    def __init__(self, in_size, out_size):
        super().__init__()
        self.w_self = random_weight(out_size, in_size)
        self.w_nbr = random_weight(out_size, in_size)
        self.bias = nn.Parameter(torch.zeros(out_size))

    def forward(self, x, edge_index):
        nodes = x.unbind(0)
        incoming = {}
        for source, target in zip(*edge_index.tolist(), strict=True):
            incoming.setdefault(target, []).append(nodes[source])

        outputs = []
        for i, node in enumerate(nodes):
            out = self.w_self @ node + self.bias
            if i in incoming:
                out = out + self.w_nbr @ torch.stack(incoming[i]).mean(0)
            outputs.append(out)
        if not outputs:
            return x @ self.w_self.T + self.bias
        return torch.stack(outputs)


class GCNLayer(nn.Module):
    def __init__(self, in_size, out_size):
        super().__init__()
        self.w = random_weight(out_size, in_size)
        self.bias = nn.Parameter(torch.zeros(out_size))

    def forward(self, x, edge_index):
        n = x.shape[0]
        edge_index = add_self_loops(edge_index, n)
        norm = torch.tensor(gcn_norm_list(edge_index, n), dtype=x.dtype, device=x.device)
        h = x @ self.w.T
        source, target = edge_index
        return scatter_sum(norm[:, None] * h[source], target, n) + self.bias


def gcn_dense(x, adj, w):
    n = x.shape[0]
    h = x @ w.T
    rows = []
    for i in range(n):
        row = adj[i].to(x.dtype)
        rows.append(torch.cat([row[:i], row.new_ones(1), row[i + 1 :]]))

    roots = [row.sum().sqrt() for row in rows]
    outputs = []
    for i in range(n):
        norm = torch.stack([rows[i][j] / (roots[i] * roots[j]) for j in range(n)])
        outputs.append(norm @ h)
    return torch.stack(outputs) if outputs else h


class GATLayer(nn.Module):
    def __init__(self, in_size, out_size, heads=1, concat=True, negative_slope=0.2):
        super().__init__()
        if heads < 1:
            raise ValueError(f"heads must be at least 1, got heads={heads}")
        self.out_size = out_size
        self.heads = heads
        self.concat = concat
        self.negative_slope = negative_slope
        self.w = random_weight(heads * out_size, in_size)
        self.att_src = random_weight(heads, out_size)
        self.att_dst = random_weight(heads, out_size)
        self.bias = nn.Parameter(torch.zeros(heads * out_size if concat else out_size))

    def forward(self, x, edge_index, return_weights=False):
        n = x.shape[0]
        edge_index = add_self_loops(edge_index, n)
        source, target = edge_index

        features, scores = [], []
        for head in range(self.heads):
            mine = slice(head * self.out_size, (head + 1) * self.out_size)
            h = x @ self.w[mine].T
            score = (h @ self.att_src[head])[source] + (h @ self.att_dst[head])[target]
            features.append(h)
            scores.append(torch.where(score > 0, score, self.negative_slope * score))
        weights = edge_softmax(torch.stack(scores, dim=1), target, n)

        outputs = []
        for head in range(self.heads):
            outputs.append(weights[:, head, None] * features[head][source])
        # all heads are summed over the edges at once, side by side
        out = scatter_sum(torch.cat(outputs, dim=1), target, n)
        if not self.concat:
            out = sum(out.split(self.out_size, dim=1)) / self.heads
        out = out + self.bias
        if return_weights:
            return out, (edge_index, weights)
        return out


class EdgeMessageLayer(nn.Module):
    def __init__(self, node_size, edge_size, hidden):
        super().__init__()
        self.edge_net = nn.Sequential(nn.Linear(2 * node_size + edge_size, hidden), nn.ReLU())
        self.node_net = nn.Sequential(nn.Linear(node_size + hidden, hidden), nn.ReLU())

    def forward(self, x, edge_index, edge_attr):
        nodes = x.unbind(0)
        inputs = []
        for source, target, e in zip(*edge_index.tolist(), edge_attr.unbind(0), strict=True):
            inputs.append(torch.cat([nodes[source], nodes[target], e]))
        size = 2 * x.shape[1] + edge_attr.shape[1]
        new_edges = self.edge_net(torch.stack(inputs) if inputs else x.new_zeros(0, size))
        received = scatter_sum(new_edges, edge_index[1], len(nodes))
        new_nodes = self.node_net(torch.cat([x, received], dim=1))
        return new_nodes, new_edges


def sample_neighbours(edge_index, n, fanout, generator):
    if fanout < 1:
        raise ValueError(f"fanout must be at least 1, got fanout={fanout}")
    incoming = [[] for _ in range(n)]
    for source, target in zip(*edge_index.tolist(), strict=True):
        incoming[target].append(source)

    sources, targets = [], []
    for node in range(n):
        candidates = incoming[node]
        if len(candidates) > fanout:
            order = torch.randperm(len(candidates), generator=generator, device=edge_index.device)
            candidates = [candidates[i] for i in order[:fanout].tolist()]
        for source in candidates:
            sources.append(source)
            targets.append(node)
    return torch.tensor([sources, targets], dtype=torch.int64, device=edge_index.device)
