"""Public checks of models.py."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a5_gnn.cases import (
    auto_encoder_cases,
    batch_cases,
    expect_reach,
    model_cases,
    negative_cases,
    path_cases,
    training_cases,
)
from assignments.a5_gnn.learning import HOMOPHILY, KARATE, LINKS, WORDNET
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    check_deterministic_under_generator,
    check_dropout,
    check_gradients,
    check_permutation_invariance,
    exercise,
    expect_losses,
    expect_no_nan,
    expect_outputs,
    expect_tensor,
    expect_value_error,
    fill_parameters,
    generator,
    note,
)
from autograder.checks.graphs import check_node_order, edge_counts, edges_of, expect_edge_index
from autograder.checks.strategies import seeds


@exercise("GCN", points=4)
@settings(max_examples=5)  # each calls a model a dozen times
@given(case=path_cases())
def test_two_convolutions_reach_two_edges_far(student, case):
    model = student.GCN(case.x.shape[1], 8, 2, 0.5).double().eval()
    fill_parameters(model, case.seed)
    expect_reach(model, case)


@exercise("GCN", points=4)
@settings(max_examples=8)
@given(case=model_cases(dropout=0.5, lively=True))
def test_dropout_of_a_gcn_is_random_in_training_only(student, case):
    model = case.model(student, "GCN")
    check_dropout(model, lambda: model(case.x, case.edge_index))


@exercise("GCN", points=4)
@settings(max_examples=15)
@given(case=model_cases())
def test_a_gcn_does_not_know_the_numbering_of_nodes(student, case):
    model = case.model(student, "GCN")
    assert_shape(model(case.x, case.edge_index), (case.n, case.n_classes), dims="nodes n_classes")
    check_node_order(lambda edges, x: model(x, edges), case.edge_index, [case.x], case.node_order)


@exercise("GAT", points=4)
@settings(max_examples=5)  # each calls a model a dozen times
@given(case=path_cases())
def test_two_attention_layers_reach_two_edges_far(student, case):
    model = student.GAT(case.x.shape[1], 4, 2, 2, 0.5).double().eval()
    fill_parameters(model, case.seed, scale=0.5)
    expect_reach(model, case)


@exercise("GAT", points=4)
@settings(max_examples=8)
@given(case=model_cases(dropout=0.5, lively=True))
def test_dropout_of_a_gat_is_random_in_training_only(student, case):
    model = case.model(student, "GAT")
    check_dropout(model, lambda: model(case.x, case.edge_index))


@exercise("GAT", points=4)
@settings(max_examples=15)
@given(case=model_cases())
def test_a_gat_does_not_know_the_numbering_of_nodes(student, case):
    model = case.model(student, "GAT")
    assert_shape(model(case.x, case.edge_index), (case.n, case.n_classes), dims="nodes n_classes")
    check_node_order(lambda edges, x: model(x, edges), case.edge_index, [case.x], case.node_order)


@exercise("global_pool", points=4)
@given(kind=st.sampled_from(("sum", "mean", "max")))
def test_two_graphs_and_one_without_nodes(student, kind):
    x = torch.tensor([[-1.0, 4.0], [-5.0, -4.0], [2.0, 3.0]], dtype=torch.float64)
    expected = {
        "sum": [[-6.0, 0.0], [0.0, 0.0], [2.0, 3.0]],
        "mean": [[-3.0, 0.0], [0.0, 0.0], [2.0, 3.0]],
        "max": [[-1.0, 4.0], [0.0, 0.0], [2.0, 3.0]],
    }[kind]
    got = student.global_pool(x, torch.tensor([0, 0, 2]), 3, kind)
    because = "nodes 0 and 1 are of graph 0, node 2 is of graph 2, and graph 1 is empty"
    assert_close(got, torch.tensor(expected, dtype=torch.float64), because=because, dims="graphs features")


@exercise("global_pool", points=4)
@given(case=batch_cases(), kind=st.sampled_from(("sum", "mean", "max")))
def test_the_order_of_nodes_does_not_matter_to_a_pool(student, case, kind):
    check_permutation_invariance(
        lambda x, batch: student.global_pool(x, batch, case.n_graphs, kind),
        [case.x, case.batch],
        dims=(0, 0),
        perm=case.node_order,
        because=f"a {kind} has no order",
    )


@exercise("global_pool", points=4)
@given(kind=st.sampled_from(("median", "Sum", "avg")))
def test_an_unknown_kind_of_pool_is_refused(student, kind):
    x, batch = torch.ones(2, 1), torch.zeros(2, dtype=torch.int64)
    expect_value_error(lambda: student.global_pool(x, batch, 1, kind), "kind", kind)


@exercise("GraphClassifier", points=4)
@given(case=batch_cases())
def test_a_graph_is_the_same_however_its_nodes_are_numbered(student, case):
    model = case.classifier(student)
    assert_shape(
        model(case.x, case.edge_index, case.batch, case.n_graphs), (case.n_graphs, 3), dims="graphs classes"
    )
    check_node_order(
        lambda edges, x, batch: model(x, edges, batch, case.n_graphs),
        case.edge_index,
        [case.x, case.batch],
        case.node_order,
        per_node=(False,),
        gradient=False,
    )


@exercise("GraphClassifier", points=4)
@given(case=batch_cases())
def test_a_graph_is_classified_alone_as_in_a_batch(student, case):
    model = case.classifier(student)
    together = model(case.x, case.edge_index, case.batch, case.n_graphs)
    alone = [
        model(case.x[nodes], part.edge_index, torch.zeros(part.n, dtype=torch.int64), 1)
        for part, nodes in zip(case.parts, case.nodes, strict=True)
        if part.n > 0
    ]
    assert_shape(together, (case.n_graphs, 3), dims="graphs classes")
    assert_unchanged(
        torch.cat([assert_shape(one, (1, 3), dims="graphs classes") for one in alone]),
        together[[part.n > 0 for part in case.parts]],
        changed="the batch: each graph alone",
        because="no edge joins two graphs",
    )


@exercise("link_scores", points=2)
def test_scores_of_three_edges_by_hand(student):
    z = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], dtype=torch.float64)
    expected = torch.tensor([1.0, 0.5, 5.0], dtype=torch.float64)
    assert_close(student.link_scores(z, edges_of([(0, 1), (2, 0), (0, 0)])), expected, dims="edges")


@exercise("link_scores", points=2)
@given(case=auto_encoder_cases(variational=False))
def test_both_directions_of_an_edge_score_the_same(student, case):
    before = student.link_scores(case.x, case.edge_index)
    after = student.link_scores(case.x, case.edge_index.flip(0))
    assert_shape(before, (case.n_edges,), dims="edges")
    assert_unchanged(after, before, changed="sources and targets, swapped", because="z_j · z_i = z_i · z_j")


@exercise("negative_edges", points=4)
@given(case=negative_cases())
def test_negative_edges_are_new_pairs_none_twice_and_no_loops(student, case):
    got = student.negative_edges(case.edge_index, case.n, case.count, generator(case.seed))
    assert_close(expect_edge_index(got) * 0, torch.zeros(2, case.count, dtype=torch.int64), dims="2 count")
    note(got, "edge_index")
    existing = edge_counts(case.edge_index)
    for (s, t), times in edge_counts(got).items():
        wrong = {
            "is there twice": times > 1,
            "is a self-loop": s == t,
            "exists": existing[s, t] > 0,
            "has no such node": not (0 <= s < case.n and 0 <= t < case.n),
        }
        for what, is_so in wrong.items():
            if is_so:
                raise CheckFailure(
                    ("wrong", f"the negative edge {s}→{t} {what}"),
                    because="they are ordered pairs without repeats, self-loops or edges that exist",
                )


@exercise("negative_edges", points=4)
@settings(max_examples=15)
@given(case=st.sampled_from((1, 2, 20)).flatmap(lambda more: negative_cases(too_many=more)))
def test_more_than_there_are_is_refused(student, case):
    expect_value_error(
        lambda: student.negative_edges(case.edge_index, case.n, case.count, generator(case.seed)),
        "count",
        case.count,
    )


@exercise("negative_edges", points=4)
@settings(max_examples=10)
@given(seed=seeds())
def test_the_generator_decides_on_negative_edges_and_nothing_else(student, seed):
    edge_index = edges_of([(s, (s + 1) % 7) for s in range(7)])
    check_deterministic_under_generator(
        lambda draw: student.negative_edges(edge_index, 7, 6, draw), seed, varies=True, names=("edge_index",)
    )


@exercise("GraphAutoEncoder", points=6)
@given(case=auto_encoder_cases())
def test_an_edge_is_as_probable_as_the_sigmoid_of_its_score(student, case):
    model = case.model(student)
    z = case.x[:, :1] * torch.linspace(-1, 1, case.latent, dtype=torch.float64)
    got = model.decode(z, case.edge_index)

    def probabilities(z):
        return torch.sigmoid((z[case.source] * z[case.target]).sum(1))

    check_gradients(lambda z: model.decode(z, case.edge_index), [z], probabilities, names=("z",))
    assert_close(got, probabilities(z), what="probabilities", because="σ(z_j · z_i)", dims="edges")


@exercise("GraphAutoEncoder", points=6)
@given(case=auto_encoder_cases(variational=False))
def test_the_loss_is_one_cross_entropy_of_edges_of_both_kinds(student, case):
    model = case.model(student)
    loss = model.loss(case.x, case.edge_index, case.negative)
    z = model.encode(case.x, case.edge_index)
    assert_shape(z, (case.n, case.latent), what="z", dims="nodes latent")
    z = expect_no_nan(z, what="z").detach()
    source, target = torch.cat([case.edge_index, case.negative], dim=1)
    exists = torch.arange(len(source)) < case.n_edges
    expected = F.binary_cross_entropy_with_logits((z[source] * z[target]).sum(1), exists.double())
    assert_close(loss, expected, what="loss", because="one mean over edge_index (1) and negative (0)")


@exercise("GraphAutoEncoder", points=6)
@settings(max_examples=15)
@given(case=auto_encoder_cases(variational=True))
def test_a_variational_encoder_samples_in_training_and_gives_the_mean_otherwise(student, case):
    model = case.model(student)
    rest = [model.encode(case.x, case.edge_index) for _ in range(2)]
    model.train()
    samples = [model.encode(case.x, case.edge_index) for _ in range(2)]
    for z in (*rest, *samples):
        assert_shape(z, (case.n, case.latent), what="z", dims="nodes latent")
        note(expect_no_nan(z, what="z"), "z")
    assert_unchanged(rest[1], rest[0], changed="nothing: twice the same in eval()", what="z")
    if torch.equal(*samples):
        raise CheckFailure(
            ("wrong", "two calls of encode in train() give the same z"),
            ("expected", "two samples"),
            because="in train() z is drawn anew",
        )


@exercise("GraphAutoEncoder", points=6)
@settings(max_examples=15)
@given(case=auto_encoder_cases(variational=True))
def test_the_divergence_adds_to_the_cross_entropy(student, case):
    model = case.model(student)
    loss = model.loss(case.x, case.edge_index, case.negative)
    z = expect_tensor(model.encode(case.x, case.edge_index), what="z").detach()
    (loss,) = expect_outputs(loss, ("loss",))
    scores = [(z[source] * z[target]).sum(1) for source, target in (case.edge_index, case.negative)]
    entropy = -F.logsigmoid(torch.cat([scores[0], -scores[1]])).mean()
    note(loss, "loss")
    assert_shape(loss, (), what="loss")
    if not loss > entropy:
        raise CheckFailure(
            ("wrong", "the loss is not larger than its cross-entropy alone"),
            ("expected", f"more than {float(entropy):.4g}"),
            ("got", f"{float(loss):.4g}"),
            because="in eval() z is the mean, and a KL divergence is never negative",
        )


@exercise("train_nodes", points=5)
@settings(max_examples=8)  # each trains a model
@given(case=training_cases())
def test_with_a_learning_rate_of_zero_every_loss_is_the_first(student, case):
    model = case.model(student, "GCN")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    logits = model(case.x, case.edge_index)
    losses = case.train(student, model, lr=0.0)
    expect_losses(losses, case.steps)
    logits = assert_shape(logits, (case.n, case.n_classes), what="logits").detach()
    expected = F.cross_entropy(logits[case.train_mask], case.y[case.train_mask])
    for step, loss in enumerate(losses):
        got = torch.tensor(loss, dtype=torch.float64)
        because = "the mean cross-entropy over train_mask, and nothing is learned with lr = 0"
        assert_close(got, expected, what=f"loss of step {step}", because=because)
    for name, p in model.named_parameters():
        assert_unchanged(p.detach(), before[name], changed="nothing: lr is 0", what=name, computed=False)


@exercise("train_nodes", points=5)
@settings(max_examples=8)  # each trains a model
@given(case=training_cases())
def test_labels_outside_the_mask_are_not_known(student, case):
    models = [case.model(student, "GCN") for _ in range(2)]
    other = torch.where(case.train_mask, case.y, (case.y + 1) % case.n_classes)
    before, after = case.train(student, models[0]), case.train(student, models[1], y=other)
    for losses in (before, after):
        expect_losses(losses, case.steps)
    assert_unchanged(
        torch.tensor(after, dtype=torch.float64),
        torch.tensor(before, dtype=torch.float64),
        changed="the labels of nodes outside train_mask",
        what="losses",
    )


@exercise("train_nodes", points=5)
@settings(max_examples=5)  # each trains a model
@given(case=training_cases(dropout=0.5))
def test_it_trains_in_training_mode(student, case):
    model = case.model(student, "GCN")
    losses = case.train(student, model, lr=0.0, steps=4)
    expect_losses(losses, 4)
    if len(set(losses)) == 1 and case.n_classes > 1:
        raise CheckFailure(
            ("wrong", "a model in eval() with dropout, trained with lr = 0, has the same loss at every step"),
            ("expected", "losses that differ, since dropout is on"),
            ("got", repr(losses)),
            because="train_nodes trains in train() mode, whatever the mode before",
        )


@exercise("train_nodes", points=5, seconds=60)
def test_it_learns_the_karate_club_from_two_labels(student):
    KARATE.check(student)


@exercise("train_nodes", points=5, seconds=60)
def test_it_learns_the_topics_of_nouns(student):
    WORDNET.check(student)


@exercise("GraphAutoEncoder", points=6, seconds=30)
def test_it_learns_which_nouns_are_linked(student):
    LINKS.check(student)


@exercise("GraphClassifier", points=4, seconds=30)
def test_it_learns_which_colours_the_edges_join(student):
    HOMOPHILY.check(student)
