"""Edge lists and matrices, without a loop."""

import torch
from segments import Segments
from torch import Tensor


def to_edge_index(adj: Tensor) -> Tensor:
    # nonzero gives (row, column), which is (target, source)
    target, source = adj.nonzero(as_tuple=True)
    edges = torch.stack((source, target))
    return edges.repeat_interleave(adj[target, source].long(), dim=1)


def to_adjacency(edge_index: Tensor, n: int) -> Tensor:
    cells = edge_index[1] * n + edge_index[0]
    return torch.bincount(cells, minlength=n * n).view(n, n)


def add_self_loops(edge_index: Tensor, n: int) -> Tensor:
    source, target = edge_index
    loops = torch.arange(n, device=edge_index.device).expand(2, n)
    return torch.hstack((edge_index[:, source != target], loops))


def in_degree(edge_index: Tensor, n: int) -> Tensor:
    return Segments(edge_index[1], n).sizes


def symmetric_norm(edge_index: Tensor, n: int, dtype: torch.dtype) -> Tensor:
    degree = in_degree(edge_index, n).to(torch.float64)
    scale = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), 0.0)
    return scale[edge_index].prod(dim=0).to(dtype)


def gcn_norm(edge_index: Tensor, n: int) -> Tensor:
    return symmetric_norm(edge_index, n, torch.get_default_dtype())
