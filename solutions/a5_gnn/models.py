"""Models: what a graph network predicts. A label a node, a label a graph, or whether an edge exists."""

import torch
import torch.nn.functional as F
from aggregate import scatter_mean, scatter_sum
from jaxtyping import Bool, Float, Int
from layers import GATLayer, GCNLayer
from torch import Tensor, nn


class GCN(nn.Module):
    """Label nodes with two graph convolutions: logits = conv_2(relu(conv_1(x))).

    Source: Kipf and Welling 2017, section 3.1.
    """

    def __init__(self, in_size: int, hidden: int, n_classes: int, dropout: float) -> None:
        """Make a GCN layer to `hidden` and one to `n_classes`; parameter names are free.

        `dropout` is the share that is dropped while training. Where it sits is free; the paper has it on the
        input of both layers. In `eval()` nothing is dropped.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = GCNLayer(in_size, hidden)
        self.conv2 = GCNLayer(hidden, n_classes)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes n_classes"]:
        """Score the classes of every node, from all nodes up to two steps away; no softmax."""
        ### BEGIN SOLUTION
        h = self.conv1(self.dropout(x), edge_index).relu()
        return self.conv2(self.dropout(h), edge_index)
        ### END SOLUTION


class GAT(nn.Module):
    """Label nodes with two graph attention layers: logits = attend_2(elu(attend_1(x))).

    Source: Veličković et al. 2018, section 3.3.
    """

    def __init__(self, in_size: int, hidden: int, heads: int, n_classes: int, dropout: float) -> None:
        """Make a layer of `heads` joined heads of `hidden` features each, and one of one head to `n_classes`.

        `dropout` is the share that is dropped while training. Where it sits is free; the paper has it on the
        input of both layers and on their attention weights. In `eval()` nothing is dropped.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.attend1 = GATLayer(in_size, hidden, heads)
        self.attend2 = GATLayer(heads * hidden, n_classes)
        self.dropout = nn.Dropout(dropout)
        self.attend1.weight_dropout.p = self.attend2.weight_dropout.p = dropout
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes n_classes"]:
        """Score the classes of every node, from all nodes up to two steps away; no softmax."""
        ### BEGIN SOLUTION
        h = F.elu(self.attend1(self.dropout(x), edge_index))
        return self.attend2(self.dropout(h), edge_index)
        ### END SOLUTION


def train_nodes(
    model: nn.Module,
    x: Float[Tensor, "nodes in_size"],
    edge_index: Int[Tensor, "2 edges"],
    y: Int[Tensor, "nodes"],
    train_mask: Bool[Tensor, "nodes"],
    lr: float,
    weight_decay: float,
    steps: int,
) -> list[float]:
    """Train `model` in place on the labelled nodes -> the loss at every step.

    A step: `model(x, edge_index)` on the whole graph; cross-entropy, its mean over the nodes of `train_mask`;
    its gradients; one step of `torch.optim.Adam` with `lr`, its own `weight_decay` and otherwise its
    defaults, one optimiser for the whole call, every parameter trained. The model trains in `train()` mode.
    Returns `steps` floats, each the loss before its step.

    The labels of the other nodes are not known: what `y` holds there, -1 too, reaches nothing. Their features
    and edges take part.
    """
    ### BEGIN SOLUTION
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x, edge_index)[train_mask], y[train_mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


def global_pool(
    x: Float[Tensor, "nodes d"], batch: Int[Tensor, "nodes"], n_graphs: int, kind: str
) -> Float[Tensor, "n_graphs d"]:
    """Sum up every graph in one vector, whatever the order of its nodes: the readout.

    out[g] = Σ, mean or elementwise max, for `kind` "sum", "mean" or "max", of x over the nodes i with
    batch[i] = g.

    Several graphs are batched as one big graph without edges between them; `batch` says which graph a node
    belongs to, in no particular order. A graph without nodes gets 0, for every `kind`. Another `kind` is a
    ValueError that names `kind` and its value.

    Trap: the maximum of negative features is negative; starting it at 0 hides that.
    """
    ### BEGIN SOLUTION
    if kind == "sum":
        return scatter_sum(x, batch, n_graphs)
    if kind == "mean":
        return scatter_mean(x, batch, n_graphs)
    if kind == "max":
        rows = batch.unsqueeze(1).expand_as(x)
        return x.new_zeros(n_graphs, x.shape[1]).scatter_reduce(0, rows, x, "amax", include_self=False)
    raise ValueError(f"kind must be 'sum', 'mean' or 'max', got {kind!r}")
    ### END SOLUTION


class GraphClassifier(nn.Module):
    """Label whole graphs: message passing, a readout, a linear layer.

    Which layers (two or more, so that nodes hear of more than their neighbours), which readout, and the
    parameters' names are free. The answer for a graph never depends on the numbering of its nodes, on the
    order of its edges, or on the other graphs of the batch.
    """

    def __init__(self, in_size: int, hidden: int, n_classes: int) -> None:
        """Take node features of size `in_size`, compute with `hidden` features a node; no dropout."""
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = GCNLayer(in_size, hidden)
        self.conv2 = GCNLayer(hidden, hidden)
        self.out = nn.Linear(hidden, n_classes)
        ### END SOLUTION

    def forward(
        self,
        x: Float[Tensor, "nodes in_size"],
        edge_index: Int[Tensor, "2 edges"],
        batch: Int[Tensor, "nodes"],
        n_graphs: int,
    ) -> Float[Tensor, "n_graphs n_classes"]:
        """Score the classes of every graph; `batch` is that of `global_pool`.

        No edge joins two graphs. A graph without nodes gets finite scores like any other.
        """
        ### BEGIN SOLUTION
        h = self.conv1(x, edge_index).relu()
        h = self.conv2(h, edge_index).relu()
        return self.out(global_pool(h, batch, n_graphs, "sum"))
        ### END SOLUTION


def link_scores(z: Float[Tensor, "nodes d"], edge_index: Int[Tensor, "2 edges"]) -> Float[Tensor, "edges"]:
    """Score every edge j→i of a list, whether it exists or not, by how alike its ends are: z_j · z_i."""
    ### BEGIN SOLUTION
    source, target = edge_index
    return (z[source] * z[target]).sum(dim=1)
    ### END SOLUTION


def negative_edges(
    edge_index: Int[Tensor, "2 edges"], n: int, count: int, generator: torch.Generator
) -> Int[Tensor, "2 count"]:
    """Draw `count` edges that do not exist, to train against.

    They are ordered pairs (source, target), drawn uniformly: no pair twice, no self-loop, none that is in
    `edge_index`. Where 0→1 exists and 1→0 does not, 1→0 may be drawn.

    All randomness comes from `generator`: the same state gives the same edges, and the global random state is
    left alone. Where fewer than `count` such pairs exist, a ValueError names `count` and its value.

    Traps: duplicate edges and self-loops in `edge_index` take no further pairs away, so there are not always
    n(n-1) - edges left; and all of those that are left can be asked for.
    """
    ### BEGIN SOLUTION
    device = edge_index.device
    # Pairs are numbered 0..n²-1. The diagonal and the existing edges, sorted, are what must not be drawn.
    taken = torch.cat([edge_index[0] * n + edge_index[1], torch.arange(n, device=device) * (n + 1)]).unique()
    free = n * n - len(taken)
    if count > free:
        raise ValueError(f"count must be at most {free}, the pairs without an edge, got {count}")
    if 2 * count > free:
        chosen = torch.randperm(free, generator=generator, device=device)[:count]
    else:  # a large graph is nearly empty: drawing until there are enough needs no list of all its pairs
        chosen = torch.empty(0, dtype=torch.int64, device=device)
        while len(chosen) < count:
            more = torch.randint(free, (2 * count,), generator=generator, device=device)
            chosen = torch.cat([chosen, more]).unique()
        chosen = chosen[torch.randperm(len(chosen), generator=generator, device=device)[:count]]
    # taken[k] - k pairs are free below taken[k]; so many taken ones must be skipped on the way to a free one.
    free_below = taken - torch.arange(len(taken), device=device)
    pair = chosen + torch.searchsorted(free_below, chosen, right=True)
    return torch.stack([pair // n, pair % n])
    ### END SOLUTION


class GraphAutoEncoder(nn.Module):
    """Learn node vectors from which the graph can be told again, without a label.

    mean = conv_2(relu(conv_1(x))),   p(j→i) = σ(z_j · z_i)

    The plain one has z = mean. The variational one draws z ~ N(mean, σ²), its deviations from a second head
    conv_σ(relu(conv_1(x))) that shares conv_1; whether that head gives log σ or log σ² is free.

    Source: Kipf and Welling 2016 (variational graph auto-encoders).
    """

    def __init__(self, in_size: int, hidden: int, latent: int, variational: bool = False) -> None:
        """Make a GCN layer to `hidden` and one to `latent`, and a second such head if `variational`.

        Parameter names are free.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.conv = GCNLayer(in_size, hidden)
        self.mean = GCNLayer(hidden, latent)
        self.log_std = GCNLayer(hidden, latent) if variational else None
        ### END SOLUTION

    def sample(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> tuple[Float[Tensor, "nodes latent"], Float[Tensor, ""]]:
        """A suggestion: draw z as `encode` does -> (z, the KL divergence of `loss`, 0 if not variational).

        `encode` and `loss` can share it; only `encode`, `decode` and `loss` are checked.
        """
        ### BEGIN SOLUTION
        h = self.conv(x, edge_index).relu()
        mean = self.mean(h, edge_index)
        if self.log_std is None:
            return mean, mean.new_zeros(())
        log_std = self.log_std(h, edge_index)
        z = mean + log_std.exp() * torch.randn_like(mean) if self.training else mean
        return z, (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum() / (2 * len(x))
        ### END SOLUTION

    def encode(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes latent"]:
        """Give every node its vector z.

        Variational: the mean in `eval()`; in `train()` a sample, mean + σ · noise, with noise from the global
        random state and gradients in mean and σ (the reparametrisation trick).
        """
        ### BEGIN SOLUTION
        return self.sample(x, edge_index)[0]
        ### END SOLUTION

    def decode(
        self, z: Float[Tensor, "nodes latent"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "edges"]:
        """Say how probable every edge of a list is: the sigmoid of its link score."""
        ### BEGIN SOLUTION
        return link_scores(z, edge_index).sigmoid()
        ### END SOLUTION

    def loss(
        self,
        x: Float[Tensor, "nodes in_size"],
        edge_index: Int[Tensor, "2 edges"],
        negative: Int[Tensor, "2 negatives"],
    ) -> Float[Tensor, ""]:
        """Reward probable edges where there are some, and improbable ones where there are none -> a scalar.

        The binary cross-entropy of the edges of `edge_index` (wanted: 1) and of `negative` (wanted: 0): one
        mean over all of them together. Variational, in both modes, plus the KL divergence

            ½ Σ_{i, k} (mean² + σ² - 1 - log σ²) / nodes

        from a standard normal, of the same mean and σ that z came from. `edge_index` is also the graph that
        is encoded, `negative` is not.

        Trap: the logarithm of a probability that was rounded to 0 or 1 is infinite or has no gradient: for
        large scores use the logits (`F.binary_cross_entropy_with_logits`).
        """
        ### BEGIN SOLUTION
        z, divergence = self.sample(x, edge_index)
        logits = torch.cat([link_scores(z, edge_index), link_scores(z, negative)])
        exists = torch.arange(len(logits), device=x.device) < edge_index.shape[1]
        return F.binary_cross_entropy_with_logits(logits, exists.to(logits.dtype)) + divergence
        ### END SOLUTION
