"""Cases for the checks of this unit: what a check is run on, drawn by Hypothesis.

Every case is a graph with something on it. The last functions say what several checks expect.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import CheckFailure, expect_no_nan, fill_parameters, fresh, generator, note
from autograder.checks.graphs import Graph, disjoint_union, edge_indices, edges_of, graph_batches, orders
from autograder.checks.strategies import dimensions, distinct_sizes, seeds, sizes, tensor_from
from autograder.checks.strategies import tensors as any_tensors

# Made once: a strategy is validated when it is first drawn from, which takes longer than a draw.
SEEDS = seeds()
TWO_SIZES, THREE_SIZES = dimensions(2, max=4), dimensions(3, max=3)
THREE_DISTINCT = distinct_sizes(3, max=4)


@dataclass(frozen=True, eq=False)
class GraphCase(Graph):
    node_order: Tensor
    edge_order: Tensor


@st.composite
def graph_cases(draw: DrawFn, min_nodes: int = 1, min_edges: int = 0) -> GraphCase:
    n = draw(sizes(5, min=min_nodes))
    edge_index = draw(edge_indices(n, min_edges=min_edges))
    return GraphCase(edge_index, n, draw(orders(n)), draw(orders(edge_index.shape[1])))


@st.composite
def adjacencies(draw: DrawFn, max_nodes: int = 4) -> Tensor:
    """Edge counts of every pair `(n, n)`, up to 3, of some integer dtype."""
    n = draw(sizes(max_nodes))
    counts = draw(st.lists(st.sampled_from((0, 0, 0, 1, 1, 2, 3)), min_size=n * n, max_size=n * n))
    dtype = draw(st.sampled_from((torch.int64, torch.int32)))
    return torch.tensor(counts, dtype=dtype).reshape(n, n)


@dataclass(frozen=True, eq=False)
class ScatterCase:
    src: Tensor
    index: Tensor
    n: int
    order: Tensor
    """Of the messages."""


@st.composite
def scatter_cases(draw: DrawFn, min_dims: int = 1) -> ScatterCase:
    """Messages (E, features) or, with `min_dims` 0, also (E,), to nodes of which some get nothing."""
    n = draw(sizes(5))
    index = draw(st.lists(st.integers(0, n - 1), max_size=8))
    shape = draw(st.lists(sizes(3), min_size=min_dims, max_size=1))
    src = draw(any_tensors((len(index), *shape)))
    return ScatterCase(src, torch.tensor(index, dtype=torch.int64), n, draw(orders(len(index))))


@dataclass(frozen=True, eq=False)
class LayerCase(GraphCase):
    x: Tensor
    out_size: int
    seed: int = field(repr=False)
    """Of the weights."""

    @property
    def in_size(self) -> int:
        return self.x.shape[1]

    def weights(self, *shapes: tuple[int, ...]) -> list[Tensor]:
        """A normal tensor a shape, from the seed."""
        draw = generator(self.seed)
        return [torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]

    @cached_property
    def mean_state(self) -> dict[str, Tensor]:
        """The state dict of a NeighbourMeanLayer."""
        square = self.out_size, self.in_size
        names = "w_self", "w_nbr", "bias"
        return dict(zip(names, self.weights(square, square, (self.out_size,)), strict=True))

    @cached_property
    def gcn_state(self) -> dict[str, Tensor]:
        """The state dict of a GCNLayer."""
        shapes = (self.out_size, self.in_size), (self.out_size,)
        return dict(zip(("w", "bias"), self.weights(*shapes), strict=True))

    def mean_layer(self, student: Any) -> nn.Module:
        return _loaded(student.NeighbourMeanLayer(self.in_size, self.out_size), self.mean_state)

    def gcn_layer(self, student: Any) -> nn.Module:
        return _loaded(student.GCNLayer(self.in_size, self.out_size), self.gcn_state)


@st.composite
def layer_cases(draw: DrawFn, min_edges: int = 0) -> LayerCase:
    graph = draw(graph_cases(min_edges=min_edges))
    in_size, out_size = draw(TWO_SIZES)
    return LayerCase(
        *_fields(graph), x=draw(any_tensors((graph.n, in_size))), out_size=out_size, seed=draw(SEEDS)
    )


@dataclass(frozen=True, eq=False)
class DenseCase:
    x: Tensor
    adj: Tensor
    w: Tensor
    node_order: Tensor


@st.composite
def dense_cases(draw: DrawFn) -> DenseCase:
    adj = draw(adjacencies())
    if draw(st.booleans()):
        adj = adj.double()
    in_size, out_size = draw(TWO_SIZES)
    x, w = draw(any_tensors((len(adj), in_size))), draw(any_tensors((out_size, in_size)))
    return DenseCase(x, adj, w, draw(orders(len(adj))))


@dataclass(frozen=True, eq=False)
class GATCase(LayerCase):
    heads: int
    concat: bool
    negative_slope: float

    @cached_property
    def gat_state(self) -> dict[str, Tensor]:
        """The state dict of a GATLayer."""
        wide, head = self.heads * self.out_size, (self.heads, self.out_size)
        shapes = (wide, self.in_size), head, head, (wide if self.concat else self.out_size,)
        return dict(zip(("w", "att_src", "att_dst", "bias"), self.weights(*shapes), strict=True))

    def gat_layer(self, student: Any) -> nn.Module:
        layer = student.GATLayer(
            self.in_size,
            self.out_size,
            heads=self.heads,
            concat=self.concat,
            negative_slope=self.negative_slope,
        )
        return _loaded(layer, self.gat_state)


@st.composite
def gat_cases(draw: DrawFn) -> GATCase:
    """Joined and averaged heads, several slopes; no score is 0, where a LeakyReLU's gradient is free."""
    graph = draw(graph_cases())
    in_size, out_size, heads = draw(THREE_SIZES)
    return GATCase(
        *_fields(graph),
        x=tensor_from(1 + draw(SEEDS), (graph.n, in_size)),
        out_size=out_size,
        seed=draw(SEEDS),
        heads=heads,
        concat=draw(st.booleans()),
        negative_slope=draw(st.sampled_from((0.2, 0.5, 0.0))),
    )


@dataclass(frozen=True, eq=False)
class EdgeMessageCase(GraphCase):
    x: Tensor
    edge_attr: Tensor
    hidden: int
    seed: int = field(repr=False)
    """Of the weights."""

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.x, self.edge_index, self.edge_attr

    def layer(self, student: Any) -> nn.Module:
        """The student's layer with weights from the seed, in float64."""
        layer = student.EdgeMessageLayer(self.x.shape[1], self.edge_attr.shape[1], self.hidden).double()
        fill_parameters(layer, self.seed)
        return layer


@st.composite
def edge_message_cases(draw: DrawFn, min_edges: int = 0, hidden: int | None = None) -> EdgeMessageCase:
    """Features are never 0, where a nonlinearity may have no slope; `hidden` is drawn if not given."""
    graph = draw(graph_cases(min_edges=min_edges))
    node_size, edge_size, drawn = draw(THREE_SIZES)
    x = tensor_from(1 + draw(SEEDS), (graph.n, node_size))
    edge_attr = tensor_from(1 + draw(SEEDS), (graph.n_edges, edge_size))
    return EdgeMessageCase(*_fields(graph), x, edge_attr, hidden or drawn, 1 + draw(SEEDS))


@dataclass(frozen=True, eq=False)
class SamplingCase(Graph):
    fanout: int
    seed: int


@st.composite
def sampling_cases(draw: DrawFn) -> SamplingCase:
    n = draw(sizes(4))
    return SamplingCase(draw(edge_indices(n, max_edges=10)), n, draw(sizes(4)), draw(SEEDS))


@dataclass(frozen=True, eq=False)
class ModelCase(GraphCase):
    """For GCN and GAT: no two sizes are the same, so that parameters can be told apart by their shapes."""

    x: Tensor
    hidden: int
    heads: int
    n_classes: int
    dropout: float
    seed: int = field(repr=False)
    """Of the weights."""

    def model(self, student: Any, kind: str) -> nn.Module:
        """The student's GCN or GAT with weights from the seed, in float64 and in `eval()` mode."""
        heads = [self.heads] if kind == "GAT" else []
        make = getattr(student, kind)
        model = make(self.x.shape[1], self.hidden, *heads, self.n_classes, self.dropout).double().eval()
        fill_parameters(model, self.seed)
        return model


@st.composite
def model_cases(
    draw: DrawFn, dropout: float | None = None, lively: bool = False, min_nodes: int = 1, min_edges: int = 0
) -> ModelCase:
    """`lively` ones have nodes and hidden features enough that something is always dropped."""
    if lively:
        min_nodes, min_edges = 3, 3
    graph = draw(graph_cases(min_nodes, min_edges))
    in_size, hidden, n_classes = draw(THREE_DISTINCT)
    rate = draw(st.sampled_from((0.0, 0.5))) if dropout is None else dropout
    x = tensor_from(1 + draw(SEEDS), (graph.n, in_size))
    if lively:
        hidden, x = 32, x.repeat(1, 8)
    return ModelCase(*_fields(graph), x, hidden, draw(sizes(3)), n_classes, rate, 1 + draw(SEEDS))


@dataclass(frozen=True, eq=False)
class PathCase:
    """A path 0→1→…→4 whose nodes are called otherwise."""

    edge_index: Tensor
    path: Tensor
    """The nodes from the first to the last."""
    x: Tensor
    seed: int


@st.composite
def path_cases(draw: DrawFn, length: int = 5) -> PathCase:
    path = draw(orders(length))
    edge_index = torch.stack([path[:-1], path[1:]])
    return PathCase(edge_index, path, tensor_from(1 + draw(SEEDS), (length, 3)), 1 + draw(SEEDS))


@dataclass(frozen=True, eq=False)
class BatchCase(Graph):
    """Several graphs side by side, without nodes perhaps, whose nodes stand in one row in any order."""

    parts: tuple[Graph, ...] = field(repr=False)
    """The graphs alone."""
    nodes: tuple[Tensor, ...] = field(repr=False)
    """For every part, its nodes' places in the batch."""
    batch: Tensor
    x: Tensor
    node_order: Tensor
    seed: int = field(repr=False)
    """Of the weights."""

    @property
    def n_graphs(self) -> int:
        return len(self.parts)

    def classifier(self, student: Any, hidden: int = 5) -> nn.Module:
        """The student's GraphClassifier with weights from the seed, in float64, for 3 classes."""
        model = student.GraphClassifier(self.x.shape[1], hidden, 3).double().eval()
        fill_parameters(model, self.seed)
        return model


@st.composite
def batch_cases(draw: DrawFn, distinct: bool = False) -> BatchCase:
    """`distinct` features differ from one another, so that every maximum has one place."""
    parts = draw(graph_batches())
    whole, batch = disjoint_union(parts)
    order = draw(orders(whole.n))
    rank = order.argsort()
    batch = batch[order]
    shape = whole.n, draw(sizes(3))
    x = tensor_from(1 + draw(SEEDS), shape) if distinct else draw(any_tensors(shape))
    ends = torch.tensor([part.n for part in parts]).cumsum(0).tolist()
    nodes = tuple(rank[end - part.n : end] for part, end in zip(parts, ends, strict=True))
    return BatchCase(
        rank[whole.edge_index],
        whole.n,
        tuple(parts),
        nodes,
        batch,
        x,
        draw(orders(whole.n)),
        1 + draw(SEEDS),
    )


@dataclass(frozen=True, eq=False)
class NegativeCase(Graph):
    count: int
    seed: int


@st.composite
def negative_cases(draw: DrawFn, too_many: int = 0) -> NegativeCase:
    """As often as not, every pair that is left is asked for; or `too_many` more than there are."""
    n = draw(sizes(4, min=2))
    edge_index = draw(edge_indices(n, max_edges=n * (n - 1)))
    left = n * (n - 1) - len({(s, t) for s, t in edge_index.t().tolist() if s != t})
    if left == 0 and not too_many:  # then only a loop is there, as well as every pair
        edge_index, left = edges_of([(0, 0)]), n * (n - 1)
    count = left + too_many if too_many or draw(st.booleans()) else draw(st.integers(1, left))
    return NegativeCase(edge_index, n, count, draw(SEEDS))


@dataclass(frozen=True, eq=False)
class AutoEncoderCase(GraphCase):
    x: Tensor
    negative: Tensor
    hidden: int
    latent: int
    variational: bool
    seed: int = field(repr=False)
    """Of the weights."""

    def model(self, student: Any) -> nn.Module:
        """The student's GraphAutoEncoder with weights from the seed, in float64 and in `eval()` mode."""
        model = student.GraphAutoEncoder(
            self.x.shape[1], self.hidden, self.latent, variational=self.variational
        )
        model = model.double().eval()
        fill_parameters(model, self.seed, scale=0.5)
        return model


@st.composite
def auto_encoder_cases(draw: DrawFn, variational: bool | None = None) -> AutoEncoderCase:
    """No two sizes are the same, so that parameters can be told apart by their shapes."""
    graph = draw(graph_cases(min_edges=1))
    in_size, hidden, latent = draw(THREE_DISTINCT)
    return AutoEncoderCase(
        *_fields(graph),
        x=tensor_from(1 + draw(SEEDS), (graph.n, in_size)),
        negative=draw(edge_indices(graph.n, max_edges=5, min_edges=1)),
        hidden=hidden,
        latent=latent,
        variational=draw(st.booleans()) if variational is None else variational,
        seed=1 + draw(SEEDS),
    )


@dataclass(frozen=True, eq=False)
class TrainingCase(ModelCase):
    y: Tensor
    train_mask: Tensor
    lr: float
    weight_decay: float
    steps: int

    def train(self, student: Any, model: nn.Module, **changed: Any) -> Any:
        """What `train_nodes` returns; `changed` arguments go before those of the case."""
        names = "x", "edge_index", "y", "train_mask", "lr", "weight_decay", "steps"
        return student.train_nodes(model, *(changed.get(name, getattr(self, name)) for name in names))


@st.composite
def training_cases(draw: DrawFn, dropout: float = 0.0) -> TrainingCase:
    """Three nodes at least, the first in `node_order` with a label and the last without."""
    case = draw(model_cases(dropout=dropout, lively=dropout > 0, min_nodes=3, min_edges=3))
    y = torch.randint(case.n_classes, (case.n,), generator=generator(draw(SEEDS)))
    kept = draw(st.lists(st.booleans(), min_size=case.n, max_size=case.n))
    train_mask = torch.tensor(kept)
    train_mask[case.node_order[0]], train_mask[case.node_order[-1]] = True, False
    return TrainingCase(
        *_fields(case),
        y=y,
        train_mask=train_mask,
        lr=draw(st.sampled_from((0.1, 0.03))),
        weight_decay=draw(st.sampled_from((0.3, 0.0))),
        steps=draw(st.integers(2, 4)),
    )


@dataclass(frozen=True, eq=False)
class NaiveCase:
    adj: Tensor
    hidden: int
    n_classes: int
    perm: Tensor
    seed: int = field(repr=False)
    """Of the weights."""

    @property
    def n(self) -> int:
        return self.adj.shape[1]

    def model(self, student: Any) -> nn.Module:
        """The student's MLPOnAdjacency with weights from the seed, in float64."""
        model = student.MLPOnAdjacency(self.n, self.hidden, self.n_classes).double().eval()
        fill_parameters(model, self.seed)
        return model


@st.composite
def naive_cases(draw: DrawFn, max_nodes: int = 4, min_nodes: int = 1, wide: bool = False) -> NaiveCase:
    """`wide` ones have hidden units enough that some are awake."""
    batch, n = draw(sizes(3)), draw(sizes(max_nodes, min=min_nodes))
    hidden, n_classes = draw(TWO_SIZES)
    adj = torch.randint(0, 3, (batch, n, n), generator=generator(draw(SEEDS))).double()
    return NaiveCase(adj, 32 if wide else hidden, n_classes, draw(orders(n)), 1 + draw(SEEDS))


def sparse_graph(n_edges: int, size: int = 4) -> tuple[Tensor, Tensor]:
    """Node features (n_edges / 2, size) and edges (2, n_edges): two from every node, to near ones."""
    n = n_edges // 2
    source = torch.arange(n).repeat(2)
    steps = torch.tensor([1, 5]).repeat_interleave(n)
    return tensor_from(n_edges, (n, size), dtype=torch.float32), torch.stack([source, (source + steps) % n])


def expect_reach(model: Callable[[Tensor, Tensor], Tensor], case: PathCase, hops: int = 2) -> None:
    """The last node of the path hears of the nodes up to `hops` before it, and of none further away."""
    last = len(case.path) - 1
    # Steps both ways and of several sizes: one alone may meet units that a ReLU keeps silent.
    steps = (1.0, -1.0, 5.0, -5.0)
    before = model(case.x, case.edge_index)
    answers = {}
    for distance in (hops, hops + 1, last):
        away = torch.zeros_like(case.x)
        away[case.path[last - distance]] = 1
        answers[distance] = [model(case.x + step * away, case.edge_index) for step in steps]
    then = expect_no_nan(before)[case.path[last]]
    note(then, "the last node's output")
    for distance, afters in answers.items():
        changes = [(expect_no_nan(after)[case.path[last]] - then).abs().max() for after in afters]
        heard = bool(max(changes) > 1e-9)
        if heard != (distance == hops):
            raise CheckFailure(
                ("changed", f"the features of the node {distance} edges before node {int(case.path[last])}"),
                ("expected", f"{'another' if distance == hops else 'the same'} output for the latter"),
                ("got", "another" if heard else "the same"),
                because=f"{hops} layers carry messages {hops} edges far, from source to target",
            )


def _loaded(layer: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    layer = layer.double()
    layer.load_state_dict(state)
    return layer


def _fields(case: Any) -> tuple[Any, ...]:
    """The values of a case's fields, for a case that adds to them."""
    return tuple(getattr(case, name) for name in case.__dataclass_fields__)
