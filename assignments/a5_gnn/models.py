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
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes n_classes"]:
        """Score the classes of every node, from all nodes up to two steps away; no softmax."""
        # YOUR CODE HERE
        raise NotImplementedError()


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
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes n_classes"]:
        """Score the classes of every node, from all nodes up to two steps away; no softmax."""
        # YOUR CODE HERE
        raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


class GraphClassifier(nn.Module):
    """Label whole graphs: message passing, a readout, a linear layer.

    Which layers (two or more, so that nodes hear of more than their neighbours), which readout, and the
    parameters' names are free. The answer for a graph never depends on the numbering of its nodes, on the
    order of its edges, or on the other graphs of the batch.
    """

    def __init__(self, in_size: int, hidden: int, n_classes: int) -> None:
        """Take node features of size `in_size`, compute with `hidden` features a node; no dropout."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

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
        # YOUR CODE HERE
        raise NotImplementedError()


def link_scores(z: Float[Tensor, "nodes d"], edge_index: Int[Tensor, "2 edges"]) -> Float[Tensor, "edges"]:
    """Score every edge j→i of a list, whether it exists or not, by how alike its ends are: z_j · z_i."""
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
        # YOUR CODE HERE
        raise NotImplementedError()

    def sample(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> tuple[Float[Tensor, "nodes latent"], Float[Tensor, ""]]:
        """A suggestion: draw z as `encode` does -> (z, the KL divergence of `loss`, 0 if not variational).

        `encode` and `loss` can share it; only `encode`, `decode` and `loss` are checked.
        """
        # YOUR CODE HERE
        raise NotImplementedError()

    def encode(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes latent"]:
        """Give every node its vector z.

        Variational: the mean in `eval()`; in `train()` a sample, mean + σ · noise, with noise from the global
        random state and gradients in mean and σ (the reparametrisation trick).
        """
        # YOUR CODE HERE
        raise NotImplementedError()

    def decode(
        self, z: Float[Tensor, "nodes latent"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "edges"]:
        """Say how probable every edge of a list is: the sigmoid of its link score."""
        # YOUR CODE HERE
        raise NotImplementedError()

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
        # YOUR CODE HERE
        raise NotImplementedError()
