"""What the exercises of this unit compute, by other means: NetworkX, matrices, loops.

PyTorch Geometric is called by the tests themselves: it is forbidden in a submission's folder, which this is
when the solution is checked.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import networkx as nx
import torch
from torch import Tensor, nn

from assignments.a5_gnn.cases import AutoEncoderCase, ModelCase
from autograder.checks.graphs import edges_of


def list_edges(adj: Tensor) -> Tensor:
    pairs = itertools.product(range(len(adj)), repeat=2)
    return edges_of([(s, t) for t, s in pairs for _ in range(int(adj[t, s]))])


def count_edges(edge_index: Tensor, n: int) -> Tensor:
    graph = multigraph(edge_index, n)
    return torch.tensor([[graph.number_of_edges(s, t) for s in range(n)] for t in range(n)])


def multigraph(edge_index: Tensor, n: int) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edge_index.t().tolist())
    return graph


def norm_of_edges(edge_index: Tensor, n: int) -> Tensor:
    degree = dict(multigraph(edge_index, n).in_degree())
    weights = [degree[s] * degree[t] for s, t in edge_index.t().tolist()]
    return torch.tensor([1 / math.sqrt(both) if both else 0.0 for both in weights])


def sums(src: Tensor, index: Tensor, n: int) -> Tensor:
    return torch.stack([src[index == i].sum(0) for i in range(n)])


def means(src: Tensor, index: Tensor, n: int) -> Tensor:
    mine = [src[index == i] for i in range(n)]
    return torch.stack([rows.mean(0) if len(rows) else rows.sum(0) for rows in mine])


def softmax_by_target(scores: Tensor, index: Tensor) -> Tensor:
    """A plain softmax for each target's edges, put back in their places."""
    weights = torch.zeros_like(scores)
    for target in index.unique():
        weights = weights.index_put(((index == target).nonzero()[:, 0],), scores[index == target].softmax(0))
    return weights


def convolve(x: Tensor, adj: Tensor, w: Tensor) -> Tensor:
    """A graph convolution without bias, node by node; `adj[target, source]`."""
    n = len(x)
    weight = [[1.0 if i == j else float(adj[i, j]) for j in range(n)] for i in range(n)]
    degree = [sum(row) for row in weight]
    rows = []
    for i in range(n):
        norms = [weight[i][j] / math.sqrt(degree[i] * degree[j]) for j in range(n)]
        rows.append(torch.stack([norm * w.mv(row) for norm, row in zip(norms, x, strict=True)]).sum(0))
    return torch.stack(rows)


def looped(edge_index: Tensor, n: int) -> Tensor:
    """Edge counts `[target, source]` with one loop a node, float64."""
    return count_edges(edge_index, n).double().fill_diagonal_(1)


def normalised(edge_index: Tensor, n: int) -> Tensor:
    """D^-½ Â D^-½, dense, in float64."""
    adj = looped(edge_index, n)
    root = adj.sum(1).rsqrt()
    return root[:, None] * adj * root


Parameters = Sequence[Tensor]


def readings(model: nn.Module, shapes: Sequence[tuple[int, ...]]) -> Iterator[Parameters]:
    """Every way to read the parameters of `model`, whose names are free, as those of these shapes."""
    parameters = list(model.parameters())
    if sorted(tuple(p.shape) for p in parameters) != sorted(shapes):
        return
    kinds = sorted(set(shapes))
    alike = [[p for p in parameters if tuple(p.shape) == kind] for kind in kinds]
    for orders in itertools.product(*map(itertools.permutations, alike)):
        turns = {kind: iter(order) for kind, order in zip(kinds, orders, strict=True)}
        yield [next(turns[shape]) for shape in shapes]


def size_of(shapes: Sequence[tuple[int, ...]]) -> int:
    """How many numbers are learned, whatever the form they are held in."""
    return sum(map(math.prod, shapes))


def gcn_shapes(case: ModelCase) -> list[tuple[int, ...]]:
    return [
        (case.hidden, case.x.shape[1]),
        (case.hidden,),
        (case.n_classes, case.hidden),
        (case.n_classes,),
    ]


def gcn(case: ModelCase | AutoEncoderCase, parameters: Parameters, x: Tensor) -> Tensor:
    """Two graph convolutions with a ReLU between them."""
    w_1, b_1, w_2, b_2 = parameters
    spread = normalised(case.edge_index, case.n)
    return spread @ (spread @ (x @ w_1.t()) + b_1).relu() @ w_2.t() + b_2


def gat_shapes(case: ModelCase) -> list[tuple[int, ...]]:
    wide, head, last = case.heads * case.hidden, (case.heads, case.hidden), (1, case.n_classes)
    return [
        (wide, case.x.shape[1]),
        head,
        head,
        (wide,),
        (case.n_classes, wide),
        last,
        last,
        (case.n_classes,),
    ]


def gat(case: ModelCase, parameters: Parameters, x: Tensor) -> Tensor:
    """Two layers of graph attention with an ELU between them."""
    adj = looped(case.edge_index, case.n)
    inside = nn.functional.elu(attend(x, adj, *parameters[:4]))
    return attend(inside, adj, *parameters[4:])


def attend(x: Tensor, adj: Tensor, w: Tensor, att_src: Tensor, att_dst: Tensor, bias: Tensor) -> Tensor:
    """Graph attention with joined heads, from a dense matrix of edge counts `[target, source]`."""
    h = (x @ w.t()).unflatten(1, att_src.shape)
    scores = (h * att_dst).sum(2)[:, None] + (h * att_src).sum(2)[None]
    shares = adj[..., None] * nn.functional.leaky_relu(scores, 0.2).exp()
    return torch.einsum("tsh,sho->tho", shares / shares.sum(1, keepdim=True), h).flatten(1) + bias


def auto_encoder_shapes(case: AutoEncoderCase) -> list[tuple[int, ...]]:
    head = [(case.latent, case.hidden), (case.latent,)]
    return [(case.hidden, case.x.shape[1]), (case.hidden,), *head * (2 if case.variational else 1)]


def cross_entropy(scores: Tensor, existing: int) -> Tensor:
    """The mean binary cross-entropy; the first `existing` edges exist, the others do not."""
    right = torch.cat([scores[:existing], -scores[existing:]])
    return -nn.functional.logsigmoid(right).mean()


def divergence(mean: Tensor, deviation: Tensor) -> Tensor:
    """From a standard normal, summed over nodes and latents and divided by the nodes."""
    normal = torch.distributions.Normal(mean, deviation)
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return torch.distributions.kl_divergence(normal, standard).sum() / len(mean)
