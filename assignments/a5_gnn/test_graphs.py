"""Public checks of graphs.py."""

import math

import torch
from hypothesis import given, settings

from assignments.a5_gnn.cases import adjacencies, graph_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    assert_zero,
    exercise,
)
from autograder.checks.graphs import (
    assert_edges,
    check_edge_order,
    edge_counts,
    edges_of,
    expect_edge_index,
    renumbered,
)


@exercise("to_edge_index", points=3)
def test_two_edges_one_way_and_one_back(student):
    adj = torch.tensor([[0, 2], [1, 0]])
    assert_edges(
        student.to_edge_index(adj),
        edges_of([(1, 0), (1, 0), (0, 1)]),
        because="adj[target, source] = 2 is two edges, and row 0 of edge_index holds the sources",
    )


@exercise("to_edge_index", points=3)
@given(adj=adjacencies())
def test_rows_of_the_matrix_count_targets_and_columns_sources(student, adj):
    edge_index = expect_edge_index(student.to_edge_index(adj))
    counted = adj.to(torch.int64)
    for row, name, expected in ((0, "sources", counted.sum(0)), (1, "targets", counted.sum(1))):
        ids = edge_index[row]
        # Ids that do not exist would break the counting.
        found = torch.stack([(ids == node).sum() for node in range(len(adj))])
        assert_close(found, expected, what=f"how often each node is among the {name}")
    assert_close(torch.tensor(edge_index.shape[1]), counted.sum(), what="the number of edges")


@exercise("to_adjacency", points=3)
def test_a_duplicate_edge_counts_twice(student):
    edge_index = edges_of([(0, 1), (0, 1), (2, 2)])
    expected = torch.tensor([[0, 0, 0], [2, 0, 0], [0, 0, 1]])
    assert_close(student.to_adjacency(edge_index, 3), expected, dims="targets sources")


@exercise("to_adjacency", points=3)
@given(case=graph_cases())
def test_renumbered_nodes_have_their_rows_and_columns_moved(student, case):
    moved = renumbered(case.edge_index, case.node_order)
    before, after = student.to_adjacency(case.edge_index, case.n), student.to_adjacency(moved, case.n)
    square = torch.empty(case.n, case.n, dtype=torch.int64)
    assert_close(before, square.copy_(before), dims="targets sources", what="adj")
    assert_unchanged(
        after,
        before[case.node_order][:, case.node_order],
        changed="the numbering of the nodes",
        what="adj in the new order",
    )


@exercise("add_self_loops", points=4)
def test_loops_that_exist_are_replaced_by_one_a_node(student):
    edge_index = edges_of([(0, 1), (1, 1), (1, 1), (0, 1)])
    expected = edges_of([(0, 1), (0, 1), (0, 0), (1, 1), (2, 2)])
    assert_edges(student.add_self_loops(edge_index, 3), expected)


@exercise("add_self_loops", points=4)
@given(case=graph_cases())
def test_every_node_ends_with_exactly_one_loop(student, case):
    edge_index = expect_edge_index(student.add_self_loops(case.edge_index, case.n))
    counts = edge_counts(edge_index)
    loops = torch.tensor([counts[node, node] for node in range(case.n)])
    assert_close(loops, torch.ones(case.n, dtype=torch.int64), what="the number of loops at each node")
    other = edge_counts(case.edge_index)
    for s, t in counts | other:
        if s != t and counts[s, t] != other[s, t]:
            raise CheckFailure(
                ("wrong", f"the edge {s}→{t} is there {counts[s, t]} times"),
                ("expected", f"{other[s, t]}, as before"),
                because="only loops are dropped and appended",
            )


@exercise("in_degree", points=2)
def test_edges_are_counted_where_they_end(student):
    edge_index = edges_of([(0, 1), (0, 1), (0, 2), (2, 2)])
    assert_close(student.in_degree(edge_index, 4), torch.tensor([0, 2, 2, 0]), dims="nodes")


@exercise("in_degree", points=2)
@given(case=graph_cases())
def test_all_edges_end_somewhere(student, case):
    degree = student.in_degree(case.edge_index, case.n)
    assert_like(degree, torch.zeros(case.n, dtype=torch.int64), what="degree", dims="nodes")
    assert_close(degree.sum(), torch.tensor(case.n_edges), what="the sum of all degrees")


@exercise("gcn_norm", points=4)
def test_an_edge_counts_the_less_the_more_its_ends_receive(student):
    edge_index = edges_of([(0, 1), (1, 0), (2, 1), (0, 1)])  # in-degrees 1, 3, 0
    expected = torch.tensor([1 / math.sqrt(3), 1 / math.sqrt(3), 0, 1 / math.sqrt(3)])
    because = "the in-degrees are 1, 3 and 0, and no loops are added"
    assert_close(student.gcn_norm(edge_index, 3), expected, because=because, dims="edges")


@exercise("gcn_norm", points=4)
@given(case=graph_cases())
def test_an_edge_from_where_nothing_arrives_weighs_nothing(student, case):
    norm = student.gcn_norm(case.edge_index, case.n)
    shape = torch.zeros(case.n_edges)
    assert_close(norm, shape + norm, what="weights", dims="edges")
    reached = torch.isin(case.source, case.target)
    assert_zero(norm, where=~reached, what="weights", because="the degree of their source is 0")


@exercise("gcn_norm", points=4)
@settings(max_examples=12)  # several calls each
@given(case=graph_cases())
def test_a_weight_moves_with_its_edge(student, case):
    check_edge_order(
        lambda edge_index: student.gcn_norm(edge_index, case.n),
        case.edge_index,
        [],
        case.edge_order,
        per_edge=(True,),
        names=("weights",),
    )
