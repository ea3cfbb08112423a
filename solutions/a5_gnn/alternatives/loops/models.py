"""Networks for nodes, for whole graphs and for links."""

import torch
import torch.nn.functional as F
from layers import GATLayer, GCNLayer
from torch import nn


class GCN(nn.Module):
    def __init__(self, in_size, hidden, n_classes, dropout):
        super().__init__()
        self.layer1 = GCNLayer(in_size, hidden)
        self.layer2 = GCNLayer(hidden, n_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, edge_index):
        h = torch.relu(self.layer1(x, edge_index))
        return self.layer2(self.dropout(h), edge_index)


class GAT(nn.Module):
    def __init__(self, in_size, hidden, heads, n_classes, dropout):
        super().__init__()
        self.layer1 = GATLayer(in_size, hidden, heads=heads)
        self.layer2 = GATLayer(hidden * heads, n_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, edge_index):
        h = F.elu(self.layer1(x, edge_index))
        return self.layer2(self.dropout(h), edge_index)


def global_pool(x, batch, n_graphs, kind):
    if kind not in ("sum", "mean", "max"):
        raise ValueError(f"kind must be 'sum', 'mean' or 'max', got {kind!r}")
    members = [[] for _ in range(n_graphs)]
    for row, graph in zip(x.unbind(0), batch.tolist(), strict=True):
        members[graph].append(row)

    pooled = []
    for rows in members:
        if not rows:
            pooled.append(x.new_zeros(x.shape[1:]))
        elif kind == "sum":
            pooled.append(torch.stack(rows).sum(0))
        elif kind == "mean":
            pooled.append(torch.stack(rows).mean(0))
        else:
            pooled.append(torch.stack(rows).max(dim=0).values)
    if not pooled:
        return x.new_zeros(0, *x.shape[1:])
    return torch.stack(pooled)


class GraphClassifier(nn.Module):
    def __init__(self, in_size, hidden, n_classes):
        super().__init__()
        self.layer1 = GCNLayer(in_size, hidden)
        self.layer2 = GCNLayer(hidden, hidden)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x, edge_index, batch, n_graphs):
        h = torch.relu(self.layer1(x, edge_index))
        h = torch.relu(self.layer2(h, edge_index))
        return self.head(global_pool(h, batch, n_graphs, "mean"))


def link_scores(z, edge_index):
    source, target = edge_index
    scores = z.new_zeros(edge_index.shape[1])
    for column in z.unbind(1):
        scores = scores + column[source] * column[target]
    return scores


def negative_edges(edge_index, n, count, generator):
    taken = set()
    for source, target in zip(*edge_index.tolist(), strict=True):
        if source != target:
            taken.add((source, target))
    left = n * (n - 1) - len(taken)
    if count > left:
        raise ValueError(f"count={count}, but only {left} pairs are left")
    if count < 0:
        raise ValueError(f"count={count} is negative")

    chosen = []
    if count > left / 2:
        # few would be hit by chance: list them all
        free = []
        for source in range(n):
            for target in range(n):
                if source != target and (source, target) not in taken:
                    free.append((source, target))
        order = torch.randperm(len(free), generator=generator, device=edge_index.device)
        chosen = [free[i] for i in order[:count].tolist()]
    else:
        while len(chosen) < count:
            draws = torch.randint(n, (count, 2), generator=generator, device=edge_index.device)
            for source, target in draws.tolist():
                pair = (source, target)
                if source == target or pair in taken or len(chosen) == count:
                    continue
                taken.add(pair)
                chosen.append(pair)
    return torch.tensor(chosen, dtype=torch.int64, device=edge_index.device).reshape(-1, 2).T


class GraphAutoEncoder(nn.Module):
    def __init__(self, in_size, hidden, latent, variational=False):
        super().__init__()
        self.variational = variational
        self.layer1 = GCNLayer(in_size, hidden)
        self.mean = GCNLayer(hidden, latent)
        if variational:
            self.log_var = GCNLayer(hidden, latent)

    def posterior(self, x, edge_index):
        h = torch.relu(self.layer1(x, edge_index))
        mean = self.mean(h, edge_index)
        if not self.variational:
            return mean, None
        return mean, self.log_var(h, edge_index)

    def sample(self, mean, log_var):
        if self.variational and self.training:
            return mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return mean

    def encode(self, x, edge_index):
        mean, log_var = self.posterior(x, edge_index)
        return self.sample(mean, log_var)

    def decode(self, z, edge_index):
        return torch.sigmoid(link_scores(z, edge_index))

    def loss(self, x, edge_index, negative):
        mean, log_var = self.posterior(x, edge_index)
        z = self.sample(mean, log_var)
        # -log sigmoid(s) for an edge, -log(1 - sigmoid(s)) = -log sigmoid(-s) for a non-edge
        terms = -torch.cat(
            [F.logsigmoid(link_scores(z, edge_index)), F.logsigmoid(-link_scores(z, negative))]
        )
        loss = terms.mean()
        if self.variational:
            kl = 0.5 * (torch.exp(log_var) + mean**2 - 1 - log_var)
            loss = loss + kl.sum() / x.shape[0]
        return loss


def train_nodes(model, x, edge_index, y, train_mask, lr, weight_decay, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    model.train()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        logits = model(x, edge_index)
        loss = F.cross_entropy(logits[train_mask], y[train_mask])
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses
