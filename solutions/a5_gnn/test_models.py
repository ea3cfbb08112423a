"""Hidden checks of models.py."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from assignments.a5_gnn.cases import (
    auto_encoder_cases,
    batch_cases,
    model_cases,
    negative_cases,
    sparse_graph,
    training_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    check_cost_growth,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    check_training_steps,
    exercise,
    expect_losses,
    expect_no_nan,
    expect_tensor,
    fresh,
    generator,
    gradients,
    leaf,
    note,
)
from autograder.checks.graphs import check_edge_order, check_node_order, edges_of, expect_edge_index
from autograder.checks.strategies import seeds, tensor_from
from solutions.a5_gnn import oracles

KINDS = ("sum", "mean", "max")
LAYERS = "its layers make a message an edge and a sum a node, never something a pair of nodes"
ITS_GRAPH = "a node belongs to one graph, and is nothing to all the others of the batch"
POOLS = {"sum": global_add_pool, "mean": global_mean_pool, "max": global_max_pool}


def reading_of(model, shapes, fits):
    """The parameters of `model`, whose names are free, in the order of `shapes`, such that `fits` holds.

    None where they are held in another form than these shapes: by head, say. As many numbers must be learned.
    """
    size = sum(p.numel() for p in model.parameters())
    if size != oracles.size_of(shapes):
        raise CheckFailure(
            ("wrong", f"{size} numbers are learned"),
            (
                "expected",
                f"{oracles.size_of(shapes)}, in parameters of the shapes {', '.join(map(str, shapes))}",
            ),
        )
    readings = list(oracles.readings(model, shapes))
    return next(filter(fits, readings), readings[0] if readings else None)


def check_model(model, case, shapes, oracle, because):
    """The output, returned, and gradients of two layers, by parameters that are known by their shapes."""
    x = leaf(case.x)
    out = model(x, case.edge_index)
    assert_shape(expect_no_nan(out), (case.n, case.n_classes), dims="nodes n_classes")
    note(out)
    parameters = reading_of(
        model, shapes, lambda given: torch.allclose(out, oracle(case, given, case.x), atol=1e-8)
    )
    if parameters is None:
        return out
    ours = leaf(case.x)
    expected = oracle(case, parameters, ours)
    assert_close(out, expected.detach(), because=because, dims="nodes n_classes")
    got = gradients(out, [x, *parameters])
    for i, (mine, right) in enumerate(zip(got, gradients(expected, [ours, *parameters]), strict=True)):
        name = "x" if i == 0 else f"a parameter of shape {shapes[i - 1]}"
        assert_close(mine, right, what=f"gradient of {name}", because=because)
    return out


def shrink(model):
    """To a quarter: what is rounded in a narrow dtype grows with every layer, and in an exponent."""
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(0.25)


def check_model_inputs(model, case):
    """In `eval()`, as cases make it."""
    check_edge_order(lambda edges, x: model(x, edges), case.edge_index, [case.x], case.edge_order)
    check_layouts(model, [case.x, case.edge_index])
    check_pure(model, case.x, case.edge_index, names=("x", "edge_index"))
    shrink(model)
    check_dtype_and_device(lambda x: model.to(x.dtype)(x, case.edge_index), [case.x], terms=32)


@exercise("GCN", points=4)
@given(case=model_cases())
def test_two_convolutions_with_a_relu_between(student, case):
    because = "conv_2(relu(conv_1(x)))"
    check_model(case.model(student, "GCN"), case, oracles.gcn_shapes(case), oracles.gcn, because)


@exercise("GCN", points=4)
@settings(max_examples=15)
@given(case=model_cases())
def test_a_gcn_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_model_inputs(case.model(student, "GCN"), case)


@exercise("GCN", points=4)
def test_a_gcn_costs_in_proportion_to_the_edges(student):
    check_cost_growth(student.GCN(4, 3, 2, 0.0), sparse_graph, 160, 2560, of="edges", because=LAYERS)


@exercise("GAT", points=4)
@given(case=model_cases())
def test_two_attention_layers_with_an_elu_between(student, case):
    because = "attend_2(elu(attend_1(x))), joined heads and then one"
    model = case.model(student, "GAT")
    out = check_model(model, case, oracles.gat_shapes(case), oracles.gat, because)
    # Parameters of other shapes may well be right, but not where heads and features are confused.
    confused = replace(case, heads=case.hidden, hidden=case.heads)
    if case.heads == case.hidden or not (case.source != case.target).any():
        return
    for parameters in oracles.readings(model, oracles.gat_shapes(confused)):
        if torch.allclose(out, oracles.gat(case, parameters, case.x), rtol=1e-9, atol=1e-9):
            raise CheckFailure(
                ("wrong", f"the first layer has {confused.heads} heads of {confused.hidden} features"),
                ("expected", f"heads = {case.heads} of hidden = {case.hidden} features each"),
            )


@exercise("GAT", points=4)
@settings(max_examples=15)
@given(case=model_cases())
def test_a_gat_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_model_inputs(case.model(student, "GAT"), case)


@exercise("GAT", points=4)
def test_a_gat_costs_in_proportion_to_the_edges(student):
    check_cost_growth(student.GAT(4, 3, 2, 2, 0.0), sparse_graph, 160, 2560, of="edges", because=LAYERS)


@exercise("global_pool", points=4)
@given(case=batch_cases(distinct=True), kind=st.sampled_from(KINDS))
def test_the_pools_of_pytorch_geometric(student, case, kind):
    got = student.global_pool(case.x, case.batch, case.n_graphs, kind)
    assert_close(got, POOLS[kind](case.x, case.batch, case.n_graphs), dims="graphs features")


@exercise("global_pool", points=4)
@settings(max_examples=12)  # several calls each
@given(case=batch_cases(distinct=True), kind=st.sampled_from(KINDS))
def test_gradients_of_pools(student, case, kind):
    check_gradients(
        lambda x: student.global_pool(x, case.batch, case.n_graphs, kind),
        [case.x],
        lambda x: POOLS[kind](x, case.batch, case.n_graphs),
        names=("x",),
    )


@exercise("global_pool", points=4)
@settings(max_examples=12)  # several calls each
@given(case=batch_cases(), kind=st.sampled_from(KINDS))
def test_pools_of_inputs_of_any_dtype_and_memory_layout(student, case, kind):
    def pool(x, batch):
        return student.global_pool(x, batch, case.n_graphs, kind)

    check_dtype_and_device(lambda x: pool(x, case.batch), [case.x])
    check_layouts(pool, [case.x, case.batch])
    check_pure(pool, case.x, case.batch, names=("x", "batch"))


@exercise("global_pool", points=4)
def test_pooling_costs_in_proportion_to_the_batch(student):
    for kind in KINDS:

        def batch(n_graphs, kind=kind):
            return tensor_from(1, (2 * n_graphs, 2)), torch.arange(2 * n_graphs) // 2, n_graphs, kind

        check_cost_growth(student.global_pool, batch, 64, 1024, of=f"graphs ({kind})", because=ITS_GRAPH)


@exercise("GraphClassifier", points=4)
@settings(max_examples=10)
@given(seed=seeds())
def test_a_class_depends_on_edges_and_on_features(student, seed):
    model = student.GraphClassifier(2, 32, 4).double().eval()
    x, batch = leaf(tensor_from(1 + seed, (6, 2))), torch.zeros(6, dtype=torch.int64)
    path = edges_of([(i, i + 1) for i in range(5)])
    before = model(x, path, batch, 1)
    others = {
        "the edges: none are left": model(x, path[:, :0], batch, 1),
        "the edges: 0→5 instead of 2→3": model(
            x, edges_of([(0, 1), (1, 2), (0, 5), (3, 4), (4, 5)]), batch, 1
        ),
        "the features of every node": model(x + 1, path, batch, 1),
    }
    before = expect_no_nan(assert_shape(before, (1, 4), dims="graphs classes"))
    note(before)
    for changed, after in others.items():
        if (expect_no_nan(after) - before).abs().max() < 1e-9:
            raise CheckFailure(("changed", changed), ("expected", "other scores"), ("got", "the same"))
    if not gradients(before, [x])[0].any():
        raise CheckFailure(("wrong", "the scores do not depend on x as far as autograd can see"))


@exercise("GraphClassifier", points=4)
@settings(max_examples=12)  # several calls each
@given(case=batch_cases())
def test_a_classifier_on_inputs_of_any_dtype_and_with_edges_in_any_order(student, case):
    model = case.classifier(student)
    inputs = case.x, case.edge_index, case.batch

    def classify(x, edge_index, batch):
        return model(x, edge_index, batch, case.n_graphs)

    check_edge_order(
        lambda edges, x: classify(x, edges, case.batch),
        case.edge_index,
        [case.x],
        torch.arange(case.n_edges).flip(0),
        gradient=False,
    )
    check_layouts(lambda x, edges: classify(x, edges, case.batch), inputs[:2])
    check_pure(classify, *inputs, names=("x", "edge_index", "batch"))
    shrink(model)
    check_dtype_and_device(
        lambda x: model.to(x.dtype)(x, case.edge_index, case.batch, case.n_graphs), [case.x], terms=64
    )


@exercise("GraphClassifier", points=4)
def test_a_batch_costs_in_proportion_to_its_graphs(student):
    def batch(n_graphs):
        nodes = torch.arange(2 * n_graphs)
        x = tensor_from(1, (2 * n_graphs, 3), dtype=torch.float32)
        return x, torch.stack([nodes, nodes ^ 1]), nodes // 2, n_graphs

    check_cost_growth(student.GraphClassifier(3, 2, 2), batch, 64, 1024, of="graphs", because=ITS_GRAPH)


@exercise("link_scores", points=2)
@given(case=auto_encoder_cases(variational=False))
def test_scores_are_dot_products_with_their_gradients(student, case):
    check_gradients(
        lambda z: student.link_scores(z, case.edge_index),
        [case.x],
        lambda z: (z @ z.t())[case.source, case.target],
        names=("z",),
    )
    expected = (case.x @ case.x.t())[case.source, case.target]
    assert_close(student.link_scores(case.x, case.edge_index), expected, what="scores", dims="edges")


@exercise("link_scores", points=2)
@settings(max_examples=12)  # several calls each
@given(case=auto_encoder_cases(variational=False))
def test_scores_of_inputs_of_any_dtype_and_memory_layout(student, case):
    check_dtype_and_device(lambda z: student.link_scores(z, case.edge_index), [case.x])
    check_layouts(student.link_scores, [case.x, case.edge_index])
    check_pure(student.link_scores, case.x, case.edge_index, names=("z", "edge_index"))


@exercise("link_scores", points=2)
def test_scores_cost_in_proportion_to_the_edges(student):
    def links(count):
        return tensor_from(1, (6, 3)), torch.stack([torch.arange(count) % 6, torch.arange(count) % 5])

    because = "an edge has one score: the product of its own two ends"
    check_cost_growth(student.link_scores, links, 64, 1024, of="edges among 6 nodes", because=because)


@exercise("negative_edges", points=4)
@settings(max_examples=3)
@given(seed=seeds())
def test_every_pair_that_is_left_is_as_likely_as_every_other(student, seed):
    """Nodes of the first half point at two thirds of all others, so that few pairs are left there."""
    n = 120
    existing = [(s, (s + step) % n) for s in range(n // 2) for step in range(1, 81)]
    edge_index = edges_of([*existing, *((node, node) for node in range(n)), *existing[:200]])
    left = torch.ones(n, n, dtype=torch.bool).fill_diagonal_(False)
    left[edge_index[0], edge_index[1]] = False
    free = int(left.sum())
    counts = free // 5, free * 3 // 4  # a sampler may go about few and many in different ways
    drawn = [student.negative_edges(edge_index, n, count, generator(seed)) for count in counts]
    for count, got in zip(counts, drawn, strict=True):
        assert_close(expect_edge_index(got) * 0, torch.zeros(2, count, dtype=torch.int64), dims="2 count")
        chosen = torch.zeros(n, n, dtype=torch.bool)
        chosen[got[0].clamp(0, n - 1), got[1].clamp(0, n - 1)] = True
        for name, cell in cells_of(n).items():
            share = float((left & cell).sum() / free)
            # Six standard deviations of a hypergeometric share: a sound sampler misses one of these cells
            # once in 10^7 draws or less.
            spread = 6 * (share * (1 - share) * (1 - count / free) / count) ** 0.5
            assert_close(
                (chosen & cell).sum().double() / count,
                torch.tensor(share, dtype=torch.float64),
                what=f"the share of {name}",
                because=f"{count} of the {free} pairs that are left are drawn uniformly",
                rtol=0,
                atol=spread,
            )


def cells_of(n):
    """Kinds of pairs [source, target], each some hundreds of those that are left or more."""
    node = torch.arange(n)
    source, target = node[:, None].expand(n, n), node[None].expand(n, n)
    return {
        "pairs with source < target": source < target,
        "pairs that begin in the first half": source < n // 2,
        "pairs that end in the first half": target < n // 2,
        "pairs that begin in the first quarter": source < n // 4,
        "pairs that begin in the last quarter": source >= n - n // 4,
        "pairs that begin and end in the last half": (source >= n // 2) & (target >= n // 2),
        "pairs with an even sum": (source + target) % 2 == 0,
    }


@exercise("negative_edges", points=4)
@settings(max_examples=12)  # several calls each
@given(case=negative_cases())
def test_existing_edges_are_left_alone_and_may_lie_in_memory_as_they_like(student, case):
    def draw(edges):
        return student.negative_edges(edges, case.n, case.count, generator(case.seed))

    check_pure(draw, case.edge_index, names=("edge_index",))
    strided = case.edge_index.t().contiguous().t()
    before, after = draw(fresh(case.edge_index)), draw(strided)
    assert_unchanged(after, before, changed="how edge_index lies in memory", what="negative edges")


@exercise("GraphAutoEncoder", points=6)
@given(case=auto_encoder_cases())
def test_the_encoder_is_two_convolutions_with_a_relu_between(student, case):
    model = case.model(student)
    x = leaf(case.x)
    z = model.encode(x, case.edge_index)
    assert_shape(expect_no_nan(z, what="z"), (case.n, case.latent), what="z", dims="nodes latent")
    note(z, "z")
    parameters = reading_of(
        model,
        oracles.auto_encoder_shapes(case),
        lambda given: torch.allclose(z, oracles.gcn(case, given[:4], case.x), atol=1e-8),
    )
    if parameters is None:
        return
    ours = leaf(case.x)
    expected = oracles.gcn(case, parameters[:4], ours)
    because = "conv_2(relu(conv_1(x))), the mean in eval()"
    assert_close(z, expected.detach(), what="z", because=because)
    names = ("x", "w of conv_1", "bias of conv_1", "w of conv_2", "bias of conv_2")
    got, right = gradients(z, [x, *parameters[:4]]), gradients(expected, [ours, *parameters[:4]])
    for name, mine, theirs in zip(names, got, right, strict=True):
        assert_close(mine, theirs, what=f"gradient of {name}", because=because)


@exercise("GraphAutoEncoder", points=6)
@given(case=auto_encoder_cases(variational=True))
def test_the_divergence_is_that_of_mean_and_deviation_from_a_standard_normal(student, case):
    model = case.model(student)
    loss = model.loss(case.x, case.edge_index, case.negative)
    edges = torch.cat([case.edge_index, case.negative], dim=1)
    assert_shape(loss, (), what="loss")
    note(loss, "loss")
    losses = {}

    def fits(given):
        """Whether these parameters, with log σ or log σ² from the second head, give the loss."""
        mean = oracles.gcn(case, given[:4], case.x)
        second = oracles.gcn(case, [*given[:2], *given[4:]], case.x)
        source, target = mean[edges]
        entropy = oracles.cross_entropy((source * target).sum(1), case.n_edges)
        for scale in (1.0, 0.5):
            losses[entropy + oracles.divergence(mean, (scale * second).exp())] = given
        return any(torch.isclose(loss, other, rtol=1e-6) for other in losses)

    parameters = reading_of(model, oracles.auto_encoder_shapes(case), fits)
    if parameters is None:
        return
    expected = min(losses, key=lambda other: abs(float((other - loss).detach())))
    because = "the cross-entropy, plus the divergence summed over nodes and latents and divided by N"
    assert_close(loss, expected.detach(), what="loss", because=because, rtol=1e-6)
    given = losses[expected]
    for shape, mine, right in zip(
        oracles.auto_encoder_shapes(case), gradients(loss, given), gradients(expected, given), strict=True
    ):
        what = f"gradient of the loss by a parameter of shape {shape}"
        assert_close(mine, right, what=what, because=because, rtol=1e-6)


@exercise("GraphAutoEncoder", points=6)
@settings(max_examples=3)
@given(case=auto_encoder_cases(variational=True))
def test_samples_spread_as_the_divergence_says(student, case):
    """3000 nodes alike are 3000 draws of one normal, whose divergence is known from the loss."""
    nodes = 3000
    model = case.model(student)
    x, pair = case.x[:1].repeat(nodes, 1), edges_of([(0, 0)])
    mean, loss = model.encode(x, pair), model.loss(x, pair, pair)
    model.train()
    z = model.encode(x, pair)
    for name, tensor in (("mean", mean), ("z", z)):
        assert_shape(tensor, (nodes, case.latent), what=name, dims="nodes latent")
        expect_no_nan(tensor, what=name)
    assert_shape(loss, (), what="loss")
    z, mean = z.detach(), mean.detach()[0]
    variance = (z - mean).square().mean(0)
    # Six standard deviations, of the mean of normal draws and of the mean of their squares.
    assert_close(
        z.mean(0),
        mean,
        what="the mean of samples",
        because="in train() z is drawn around the mean of eval()",
        rtol=0,
        atol=6 * float(variance.max().sqrt()) / nodes**0.5,
    )
    score = mean.square().sum()
    entropy = -(torch.sigmoid(score).log() + torch.sigmoid(-score).log()) / 2
    divergence = loss.detach() - entropy
    expected = 0.5 * (mean.square() + variance - 1 - variance.log()).sum()
    spread = 6 * (2 / nodes) ** 0.5 * 0.5 * (variance - 1).abs().sum() + 1e-2
    assert_close(
        divergence,
        expected,
        what="the divergence in the loss",
        because="it is that of the normal that z is drawn from in train()",
        rtol=0,
        atol=float(spread),
    )


@exercise("GraphAutoEncoder", points=6)
@settings(max_examples=10)
@given(case=auto_encoder_cases(variational=True))
def test_a_sample_passes_gradients_to_every_parameter(student, case):
    model = case.model(student).train()
    # Where a ReLU keeps every node silent, nothing reaches the first layer, rightly so.
    with torch.no_grad():
        for p in model.parameters():
            p.abs_()
    x = case.x.abs()
    z = model.encode(x, case.edge_index)
    assert_shape(expect_no_nan(z, what="z"), (case.n, case.latent), what="z", dims="nodes latent")
    names, parameters = zip(*model.named_parameters(), strict=True)
    for name, grad in zip(names, gradients(z, parameters), strict=True):
        if not grad.any():
            raise CheckFailure(
                ("wrong", f"z in train() does not depend on {name} as far as autograd can see"),
                ("advice", "draw noise from a standard normal, scale it and add the mean"),
                because="a sample is differentiable in mean and deviation (the reparametrisation trick)",
            )


@exercise("GraphAutoEncoder", points=6)
@settings(max_examples=15)
@given(case=auto_encoder_cases())
def test_an_auto_encoder_on_inputs_of_any_dtype_and_order(student, case):
    model = case.model(student)
    check_node_order(
        lambda edges, x: model.encode(x, edges), case.edge_index, [case.x], case.node_order, names=("z",)
    )
    inputs = case.x, case.edge_index, case.negative
    check_pure(model.loss, *inputs, names=("x", "edge_index", "negative"))
    check_layouts(lambda x, edges: model.encode(x, edges), inputs[:2], names=("z",))
    check_dtype_and_device(
        lambda x: model.to(x.dtype).loss(x, case.edge_index, case.negative),
        [case.x],
        names=("loss",),
        terms=32,
    )


@exercise("GraphAutoEncoder", points=6)
def test_encoding_costs_in_proportion_to_the_edges(student):
    model = student.GraphAutoEncoder(4, 3, 2)
    check_cost_growth(model.encode, sparse_graph, 160, 2560, of="edges", because=LAYERS)


@exercise("train_nodes", points=5)
@settings(max_examples=8)  # each trains a model
@given(case=training_cases())
def test_losses_and_parameters_are_those_of_the_described_steps(student, case):
    model, reference = case.model(student, "GCN"), case.model(student, "GCN")
    losses = case.train(student, model, y=torch.where(case.train_mask, case.y, (case.y + 1) % case.n_classes))

    def loss_of(step):
        logits = expect_tensor(reference(case.x, case.edge_index), what="logits")
        return F.cross_entropy(logits[case.train_mask], case.y[case.train_mask])

    check_training_steps(
        model,
        losses,
        reference,
        loss_of,
        case.steps,
        lr=case.lr,
        weight_decay=case.weight_decay,
        because="mean cross-entropy over train_mask, taken before the step; "
        "Adam with its own weight_decay over every parameter",
        rtol=1e-6,
    )


@exercise("train_nodes", points=5)
@settings(max_examples=8)  # each trains a model
@given(case=training_cases())
def test_the_graph_and_its_labels_are_left_alone(student, case):
    inputs = {name: fresh(getattr(case, name)) for name in ("x", "edge_index", "y", "train_mask")}
    losses = case.train(student, case.model(student, "GCN"), **inputs)
    expect_losses(losses, case.steps)
    for name, tensor in inputs.items():
        changed = "nothing: a model was trained"
        assert_unchanged(tensor, getattr(case, name), changed=changed, what=name, computed=False)
