"""Node, graph and link models."""

import torch
from layers import GATLayer, GCNLayer
from segments import Segments
from torch import Tensor, nn
from torch.nn import functional as F


class TwoLayers(nn.Module):
    """Dropout on the input of each of two graph layers."""

    def __init__(self, first: nn.Module, activation: nn.Module, second: nn.Module, dropout: float) -> None:
        super().__init__()
        self.first = first
        self.activation = activation
        self.second = second
        self.dropout = dropout

    def drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, training=self.training)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.activation(self.first(self.drop(x), edge_index))
        return self.second(self.drop(x), edge_index)


class GCN(TwoLayers):
    def __init__(self, in_size: int, hidden: int, n_classes: int, dropout: float) -> None:
        super().__init__(GCNLayer(in_size, hidden), nn.ReLU(), GCNLayer(hidden, n_classes), dropout)


class GAT(TwoLayers):
    def __init__(self, in_size: int, hidden: int, heads: int, n_classes: int, dropout: float) -> None:
        super().__init__(
            GATLayer(in_size, hidden, heads),
            nn.ELU(),
            GATLayer(heads * hidden, n_classes, heads=1, concat=False),
            dropout,
        )


def global_pool(x: Tensor, batch: Tensor, n_graphs: int, kind: str) -> Tensor:
    graphs = Segments(batch, n_graphs)
    pools = {"sum": graphs.sum, "mean": graphs.mean, "max": graphs.max}
    if kind not in pools:
        raise ValueError(f"unknown {kind=}, choose from {', '.join(pools)}")
    return pools[kind](x)


class GraphClassifier(nn.Module):
    """Reads a graph by the sum and the largest of its node states."""

    def __init__(self, in_size: int, hidden: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = TwoLayers(GCNLayer(in_size, hidden), nn.ELU(), GCNLayer(hidden, hidden), 0.0)
        self.readout = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor, n_graphs: int) -> Tensor:
        h = self.encoder(x, edge_index)
        pooled = [global_pool(h, batch, n_graphs, kind) for kind in ("sum", "max")]
        return self.readout(torch.cat(pooled, dim=1))


def link_scores(z: Tensor, edge_index: Tensor) -> Tensor:
    return torch.einsum("ed,ed->e", z[edge_index[0]], z[edge_index[1]])


def negative_edges(edge_index: Tensor, n: int, count: int, generator: torch.Generator) -> Tensor:
    free = ~torch.eye(n, dtype=torch.bool, device=edge_index.device)
    free[edge_index[0], edge_index[1]] = False
    candidates = free.nonzero()
    if not 0 <= count <= len(candidates):
        raise ValueError(f"{count=}, but there are {len(candidates)} pairs to choose from")
    pick = torch.randperm(len(candidates), generator=generator, device=edge_index.device)[:count]
    return candidates[pick].t()


class GraphAutoEncoder(nn.Module):
    def __init__(self, in_size: int, hidden: int, latent: int, variational: bool = False) -> None:
        super().__init__()
        self.variational = variational
        self.shared = GCNLayer(in_size, hidden)
        self.heads = nn.ModuleList(GCNLayer(hidden, latent) for _ in range(2 if variational else 1))

    def distribution(self, x: Tensor, edge_index: Tensor) -> list[Tensor]:
        """[mean], or [mean, log of the standard deviation]."""
        h = self.shared(x, edge_index).relu()
        return [head(h, edge_index) for head in self.heads]

    def draw(self, mean: Tensor, log_std: Tensor | None = None) -> Tensor:
        if log_std is None or not self.training:
            return mean
        return torch.addcmul(mean, torch.randn_like(mean), log_std.exp())

    def encode(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.draw(*self.distribution(x, edge_index))

    def decode(self, z: Tensor, edge_index: Tensor) -> Tensor:
        return link_scores(z, edge_index).sigmoid()

    def loss(self, x: Tensor, edge_index: Tensor, negative: Tensor) -> Tensor:
        params = self.distribution(x, edge_index)
        logits = link_scores(self.draw(*params), torch.cat((edge_index, negative), dim=1))
        labels = torch.zeros_like(logits)
        labels[: edge_index.shape[1]] = 1
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        if self.variational:
            mean, log_std = params
            per_node = (0.5 * (mean.square() + (2 * log_std).exp()) - log_std - 0.5).sum(dim=1)
            loss = loss + per_node.mean()
        return loss


def train_nodes(
    model: nn.Module,
    x: Tensor,
    edge_index: Tensor,
    y: Tensor,
    train_mask: Tensor,
    lr: float,
    weight_decay: float,
    steps: int,
) -> list[float]:
    known = y.masked_fill(~train_mask, -100)  # cross_entropy leaves -100 out of its mean
    adam = torch.optim.Adam(model.train().parameters(), lr, weight_decay=weight_decay)

    def step() -> float:
        loss = F.cross_entropy(model(x, edge_index), known, ignore_index=-100)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.item()

    return [step() for _ in range(steps)]
