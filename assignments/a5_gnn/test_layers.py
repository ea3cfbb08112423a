"""Public checks of layers.py."""

import math

import torch
from hypothesis import given, settings
from torch.func import functional_call
from torch_geometric.nn import GATConv, GCNConv

from assignments.a5_gnn.cases import (
    dense_cases,
    edge_message_cases,
    gat_cases,
    layer_cases,
    sampling_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    check_deterministic_under_generator,
    check_ignores,
    exercise,
    expect_no_nan,
    expect_outputs,
    expect_tuple,
    expect_value_error,
    generator,
    note,
)
from autograder.checks.graphs import check_node_order, edge_counts, edges_of, expect_edge_index
from autograder.checks.strategies import seeds

MESSAGES = ("x'", "e'")


@exercise("NeighbourMeanLayer", points=6)
def test_itself_and_the_mean_of_who_points_at_it(student):
    layer = student.NeighbourMeanLayer(1, 1).double()
    state = {"w_self": [[10.0]], "w_nbr": [[1.0]], "bias": [100.0]}
    layer.load_state_dict({name: torch.tensor(value, dtype=torch.float64) for name, value in state.items()})
    x = torch.tensor([[1.0], [2.0], [6.0]], dtype=torch.float64)
    got = layer(x, edges_of([(0, 1), (2, 1), (2, 1), (1, 2)]))
    mean = (1 + 6 + 6) / 3
    expected = torch.tensor([[110.0], [120 + mean], [162.0]], dtype=torch.float64)
    assert_close(
        got, expected, because="into node 1 come 0, 2 and 2 again, into node 0 nothing", dims="n out"
    )


@exercise("NeighbourMeanLayer", points=6)
@given(case=layer_cases())
def test_a_node_hears_of_those_that_point_at_it_and_of_no_other(student, case):
    layer, node = case.mean_layer(student), int(case.node_order[0])
    silent = torch.ones(case.n, dtype=torch.bool)
    silent[[node, *case.source[case.target == node].tolist()]] = False
    check_ignores(
        lambda x: layer(x, case.edge_index)[node],
        [case.x],
        [silent],
        changed=f"nodes without an edge to node {node}",
        because=f"only what node {node} gets is compared",
        not_finite=False,
    )


@exercise("NeighbourMeanLayer", points=6)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_the_mean_layer_does_not_know_the_numbering_of_nodes(student, case):
    layer = case.mean_layer(student)
    check_node_order(lambda edges, x: layer(x, edges), case.edge_index, [case.x], case.node_order)


@exercise("GCNLayer", points=8)
@given(case=layer_cases())
def test_the_graph_convolution_of_pytorch_geometric(student, case):
    w, bias = case.gcn_state["w"], case.gcn_state["bias"]
    library = GCNConv(case.in_size, case.out_size)
    expected = functional_call(library, {"lin.weight": w, "bias": bias}, (case.x, case.edge_index))
    assert_close(case.gcn_layer(student)(case.x, case.edge_index), expected, dims="nodes out")


@exercise("GCNLayer", points=8)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_a_convolution_does_not_know_the_numbering_of_nodes(student, case):
    layer = case.gcn_layer(student)
    check_node_order(lambda edges, x: layer(x, edges), case.edge_index, [case.x], case.node_order)


@exercise("GCNLayer", points=8)
@given(case=layer_cases())
def test_self_loops_of_the_input_change_nothing(student, case):
    layer = case.gcn_layer(student)
    loop = torch.zeros(2, 1, dtype=torch.int64)
    before = layer(case.x, case.edge_index)
    after = layer(case.x, torch.cat([case.edge_index, loop, loop], dim=1))
    because = "every node has one loop, whatever edge_index holds"
    assert_unchanged(after, before, changed="two loops at node 0 appended", because=because)


@exercise("gcn_dense", points=4)
def test_one_edge_in_matrix_form(student):
    x = torch.tensor([[1.0], [10.0]], dtype=torch.float64)
    adj = torch.tensor([[5, 0], [1, 0]])  # 0→1, and loops that do not count
    w = torch.tensor([[2.0], [-2.0]], dtype=torch.float64)
    first, second = 2.0, 2 * (1 / math.sqrt(2) + 10 / 2)
    expected = torch.tensor([[first, -first], [second, -second]], dtype=torch.float64)
    because = "the row sums are 1 and 2 with ones on the diagonal"
    assert_close(student.gcn_dense(x, adj, w), expected, because=because, dims="nodes out")


@exercise("gcn_dense", points=4)
@settings(max_examples=12)  # several calls each
@given(case=dense_cases())
def test_the_matrix_form_does_not_know_the_numbering_of_nodes(student, case):
    order = case.node_order
    before = student.gcn_dense(case.x, case.adj, case.w)
    after = student.gcn_dense(case.x[order], case.adj[order][:, order], case.w)
    assert_shape(before, (len(case.x), len(case.w)), dims="nodes out")
    changed = "the numbering of the nodes, in x and adj"
    assert_unchanged(after, before[order], changed=changed, what="output in the new order")


@exercise("GATLayer", points=9)
@given(case=gat_cases())
def test_the_graph_attention_of_pytorch_geometric(student, case):
    library = GATConv(
        case.in_size,
        case.out_size,
        heads=case.heads,
        concat=case.concat,
        negative_slope=case.negative_slope,
    )
    state = case.gat_state
    theirs = {f"att_{end}": state[f"att_{end}"][None] for end in ("src", "dst")}
    theirs |= {"lin.weight": state["w"], "bias": state["bias"]}
    expected = functional_call(library, theirs, (case.x, case.edge_index))
    assert_close(case.gat_layer(student)(case.x, case.edge_index), expected, dims="nodes out")


@exercise("GATLayer", points=9)
@given(case=gat_cases())
def test_every_node_shares_out_one_among_its_edges_and_its_loop(student, case):
    result = case.gat_layer(student)(case.x, case.edge_index, return_weights=True)
    _, returned = expect_tuple(result, 2, ("result", "(edge_index, weights)"))
    edges, weights = expect_tuple(returned, 2, ("edge_index", "weights"))
    edges = expect_edge_index(edges)
    assert_shape(weights, (edges.shape[1], case.heads), what="weights", dims="edges heads")
    counts = edge_counts(edges)
    loops = torch.tensor([counts[node, node] for node in range(case.n)])
    assert_close(loops, torch.ones(case.n, dtype=torch.int64), what="the number of loops at each node")
    note(weights, "weights")
    sums = torch.stack([weights[edges[1] == node].sum(0) for node in range(case.n)])
    ones = torch.ones(case.n, case.heads, dtype=torch.float64)
    assert_close(sums, ones, what="sum of weights over the edges into each node", dims="nodes heads")


@exercise("GATLayer", points=9)
@settings(max_examples=12)  # several calls each
@given(case=gat_cases())
def test_attention_does_not_know_the_numbering_of_nodes(student, case):
    layer = case.gat_layer(student)
    check_node_order(lambda edges, x: layer(x, edges), case.edge_index, [case.x], case.node_order)


@exercise("EdgeMessageLayer", points=6)
@given(case=edge_message_cases(min_edges=1))
def test_an_edge_hears_of_its_two_ends_and_itself_only(student, case):
    layer = case.layer(student)
    own = torch.zeros(case.n_edges, dtype=torch.bool)
    own[0] = True
    ends = torch.zeros(case.n, dtype=torch.bool)
    ends[case.edge_index[:, 0]] = True
    check_ignores(
        lambda x, edge_attr: expect_outputs(layer(x, case.edge_index, edge_attr), MESSAGES)[1],
        [case.x, case.edge_attr],
        [~ends, ~own],
        changed="all nodes but the ends of edge 0, and all edges but edge 0",
        because="only e' of edge 0 is compared",
        names=("e'",),
        keep=[own],
        not_finite=False,
    )


@exercise("EdgeMessageLayer", points=6)
@given(case=edge_message_cases())
def test_a_node_hears_of_the_edges_into_it_only(student, case):
    layer, node = case.layer(student), int(case.node_order[0])
    incoming = case.target == node
    near = torch.zeros(case.n, dtype=torch.bool)
    near[[node, *case.source[incoming].tolist()]] = True
    own = torch.zeros(case.n, dtype=torch.bool)
    own[node] = True
    check_ignores(
        lambda x, edge_attr: expect_outputs(layer(x, case.edge_index, edge_attr), MESSAGES)[0],
        [case.x, case.edge_attr],
        [~near, ~incoming],
        changed=f"nodes without an edge to node {node}, and edges that do not end there",
        because=f"only x' of node {node} is compared",
        names=("x'",),
        keep=[own],
        not_finite=False,
    )


@exercise("EdgeMessageLayer", points=6)
@given(case=edge_message_cases(min_edges=1, hidden=16))
def test_messages_are_added_up_so_that_duplicates_count(student, case):
    layer = case.layer(student)
    x, edge_index, edge_attr = case.inputs
    once = layer(x, edge_index, edge_attr)
    twice = layer(x, edge_index.repeat(1, 2), edge_attr.repeat(2, 1))
    (nodes, edges), (nodes_twice, edges_twice) = (
        expect_outputs(once, MESSAGES),
        expect_outputs(twice, MESSAGES),
    )
    assert_unchanged(
        edges_twice,
        expect_no_nan(edges, what="e'").repeat(2, 1),
        changed="every edge is there twice",
        because="the same f_e serves every edge",
        what="e', twice",
    )
    assert_shape(nodes, (case.n, case.hidden), what="x'", dims="nodes hidden")
    if (expect_no_nan(nodes_twice, what="x'") - expect_no_nan(nodes, what="x'")).abs().max() < 1e-9:
        raise CheckFailure(
            ("changed", "every edge is there twice"),
            ("expected", "another x' where edges end"),
            ("got", "the same"),
            because="a node hears the sum of what its edges say, not their mean or maximum",
        )


@exercise("sample_neighbours", points=4)
@given(case=sampling_cases())
def test_every_node_keeps_as_many_of_its_edges_as_it_may(student, case):
    got = student.sample_neighbours(case.edge_index, case.n, case.fanout, generator(case.seed))
    kept, given_edges = edge_counts(expect_edge_index(got)), edge_counts(case.edge_index)
    note(got, "edge_index")
    if kept - given_edges:
        extra = ", ".join(f"{s}→{t}" for s, t in (kept - given_edges).elements())
        raise CheckFailure(
            ("wrong", f"these edges are new, or there more often than before: {extra}"),
            because="edges are drawn without replacement from those that exist",
        )
    expected = torch.stack([(case.target == node).sum() for node in range(case.n)]).clamp(max=case.fanout)
    found = torch.stack([(got[1] == node).sum() for node in range(case.n)])
    assert_close(
        found,
        expected,
        what="the number of edges into each node",
        because=f"a node keeps {case.fanout} of its edges, or all if it has no more",
    )


@exercise("sample_neighbours", points=4)
@given(seed=seeds())
def test_the_generator_decides_which_edges_and_nothing_else(student, seed):
    edge_index = edges_of([(s, t) for s in range(6) for t in range(6) if s != t])
    check_deterministic_under_generator(
        lambda draw: student.sample_neighbours(edge_index, 6, 2, draw),
        seed,
        varies=True,
        names=("edge_index",),
    )


@exercise("sample_neighbours", points=4)
@settings(max_examples=3)
@given(case=sampling_cases())
def test_a_fanout_below_one_is_refused(student, case):
    for fanout in (0, -2):
        expect_value_error(
            lambda fanout=fanout: student.sample_neighbours(case.edge_index, case.n, fanout, generator(0)),
            "fanout",
            fanout,
        )
