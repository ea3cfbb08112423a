"""Hidden checks of graphs.py."""

import torch
from hypothesis import given, settings
from torch_geometric import utils

from assignments.a5_gnn.cases import adjacencies, graph_cases
from autograder.checks import assert_close, check_layouts, check_pure, exercise
from autograder.checks.graphs import assert_edges, renumbered
from solutions.a5_gnn import oracles


@exercise("to_edge_index", points=3)
@given(adj=adjacencies())
def test_every_entry_gives_as_many_edges(student, adj):
    because = "adj[target, source] is the number of edges source→target"
    assert_edges(student.to_edge_index(adj), oracles.list_edges(adj), because=because)


@exercise("to_edge_index", points=3)
@settings(max_examples=12)  # several calls each
@given(adj=adjacencies())
def test_the_matrix_is_left_alone_and_may_lie_in_memory_as_it_likes(student, adj):
    check_pure(student.to_edge_index, adj, names=("adj",))
    check_layouts(student.to_edge_index, [adj], names=("edge_index",))


@exercise("to_adjacency", points=3)
@given(case=graph_cases())
def test_every_pair_of_nodes_is_counted(student, case):
    expected = oracles.count_edges(case.edge_index, case.n)
    assert_close(student.to_adjacency(case.edge_index, case.n), expected, dims="targets sources")


@exercise("to_adjacency", points=3)
@settings(max_examples=12)  # several calls each
@given(case=graph_cases())
def test_edges_of_a_matrix_are_left_alone_and_may_lie_in_memory_as_they_like(student, case):
    check_pure(lambda edges: student.to_adjacency(edges, case.n), case.edge_index, names=("edge_index",))
    check_layouts(lambda edges: student.to_adjacency(edges, case.n), [case.edge_index])


@exercise("add_self_loops", points=4)
@given(case=graph_cases())
def test_other_edges_stay_and_one_loop_a_node_is_appended(student, case):
    got = student.add_self_loops(case.edge_index, case.n)
    others, _ = utils.remove_self_loops(case.edge_index)
    assert_edges(got, utils.add_self_loops(others, num_nodes=case.n)[0])


@exercise("add_self_loops", points=4)
@settings(max_examples=12)  # several calls each
@given(case=graph_cases())
def test_edges_without_loops_are_left_alone(student, case):
    check_pure(lambda edges: student.add_self_loops(edges, case.n), case.edge_index, names=("edge_index",))
    check_layouts(lambda edges: student.add_self_loops(edges, case.n), [case.edge_index])


@exercise("in_degree", points=2)
@given(case=graph_cases())
def test_every_nodes_incoming_edges_are_counted(student, case):
    graph = oracles.multigraph(case.edge_index, case.n)
    expected = torch.tensor([graph.in_degree(node) for node in range(case.n)])
    assert_close(student.in_degree(case.edge_index, case.n), expected, dims="nodes")


@exercise("gcn_norm", points=4)
@given(case=graph_cases(min_edges=1))
def test_every_edge_has_its_weight(student, case):
    expected = oracles.norm_of_edges(case.edge_index, case.n)
    assert_close(student.gcn_norm(case.edge_index, case.n), expected, what="weights", dims="edges")


@exercise("gcn_norm", points=4)
@settings(max_examples=12)  # several calls each
@given(case=graph_cases(min_edges=1))
def test_the_numbering_of_nodes_does_not_weigh(student, case):
    moved = renumbered(case.edge_index, case.node_order)
    expected = oracles.norm_of_edges(case.edge_index, case.n)
    assert_close(student.gcn_norm(moved, case.n), expected, what="weights", because="nodes were renumbered")
    check_pure(lambda edges: student.gcn_norm(edges, case.n), case.edge_index, names=("edge_index",))
