"""Graphs as cases, drawn so that they break code, and what is the same whatever a graph's nodes are called.

An edge index is int64 (2, E): row 0 holds sources, row 1 targets.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor

from autograder.checks.compare import (
    assert_like,
    assert_unchanged,
    expect_no_nan,
    expect_outputs,
    expect_size,
    expect_tensor,
)
from autograder.checks.describe import describe_values
from autograder.checks.failure import CheckFailure
from autograder.checks.strategies import seeds, sizes
from autograder.checks.tensors import Outputs, fresh, generator, gradients, leaves, weights_like
from autograder.checks.vacuity import note

MAX_NODES = 5
MAX_EDGES = 8  # drawn one by one, so that a case shrinks edge by edge


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes `0..n-1` and edges from source to target; cases are dataclasses that add fields to it."""

    edge_index: Tensor
    n: int

    @property
    def source(self) -> Tensor:
        return self.edge_index[0]

    @property
    def target(self) -> Tensor:
        return self.edge_index[1]

    @property
    def n_edges(self) -> int:
        return self.edge_index.shape[1]


@st.composite
def edge_indices(
    draw: DrawFn,
    n: int,
    max_edges: int = MAX_EDGES,
    min_edges: int = 0,
    loops: bool = True,
    duplicates: bool = True,
) -> Tensor:
    """Edges between `n` nodes in any order: none at all, self-loops, duplicates, one way or both ways.

    With so few of them, isolated nodes and disconnected parts come by themselves. Shrinks towards no edges.
    """
    edges = draw(_edge_lists(n, max_edges, min_edges, loops, duplicates))
    if draw(st.booleans()):
        back = [(target, source) for source, target in edges if source != target]
        edges = edges + (back if duplicates else [edge for edge in back if edge not in edges])
    return edges_of(edges)


@functools.cache  # a strategy is validated when it is first drawn from, which takes longer than a draw
def _edge_lists(
    n: int, max_edges: int, min_edges: int, loops: bool, duplicates: bool
) -> SearchStrategy[list[tuple[int, int]]]:
    pairs = [(source, target) for target in range(n) for source in range(n) if loops or source != target]
    if not pairs:
        return st.just([])
    return st.lists(
        st.sampled_from(pairs),
        min_size=min_edges if duplicates else min(min_edges, len(pairs)),
        max_size=max_edges,
        unique=not duplicates,
    )


@functools.cache
def orders(n: int) -> SearchStrategy[Tensor]:
    """An order of `n` nodes or edges, int64, for the price of one draw; seed 0 leaves them as they are."""

    def order(seed: int) -> Tensor:
        return torch.randperm(n, generator=generator(seed)) if seed else torch.arange(n)

    return seeds().map(order)


@st.composite
def graphs(
    draw: DrawFn,
    max_nodes: int = MAX_NODES,
    max_edges: int = MAX_EDGES,
    min_nodes: int = 1,
    loops: bool = True,
    duplicates: bool = True,
) -> Graph:
    """A graph, as `edge_indices` draws its edges. Shrinks towards one node without an edge."""
    n = draw(sizes(max_nodes, min=min_nodes))
    return Graph(draw(edge_indices(n, max_edges, loops=loops, duplicates=duplicates)), n)


@st.composite
def graph_batches(draw: DrawFn, max_graphs: int = 3, max_nodes: int = 4, min_nodes: int = 0) -> list[Graph]:
    """Several graphs, some of them without a node when `min_nodes` is 0, but not all."""
    parts = draw(
        st.lists(graphs(max_nodes, max_edges=5, min_nodes=min_nodes), min_size=1, max_size=max_graphs)
    )
    return parts if any(part.n for part in parts) else [*parts, Graph(edges_of([]), 1)]


def edges_of(pairs: Sequence[tuple[int, int]]) -> Tensor:
    """An edge index of (source, target) pairs."""
    return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).t().contiguous()


def disjoint_union(parts: Sequence[Graph]) -> tuple[Graph, Tensor]:
    """All parts as one graph, in their order, and each node's part."""
    shifts = torch.tensor([0, *(part.n for part in parts)]).cumsum(0).tolist()
    edges = [part.edge_index + shift for part, shift in zip(parts, shifts, strict=False)]
    batch = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([part.n for part in parts]))
    return Graph(torch.cat([edges_of([]), *edges], dim=1), shifts[-1]), batch


def renumbered(edge_index: Tensor, order: Tensor) -> Tensor:
    """The same edges once the nodes stand in another order: node `order[i]` is now called i."""
    return order.argsort()[edge_index]


def edge_counts(edge_index: Tensor) -> Counter[tuple[int, int]]:
    """How often each (source, target) occurs."""
    return Counter(zip(*edge_index.tolist(), strict=True))


def expect_edge_index(got: Any, *, what: str = "edge_index") -> Tensor:
    """`got` is int64 (2, E)."""
    tensor = expect_tensor(got, what=what)
    edges = tensor.shape[1] if tensor.ndim == 2 else 0
    return assert_like(tensor, torch.empty(2, edges, dtype=torch.int64), what=what, dims="2 edges")


def assert_edges(got: Any, expected: Tensor, *, because: str | None = None, what: str = "edge_index") -> None:
    """`got` is an edge index that holds the edges of `expected`, each as often as there, in any order."""
    note(expect_edge_index(got, what=what), what)
    mine, theirs = edge_counts(got), edge_counts(expected)
    if mine == theirs:
        return
    rows = [
        (label, ", ".join(f"{source}→{target}" for source, target in sorted(edges.elements())))
        for label, edges in (("missing", theirs - mine), ("too many", mine - theirs))
        if edges
    ]
    raise CheckFailure(
        ("wrong", f"{what} does not hold the right edges (source→target)"), *rows, because=because
    )


def check_node_order(
    f: Callable[..., Outputs],
    edge_index: Tensor,
    nodes: Sequence[Tensor],
    order: Tensor,
    *,
    edges: Sequence[Tensor] = (),
    per_node: Sequence[bool] = (True,),
    names: Sequence[str] = ("output",),
    gradient: bool = True,
) -> None:
    """Nodes have no order of their own: put into `order`, they get what they got, and the gradients too.

    `f(edge_index, *nodes, *edges)` takes tensors of one row a node, then of one row an edge. Outputs have a
    row a node, and move with it, or where `per_node` says no, stay.
    """
    _check_order(
        f,
        (edge_index, renumbered(edge_index, order)),
        [*nodes, *edges],
        [*[order] * len(nodes), *[None] * len(edges)],
        [order if moves else None for moves in per_node],
        changed=_reordered("nodes", order),
        because="how the nodes are numbered means nothing",
        names=names,
        gradient=gradient,
    )


def check_edge_order(
    f: Callable[..., Outputs],
    edge_index: Tensor,
    nodes: Sequence[Tensor],
    order: Tensor,
    *,
    edges: Sequence[Tensor] = (),
    per_edge: Sequence[bool] = (False,),
    names: Sequence[str] = ("output",),
    gradient: bool = True,
) -> None:
    """As `check_node_order`, when the edges are listed in another order, with their features."""
    _check_order(
        f,
        (edge_index, edge_index[:, order]),
        [*nodes, *edges],
        [*[None] * len(nodes), *[order] * len(edges)],
        [order if moves else None for moves in per_edge],
        changed=_reordered("edges", order),
        because="the order in which edges are listed means nothing",
        names=names,
        gradient=gradient,
    )


def check_parts_apart(
    f: Callable[[Tensor, Tensor], Tensor], parts: Sequence[Graph], xs: Sequence[Tensor], what: str = "output"
) -> None:
    """Graphs side by side in one give what each gives alone: `f(edge_index, x)`, a row a node."""
    whole, _ = disjoint_union(parts)
    together = f(whole.edge_index, torch.cat(list(xs)))
    alone = [f(part.edge_index, fresh(x)) for part, x in zip(parts, xs, strict=True)]
    expect_size(expect_tensor(together, what=what), [(0, whole.n)], what=what)
    assert_unchanged(
        torch.cat([expect_tensor(one, what=what) for one in alone]),
        together,
        changed="the batch: each graph alone, not side by side with the others",
        because="no edge joins them",
        what=what,
    )


def _reordered(what: str, order: Tensor) -> str:
    if bool((order == torch.arange(len(order))).all()):
        return f"nothing: the {what} are in the order that they were in"
    return f"the order of the {what}, to {describe_values(order)} (their numbers before)"


def _check_order(
    f: Callable[..., Outputs],
    edge_indices: tuple[Tensor, Tensor],
    inputs: Sequence[Tensor],
    input_orders: Sequence[Tensor | None],
    output_orders: Sequence[Tensor | None],
    *,
    changed: str,
    because: str,
    names: Sequence[str],
    gradient: bool,
) -> None:
    first = leaves(inputs)
    second = leaves([_in_order(x, order) for x, order in zip(inputs, input_orders, strict=True)])
    results = [
        f(fresh(edge_index), *given) for edge_index, given in zip(edge_indices, (first, second), strict=True)
    ]
    before, after = (expect_outputs(result, names) for result in results)
    cotangents = [weights_like(out, turn) for turn, out in enumerate(before)]
    for name, then, now, order in zip(names, before, after, output_orders, strict=True):
        if order is not None:
            expect_size(then, [(0, len(order))], what=name)
        assert_unchanged(
            now,
            _in_order(expect_no_nan(then, what=name), order),
            changed=changed,
            because=because,
            what=name if order is None else f"{name} in the new order",
        )
    floats = [i for i, x in enumerate(first) if x.is_floating_point()]
    if not (gradient and floats):
        return
    moved = [_in_order(c, order) for c, order in zip(cotangents, output_orders, strict=True)]
    then_grads = gradients(before, [first[i] for i in floats], cotangents)
    now_grads = gradients(after, [second[i] for i in floats], moved)
    for i, then, now in zip(floats, then_grads, now_grads, strict=True):
        assert_unchanged(
            now,
            _in_order(then, input_orders[i]),
            changed=changed,
            because=because,
            what="the gradient" if input_orders[i] is None else "the gradient in the new order",
        )


def _in_order(x: Tensor, order: Tensor | None) -> Tensor:
    return x if order is None else x[order]
