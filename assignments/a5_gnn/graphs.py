"""Graphs as data: the list of edges, the adjacency matrix, degrees, and the weights of a GCN.

An edge list `edge_index` is int64 (2, edges): row 0 the sources, row 1 the targets. Messages flow from
source to target. Nodes are 0..n-1, duplicate edges count twice.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def to_edge_index(adj: Int[Tensor, "n n"]) -> Int[Tensor, "2 edges"]:
    """List the edges of an adjacency matrix: an entry adj[target, source] = k gives k edges, in any order.

    [[0, 2], [1, 0]] has the edges 1→0, 1→0 and 0→1. Entries are integers of at least 0. A matrix without
    edges gives an int64 tensor of shape (2, 0).

    Trap: the *column* of the matrix is the source, and the source is *row 0* of the edge list.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def to_adjacency(edge_index: Int[Tensor, "2 edges"], n: int) -> Int[Tensor, "n n"]:
    """Count the edges between every two nodes: adj[target, source], int64.

    The inverse of `to_edge_index`, but for the order of the edges. `(adj @ x)[i]` is then the sum of x over
    the sources of the edges into i.

    Trap: `adj[target, source] = 1`, and `+= 1` alike, count duplicate edges once.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def add_self_loops(edge_index: Int[Tensor, "2 edges"], n: int) -> Int[Tensor, "2 edges_and_loops"]:
    """Give every node exactly one edge to itself.

    Loops that exist are dropped, however many; all other edges are kept, duplicates and their order too;
    then the loops 0→0, 1→1, …, (n-1)→(n-1) are appended.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def in_degree(edge_index: Int[Tensor, "2 edges"], n: int) -> Int[Tensor, "n"]:
    """Count the edges into every node, int64: deg[i] = how many edges have the target i.

    Duplicate edges count twice, a self-loop once, and a node that no edge points to has 0, also where it is
    one of the last.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def gcn_norm(edge_index: Int[Tensor, "2 edges"], n: int) -> Float[Tensor, "edges"]:
    """Weigh every edge by the degrees of its two ends, as a GCN does.

    weight_e = 1 / √(deg(source_e) · deg(target_e)), and 0 where a degree is 0.

    Both degrees are in-degrees, of the edges as they are given: no self-loops are added here. The result has
    torch's default float dtype, and the device of `edge_index`.

    Trap: a source that no edge points to has degree 0, and 1/√0 is infinite.

    Source: Kipf and Welling 2017, section 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
