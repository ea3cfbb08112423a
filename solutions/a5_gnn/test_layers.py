"""Hidden checks of layers.py."""

import itertools

import torch
from hypothesis import given, settings
from torch import nn
from torch.func import functional_call
from torch_geometric.nn import GATConv, GCNConv, SAGEConv

from assignments.a5_gnn.cases import (
    dense_cases,
    edge_message_cases,
    gat_cases,
    layer_cases,
    sampling_cases,
    sparse_graph,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    check_cost_growth,
    check_dtype_and_device,
    check_gradcheck,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
    expect_no_nan,
    expect_outputs,
    expect_tuple,
    fresh,
    generator,
    gradients,
    note,
)
from autograder.checks.graphs import (
    assert_edges,
    check_edge_order,
    check_node_order,
    check_parts_apart,
    edges_of,
    expect_edge_index,
)
from autograder.checks.strategies import seeds, tensor_from
from solutions.a5_gnn import oracles

INPUTS = ("x", "edge_index")
MESSAGES = ("x'", "e'")


class Library(nn.Module):
    """A convolution of PyTorch Geometric, with the parameters of a state dict under the course's names."""

    def __init__(self, conv, state, theirs):
        super().__init__()
        # Not registered: its own parameters are replaced in each call.
        self.__dict__["conv"] = conv
        self.__dict__["theirs"] = theirs
        for name, value in state.items():
            self.register_parameter(name, nn.Parameter(value.clone()))

    def forward(self, x, edge_index, **options):
        shapes = {name: p.shape for name, p in self.conv.named_parameters()}
        given = {self.theirs[name]: p for name, p in self.named_parameters()}
        given = {name: p.reshape(shapes[name]) for name, p in given.items()}
        return functional_call(self.conv, given, (x, edge_index), options)


def mean_library(case):
    conv = SAGEConv(case.in_size, case.out_size, aggr="mean")
    names = {"w_self": "lin_r.weight", "w_nbr": "lin_l.weight", "bias": "lin_l.bias"}
    return Library(conv, case.mean_state, names)


def gcn_library(case):
    conv = GCNConv(case.in_size, case.out_size)
    return Library(conv, case.gcn_state, {"w": "lin.weight", "bias": "bias"})


def gat_library(case):
    conv = GATConv(
        case.in_size,
        case.out_size,
        heads=case.heads,
        concat=case.concat,
        negative_slope=case.negative_slope,
    )
    names = {"w": "lin.weight", "att_src": "att_src", "att_dst": "att_dst", "bias": "bias"}
    return Library(conv, case.gat_state, names)


def check_layer_gradients(layer, library, case):
    check_gradients(
        lambda x: layer(x, case.edge_index),
        [case.x],
        lambda x: library(x, case.edge_index),
        names=("x",),
        modules=(layer, library),
    )


def check_layer_edges(layer, case):
    """The order of edges means nothing, and a second graph beside this one changes nothing."""
    check_edge_order(lambda edges, x: layer(x, edges), case.edge_index, [case.x], case.edge_order)
    check_parts_apart(lambda edges, x: layer(x, edges), [case, case], [case.x, 1 - case.x])


def check_layer_inputs(layer, case, terms=16):
    check_layouts(layer, [case.x, case.edge_index])
    check_pure(layer, case.x, case.edge_index, names=INPUTS)
    check_dtype_and_device(lambda x: layer.to(x.dtype)(x, case.edge_index), [case.x], terms=terms)


@exercise("NeighbourMeanLayer", points=6)
@given(case=layer_cases())
def test_the_mean_aggregator_of_pytorch_geometric(student, case):
    expected = mean_library(case)(case.x, case.edge_index).detach()
    assert_close(case.mean_layer(student)(case.x, case.edge_index), expected, dims="nodes out")


@exercise("NeighbourMeanLayer", points=6)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_gradients_of_the_mean_layer(student, case):
    check_layer_gradients(case.mean_layer(student), mean_library(case), case)


@exercise("NeighbourMeanLayer", points=6)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_the_mean_layer_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_layer_inputs(case.mean_layer(student), case)


@exercise("GCNLayer", points=8)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_gradients_of_the_convolution(student, case):
    check_layer_gradients(case.gcn_layer(student), gcn_library(case), case)


@exercise("GCNLayer", points=8)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases(min_edges=1))
def test_convolutions_of_graphs_side_by_side_with_edges_in_any_order(student, case):
    check_layer_edges(case.gcn_layer(student), case)


@exercise("GCNLayer", points=8)
@settings(max_examples=12)  # several calls each
@given(case=layer_cases())
def test_the_convolution_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_layer_inputs(case.gcn_layer(student), case)


@exercise("gcn_dense", points=4)
@given(case=dense_cases())
def test_the_matrix_form_node_by_node(student, case):
    expected = oracles.convolve(case.x, case.adj, case.w)
    assert_close(student.gcn_dense(case.x, case.adj, case.w), expected, dims="nodes out")


@exercise("gcn_dense", points=4)
@settings(max_examples=12)  # several calls each
@given(case=dense_cases())
def test_gradients_of_the_matrix_form(student, case):
    check_gradients(
        lambda x, w: student.gcn_dense(x, case.adj, w),
        [case.x, case.w],
        lambda x, w: oracles.convolve(x, case.adj, w),
        names=("x", "w"),
    )


@exercise("gcn_dense", points=4)
@settings(max_examples=12)  # several calls each
@given(case=dense_cases())
def test_the_matrix_form_on_inputs_of_any_dtype_and_memory_layout(student, case):
    def convolve(x, w):
        adj = fresh(case.adj)
        return student.gcn_dense(x, adj.to(x.dtype) if adj.is_floating_point() else adj, w)

    check_dtype_and_device(convolve, [case.x, case.w], terms=16)
    check_layouts(student.gcn_dense, [case.x, case.adj, case.w])
    check_pure(student.gcn_dense, case.x, case.adj, case.w, names=("x", "adj", "w"))


@exercise("GATLayer", points=9)
@settings(max_examples=12)  # several calls each
@given(case=gat_cases())
def test_gradients_of_attention(student, case):
    check_layer_gradients(case.gat_layer(student), gat_library(case), case)


@exercise("GATLayer", points=9)
@given(case=gat_cases())
def test_weights_come_with_their_edges(student, case):
    layer = case.gat_layer(student)
    alone = layer(case.x, case.edge_index)
    result = layer(case.x, case.edge_index, return_weights=True)
    out, returned = expect_tuple(result, 2, ("result", "(edge_index, weights)"))
    edges, weights = expect_tuple(returned, 2, ("edge_index", "weights"))
    assert_unchanged(out, alone, changed="return_weights", what="result")
    library = gat_library(case)(case.x, case.edge_index, return_attention_weights=True)
    their_edges, their_weights = library[1]
    assert_edges(edges, their_edges)
    assert_shape(weights, (edges.shape[1], case.heads), what="weights", dims="edges heads")
    # Duplicates of an edge have the same weight, so any of them will do.
    places = {edge: k for k, edge in enumerate(zip(*their_edges.tolist(), strict=True))}
    order = [places[edge] for edge in zip(*edges.tolist(), strict=True)]
    expected = their_weights.detach()[order]
    assert_close(weights, expected, what="weights", because="row e belongs to column e of the edges")


@exercise("GATLayer", points=9)
@settings(max_examples=12)  # several calls each
@given(case=gat_cases())
def test_attention_of_graphs_side_by_side_with_edges_in_any_order(student, case):
    check_layer_edges(case.gat_layer(student), case)


@exercise("GATLayer", points=9)
@settings(max_examples=12)  # several calls each
@given(case=gat_cases())
def test_attention_on_inputs_of_any_dtype_and_memory_layout(student, case):
    layer = case.gat_layer(student)
    # Rounded scores are exponents: in bfloat16 they would say little of large ones.
    layer.load_state_dict({name: value / 4 for name, value in case.gat_state.items()})
    check_layer_inputs(layer, case, terms=32)


@exercise("GATLayer", points=9)
@given(case=gat_cases())
def test_attention_with_scores_of_any_size(student, case):
    layer, x = case.gat_layer(student), 1e3 * case.x
    assert_close(layer(x, case.edge_index), gat_library(case)(x, case.edge_index).detach(), dims="nodes out")


@exercise("EdgeMessageLayer", points=6)
@settings(max_examples=12)  # several calls each
@given(case=edge_message_cases())
def test_messages_know_neither_the_numbering_of_nodes_nor_the_order_of_edges(student, case):
    layer = case.layer(student)

    def messages(edge_index, x, edge_attr):
        return layer(x, edge_index, edge_attr)

    order = {"edges": [case.edge_attr], "names": MESSAGES}
    check_node_order(messages, case.edge_index, [case.x], case.node_order, per_node=(True, False), **order)
    check_edge_order(messages, case.edge_index, [case.x], case.edge_order, per_edge=(False, True), **order)


@exercise("EdgeMessageLayer", points=6)
@given(case=edge_message_cases(hidden=16), seed=seeds())
def test_source_target_and_the_edge_itself_matter_to_a_message_and_all_to_the_target(student, case, seed):
    layer = case.layer(student)
    edge_index = edges_of([(0, 1)])
    x = torch.randn(2, case.x.shape[1], generator=generator(seed), dtype=torch.float64)
    edge_attr = torch.randn(1, case.edge_attr.shape[1], generator=generator(seed + 1), dtype=torch.float64)
    before = layer(x, edge_index, edge_attr)
    swapped = layer(x, edge_index.flip(0), edge_attr)
    # Steps of several sizes, both ways: one alone may meet units that a ReLU keeps silent.
    steps = (1.0, -1.0, 10.0, -10.0)
    towards = torch.eye(2, dtype=torch.float64)[..., None]
    after = {
        "the source": [layer(x + step * towards[0], edge_index, edge_attr) for step in steps],
        "the target": [layer(x + step * towards[1], edge_index, edge_attr) for step in steps],
        "the edge": [layer(x, edge_index, edge_attr + step) for step in steps],
    }
    nodes, edges = (
        expect_no_nan(out, what=name)
        for name, out in zip(MESSAGES, expect_outputs(before, MESSAGES), strict=True)
    )
    note((nodes, edges), "result")
    assert_shape(nodes, (2, case.hidden), what="x'", dims="nodes hidden")
    assert_shape(edges, (1, case.hidden), what="e'", dims="edges hidden")

    def expect_change(changed, others, what, then, now, because):
        if not any((now(expect_outputs(other, MESSAGES)) - then).abs().max() > 1e-9 for other in others):
            raise CheckFailure(
                ("changed", changed), ("expected", f"another {what}"), ("got", "the same"), because=because
            )

    for changed, others in {**after, "the direction of the edge": [swapped]}.items():
        expect_change(changed, others, "e'", edges, lambda out: out[1], "e' = f_e([x_j, x_i, e])")
    for changed, others in after.items():
        because = "x'_i = f_v([x_i, Σ e'])"
        expect_change(changed, others, "x' of the target", nodes[1], lambda out: out[0][1], because)
    because = "x'_i = f_v([x_i, Σ e']), with a sum of 0 where no edge arrives"
    source = after["the source"]
    expect_change("the source", source, "x' of the source", nodes[0], lambda out: out[0][0], because)


@exercise("EdgeMessageLayer", points=6)
@settings(max_examples=8)  # finite differences call often
@given(case=edge_message_cases(min_edges=1, hidden=16))
def test_gradients_reach_nodes_edges_and_every_parameter(student, case):
    layer = case.layer(student)
    check_gradcheck(lambda x, edge_attr: layer(x, case.edge_index, edge_attr), [case.x, case.edge_attr])
    names, parameters = zip(*layer.named_parameters(), strict=True)
    nodes, _ = expect_outputs(layer(*case.inputs), MESSAGES)
    for name, grad in zip(names, gradients(nodes, parameters), strict=True):
        if not grad.any():
            raise CheckFailure(
                ("wrong", f"x' does not depend on the parameter {name}"),
                because="f_v is learned on the sum of what f_e, learned too, gives",
            )


@exercise("EdgeMessageLayer", points=6)
@settings(max_examples=12)  # several calls each
@given(case=edge_message_cases())
def test_messages_of_inputs_of_any_dtype_and_memory_layout_or_of_no_edges(student, case):
    layer = case.layer(student)
    check_layouts(layer, case.inputs, names=MESSAGES)
    check_pure(layer, *case.inputs, names=("x", "edge_index", "edge_attr"))
    none = layer(case.x, case.edge_index[:, :0], case.edge_attr[:0])
    alone = layer(case.x[:1], case.edge_index[:, :0], case.edge_attr[:0])
    (nodes, edges), (node, _) = expect_outputs(none, MESSAGES), expect_outputs(alone, MESSAGES)
    assert_shape(edges, (0, case.hidden), what="e' without an edge", dims="edges hidden")
    assert_unchanged(node, nodes[:1], changed="all nodes but node 0 left out", what="x' without an edge")
    check_dtype_and_device(
        lambda x, edge_attr: layer.to(x.dtype)(x, case.edge_index, edge_attr),
        [case.x, case.edge_attr],
        names=MESSAGES,
        terms=64,
    )


@exercise("sample_neighbours", points=4)
@settings(max_examples=12)  # several calls each
@given(case=sampling_cases())
def test_edges_to_sample_from_are_left_alone_and_may_lie_in_memory_as_they_like(student, case):
    def sample(edges):
        return student.sample_neighbours(edges, case.n, case.fanout, generator(case.seed))

    check_pure(sample, case.edge_index, names=("edge_index",))
    check_layouts(sample, [case.edge_index], names=("edge_index",))


@exercise("sample_neighbours", points=4)
@settings(max_examples=3)
@given(seed=seeds())
def test_every_choice_of_edges_is_as_likely_as_every_other(student, seed):
    """2000 nodes hear of sources 0, 1, 2 and 3, edge by edge in any order, and keep two."""
    nodes, sources, fanout = 2000, 4, 2
    edge_index = torch.cartesian_prod(torch.arange(sources), torch.arange(sources, sources + nodes)).t()
    edge_index = edge_index[:, torch.randperm(edge_index.shape[1], generator=generator(seed + 1))]
    got = student.sample_neighbours(edge_index, sources + nodes, fanout, generator(seed))
    share = shares_of_pairs(got, sources, nodes)
    choices = len(share)
    # Six standard deviations of a binomial share: a sound sampler misses one of six in 10^8 draws.
    spread = 6 * (1 / choices * (1 - 1 / choices) / nodes) ** 0.5
    assert_close(
        share,
        torch.full((choices,), 1 / choices, dtype=torch.float64),
        what="the share of nodes that keep each pair of sources",
        because=f"{nodes} nodes keep {fanout} of {sources} edges each, uniformly; the pairs are "
        "0 and 1, 0 and 2, 0 and 3, 1 and 2, 1 and 3, 2 and 3",
        rtol=0,
        atol=spread,
    )


@exercise("sample_neighbours", points=4)
@settings(max_examples=3)
@given(seed=seeds())
def test_duplicates_are_drawn_as_edges_of_their_own(student, seed):
    """2000 nodes hear of source 0 twice and of source 1 once, and keep two edges: a third of them 0 and 0."""
    nodes = 2000
    edge_index = torch.cartesian_prod(torch.tensor([0, 1, 0]), torch.arange(2, 2 + nodes)).t()
    got = expect_edge_index(student.sample_neighbours(edge_index, 2 + nodes, 2, generator(seed)))
    from_zero = torch.bincount(got[1][got[0] == 0].clamp(0, 1 + nodes), minlength=2 + nodes)[2:]
    assert_close(
        (from_zero == 2).double().mean(),
        torch.tensor(1 / 3, dtype=torch.float64),
        what="the share of nodes that keep both edges from source 0",
        because="two of three edges are kept, uniformly",
        rtol=0,
        # Six standard deviations: a sound sampler misses it twice in 10^9 draws.
        atol=6 * (2 / 9 / nodes) ** 0.5,
    )


def shares_of_pairs(edge_index, sources, nodes):
    """How often two sources are what a node keeps, of all pairs of sources in order."""
    kept = torch.zeros(nodes, sources, dtype=torch.int64)
    source, target = expect_edge_index(edge_index)
    inside = (source < sources) & (target >= sources)
    kept.index_put_((target[inside] - sources, source[inside]), torch.tensor(1), accumulate=True)
    pairs = itertools.combinations(range(sources), 2)
    return torch.stack([(kept[:, a].eq(1) & kept[:, b].eq(1)).double().mean() for a, b in pairs])


FEW_EDGES, MANY_EDGES = 160, 2560
MESSAGE_PASSING = "a layer makes a message an edge and a sum a node, never something a pair of nodes"


@exercise("NeighbourMeanLayer", points=6)
def test_the_mean_costs_in_proportion_to_the_edges(student):
    expect_cost_of_edges(student.NeighbourMeanLayer(4, 3), sparse_graph)


@exercise("GCNLayer", points=8)
def test_a_convolution_costs_in_proportion_to_the_edges(student):
    expect_cost_of_edges(student.GCNLayer(4, 3), sparse_graph)


@exercise("GATLayer", points=9)
def test_attention_costs_in_proportion_to_the_edges(student):
    expect_cost_of_edges(student.GATLayer(4, 3, heads=2), sparse_graph)


@exercise("EdgeMessageLayer", points=6)
def test_messages_cost_in_proportion_to_the_edges(student):
    def graph(n_edges):
        return *sparse_graph(n_edges), tensor_from(n_edges + 1, (n_edges, 2), dtype=torch.float32)

    expect_cost_of_edges(student.EdgeMessageLayer(4, 2, 3), graph)


def expect_cost_of_edges(layer, graph):
    check_cost_growth(layer, graph, FEW_EDGES, MANY_EDGES, of="edges", because=MESSAGE_PASSING)
