"""What happens when a plain network reads an adjacency matrix."""

import torch
from torch import nn


class MLPOnAdjacency(nn.Module):
    def __init__(self, n, hidden, n_classes):
        super().__init__()
        self.hidden = nn.Linear(n * n, hidden)
        self.out = nn.Linear(hidden, n_classes)

    def forward(self, adj):
        flat = adj.reshape(adj.shape[0], -1).to(self.hidden.weight.dtype)
        return self.out(torch.tanh(self.hidden(flat)))


def permutation_gap(model, adj, perm):
    order = perm.tolist()
    renamed = torch.zeros_like(adj)
    for i, old_i in enumerate(order):
        for j, old_j in enumerate(order):
            renamed[:, i, j] = adj[:, old_i, old_j]
    with torch.no_grad():
        difference = model(adj) - model(renamed)
    return difference.abs().max().item()
