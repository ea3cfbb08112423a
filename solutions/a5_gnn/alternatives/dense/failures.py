"""The network that reads a graph as a picture."""

import torch
from torch import Tensor, nn


class MLPOnAdjacency(nn.Sequential):
    def __init__(self, n: int, hidden: int, n_classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(n * n, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))

    def forward(self, adj: Tensor) -> Tensor:
        return super().forward(adj.to(self[1].weight.dtype))


def permutation_gap(model: nn.Module, adj: Tensor, perm: Tensor) -> Tensor:
    # P A Pᵀ, where P picks the rows
    p = torch.eye(adj.shape[-1], dtype=torch.float64, device=adj.device)[perm]
    permuted = torch.einsum("is,bst,jt->bij", p, adj.to(p.dtype), p).to(adj.dtype)
    return torch.dist(model(adj), model(permuted), p=float("inf"))
