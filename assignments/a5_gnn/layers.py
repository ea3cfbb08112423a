"""Layers: every node updates itself from its neighbours. All of them commute with a renumbering of nodes."""

import torch
import torch.nn.functional as F
from aggregate import edge_softmax, scatter_mean, scatter_sum
from graphs import add_self_loops, in_degree
from jaxtyping import Float, Int
from torch import Tensor, nn


class NeighbourMeanLayer(nn.Module):
    """One weight for the node itself, one for the mean of its neighbours.

    h_i' = w_self h_i + w_nbr · mean_{j→i} h_j + bias

    There is no nonlinearity, and no self-loop is added. A node that no edge points to has a mean of 0. An
    edge j→i counts for i, not for j; a duplicate edge counts twice in the mean.

    Source: Hamilton et al. 2017 (GraphSAGE, mean aggregator).
    """

    def __init__(self, in_size: int, out_size: int) -> None:
        """Make the parameters `w_self (out_size, in_size)`, `w_nbr (out_size, in_size)`, `bias (out_size,)`.

        They are the whole state dict, under these names. Initial values are free; Glorot's uniform ones for
        the weights (`nn.init.xavier_uniform_`) and 0 for the bias serve well in this unit.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes out_size"]:
        """Update every node once."""
        # YOUR CODE HERE
        raise NotImplementedError()


class GCNLayer(nn.Module):
    """The graph convolution of Kipf and Welling, in sum form.

    h_i' = Σ_{j→i} w h_j / √(deg(j) deg(i)) + bias, over the edges with self-loops added, and the in-degrees
    deg counted with them.

    The self-loops are those of `add_self_loops`: every node has exactly one, whatever `edge_index` holds.
    There is no nonlinearity. Equals `torch_geometric.nn.GCNConv`.

    Trap: the degrees are in-degrees at both ends, also where a graph is directed.

    Source: Kipf and Welling 2017, equation 2.
    """

    def __init__(self, in_size: int, out_size: int) -> None:
        """Make the parameters `w (out_size, in_size)` and `bias (out_size,)`: the whole state dict.

        Initial values are free. Glorot's uniform ones for the weight, and 0 for the bias, are the paper's;
        they reach the goals of models.py, and not all others do.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "nodes in_size"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes out_size"]:
        """Convolve once, in time and memory O(edges + nodes).

        Trap: `gcn_norm` answers in the default float dtype, and float32 weights spoil a float64 `x`: compute
        the layer in the dtype of `x`.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def gcn_dense(
    x: Float[Tensor, "nodes in_size"],
    adj: Float[Tensor, "nodes nodes"] | Int[Tensor, "nodes nodes"],
    w: Float[Tensor, "out_size in_size"],
) -> Float[Tensor, "nodes out_size"]:
    """The same convolution in matrix form, without bias.

    out = D^-½ Â D^-½ x wᵀ, with Â = `adj` but for ones on its diagonal, and D the row sums of Â.

    `adj[target, source]` counts edges, and may be integer; the result has the dtype of `x`. Whatever stands
    on its diagonal is taken as 1. Every node has at least itself, so no row sum is 0.

    Trap: `adj + I` is Â only where the diagonal was 0.

    Source: Kipf and Welling 2017, equation 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class GATLayer(nn.Module):
    """Graph attention: a node weighs its neighbours by what they say, not only by their degrees.

    With head k of the transformed features h = w x, rows k·out_size … (k+1)·out_size - 1 of w:

        s_{j→i} = LeakyReLU(att_src_k · h_{k,j} + att_dst_k · h_{k,i})
        weights = softmax over the edges into i, self-loop included
        h_{k,i}' = Σ_{j→i} weight_{j→i} h_{k,j}

    The heads are joined one after another (`concat=True`) or averaged, and then `bias` is added. Self-loops
    are those of `add_self_loops`; no nonlinearity follows the sum. Dropout of
    weights, while a model trains, is free (see `GAT` in models.py); a layer made as above drops nothing.
    Equals `torch_geometric.nn.GATConv`.

    Source: Veličković et al. 2018, equations 1 to 6.
    """

    def __init__(
        self,
        in_size: int,
        out_size: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
    ) -> None:
        """Make the parameters, which are the whole state dict.

        `w (heads * out_size, in_size)`, `att_src (heads, out_size)`, `att_dst (heads, out_size)`, and `bias`,
        `(heads * out_size,)` where heads are joined, `(out_size,)` where they are averaged.
        `negative_slope` is the one of the LeakyReLU. Initial values are free; Glorot's uniform ones for all
        but the bias serve well.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        x: Float[Tensor, "nodes in_size"],
        edge_index: Int[Tensor, "2 edges"],
        return_weights: bool = False,
    ) -> (
        Float[Tensor, "nodes out"]
        | tuple[
            Float[Tensor, "nodes out"],
            tuple[Int[Tensor, "2 edges_and_loops"], Float[Tensor, "edges_and_loops heads"]],
        ]
    ):
        """Attend once -> result, or (result, (edges with loops, weights)) with `return_weights`.

        The edges that come back are those of `add_self_loops`, in any order, and row e of the weights belongs
        to their column e: for every head, the weights of the edges into a node sum to 1.

        Trap: `att_dst` belongs to the node that asks, the target, and `att_src` to the one that is read.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class EdgeMessageLayer(nn.Module):
    """Edges have states too: nodes tell edges, edges tell nodes.

    e'_{j→i} = f_e([x_j, x_i, e_{j→i}]),   x'_i = f_v([x_i, Σ_{j→i} e'_{j→i}])

    `f_e` and `f_v` are learned functions, each with a nonlinearity: the same f_e for every edge, the same
    f_v for every node. The sum runs over the edges *into* i, no self-loop is added, and a node that no edge
    points to has a sum of 0.

    Source: Gilmer et al. 2017; Battaglia et al. 2018, algorithm 1.
    """

    def __init__(self, node_size: int, edge_size: int, hidden: int) -> None:
        """Make `f_e` and `f_v`, both with `hidden` outputs; their form and their parameters' names are free.

        One linear layer and a nonlinearity each will do.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        x: Float[Tensor, "nodes node_size"],
        edge_index: Int[Tensor, "2 edges"],
        edge_attr: Float[Tensor, "edges edge_size"],
    ) -> tuple[Float[Tensor, "nodes hidden"], Float[Tensor, "edges hidden"]]:
        """Update the edges, then the nodes -> (x', e'), e' in the order of `edge_index`.

        Trap: source and target enter f_e at different places: an edge j→i is not the edge i→j.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def sample_neighbours(
    edge_index: Int[Tensor, "2 edges"], n: int, fanout: int, generator: torch.Generator
) -> Int[Tensor, "2 sampled"]:
    """Keep at most `fanout` of the edges into every node, drawn uniformly without replacement.

    A node with at most `fanout` incoming edges keeps them all; one with more keeps exactly `fanout`, every
    subset of that size with the same probability, independently of the other nodes. Duplicate edges are
    separate edges: an edge that is listed twice may be drawn twice. The result may be in any order.

    All randomness comes from `generator`: the same state gives the same edges, and the global random state is
    left alone. `fanout < 1` is a ValueError that names `fanout` and its value.

    Trap: neighbours are drawn a target, not a source.

    Source: Hamilton et al. 2017, section 3.1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
