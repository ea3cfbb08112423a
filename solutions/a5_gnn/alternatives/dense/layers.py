"""Layers in matrix form. Letters for einsum: n node, e edge, h head, o output, i input."""

import torch
from graphs import add_self_loops, symmetric_norm
from segments import Segments, at_least_float32
from torch import Tensor, einsum, nn


class Layer(nn.Module):
    def weight(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(nn.init.xavier_normal_(torch.empty(shape)))

    def zeros(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(torch.zeros(shape))


class NeighbourMeanLayer(Layer):
    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__()
        self.w_self = self.weight(out_size, in_size)
        self.w_nbr = self.weight(out_size, in_size)
        self.bias = self.zeros(out_size)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        nbr = Segments(target, len(x)).mean(x[source])
        # one product for both: [w_self w_nbr] [h; mean]
        both = torch.cat((self.w_self, self.w_nbr), dim=1)
        return torch.addmm(self.bias, torch.cat((x, nbr), dim=1), both.t())


def sparse_product(edge_index: Tensor, weight: Tensor, h: Tensor) -> Tensor:
    """A h, where A[target, source] sums the weights of the edges."""
    n = len(h)
    dtype = at_least_float32(h.dtype)  # sparse products know no bfloat16
    matrix = torch.sparse_coo_tensor(edge_index.flip(0), weight.to(dtype), (n, n), check_invariants=False)
    return torch.sparse.mm(matrix, h.to(dtype)).to(h.dtype)


class GCNLayer(Layer):
    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__()
        self.w = self.weight(out_size, in_size)
        self.bias = self.zeros(out_size)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edges = add_self_loops(edge_index, len(x))
        norm = symmetric_norm(edges, len(x), at_least_float32(x.dtype))
        h = einsum("ni,oi->no", x, self.w)
        return sparse_product(edges, norm, h) + self.bias


def gcn_dense(x: Tensor, adj: Tensor, w: Tensor) -> Tensor:
    eye = torch.eye(len(adj), dtype=torch.bool, device=adj.device)
    a = torch.where(eye, 1, adj.to(at_least_float32(x.dtype)))
    d = a.sum(dim=1).rsqrt()
    a_hat = (d[:, None] * a * d[None, :]).to(x.dtype)
    return einsum("ts,si,oi->to", a_hat, x, w)


class GATLayer(Layer):
    def __init__(
        self,
        in_size: int,
        out_size: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"{heads=} is not positive")
        self.concat = concat
        self.shape = (heads, out_size)
        self.leaky = nn.LeakyReLU(negative_slope)
        self.w = self.weight(heads * out_size, in_size)
        self.att_src = self.weight(heads, out_size)
        self.att_dst = self.weight(heads, out_size)
        self.bias = self.zeros(heads * out_size if concat else out_size)

    def forward(self, x: Tensor, edge_index: Tensor, return_weights: bool = False):
        edges = add_self_loops(edge_index, len(x))
        source, target = edges
        h = einsum("ni,hoi->nho", x, self.w.unflatten(0, self.shape))
        from_source = einsum("nho,ho->nh", h, self.att_src)
        from_target = einsum("nho,ho->nh", h, self.att_dst)
        to_nodes = Segments(target, len(x))
        alpha = to_nodes.softmax(self.leaky(from_source[source] + from_target[target]))
        out = to_nodes.sum(alpha.unsqueeze(-1) * h[source])
        out = (out.flatten(1) if self.concat else out.mean(dim=1)) + self.bias
        return (out, (edges, alpha)) if return_weights else out


class EdgeMessageLayer(Layer):
    def __init__(self, node_size: int, edge_size: int, hidden: int) -> None:
        super().__init__()
        # f_e and f_v are linear maps of a concatenation, kept in blocks so that nothing is concatenated
        self.from_source = nn.Linear(node_size, hidden, bias=False)
        self.from_target = nn.Linear(node_size, hidden, bias=False)
        self.from_edge = nn.Linear(edge_size, hidden)
        self.from_self = nn.Linear(node_size, hidden)
        self.from_messages = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        source, target = edge_index
        e = self.from_source(x)[source] + self.from_target(x)[target] + self.from_edge(edge_attr)
        e = torch.tanh(e)
        received = Segments(target, len(x)).sum(e)
        return torch.tanh(self.from_self(x) + self.from_messages(received)), e


def sample_neighbours(edge_index: Tensor, n: int, fanout: int, generator: torch.Generator) -> Tensor:
    if fanout < 1:
        raise ValueError(f"{fanout=} is below 1")
    shuffle = torch.randperm(edge_index.shape[1], generator=generator, device=edge_index.device)
    shuffled = edge_index[:, shuffle]
    # the sort is stable, so within a node the edges stay shuffled and the first ones are a sample
    order, rank = Segments(shuffled[1], n).rank()
    return shuffled[:, order[rank < fanout]]
