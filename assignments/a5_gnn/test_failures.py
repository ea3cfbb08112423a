"""Public checks of failures.py."""

import torch
from hypothesis import given

from assignments.a5_gnn.cases import naive_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    assert_unchanged,
    check_batch_independence,
    exercise,
    expect_no_nan,
    note,
)


@exercise("MLPOnAdjacency", points=1)
@given(case=naive_cases())
def test_every_graph_of_a_batch_is_classified_on_its_own(student, case):
    model = case.model(student)
    got = model(case.adj)
    assert_shape(got, (len(case.adj), case.n_classes), dims="batch n_classes")
    check_batch_independence(model, [case.adj])


@exercise("MLPOnAdjacency", points=1)
@given(case=naive_cases(min_nodes=2, wide=True))
def test_the_same_graph_with_its_nodes_renumbered_gets_another_answer(student, case):
    model = case.model(student)
    adj = case.adj[:, case.perm][:, :, case.perm]
    before, after = expect_no_nan(model(case.adj)), expect_no_nan(model(adj))
    note(before)
    if not torch.equal(adj, case.adj) and (before - after).abs().max() < 1e-9:
        raise CheckFailure(
            ("changed", "the numbering of the nodes"),
            ("expected", "other logits"),
            ("got", "the same"),
            because="every entry of the matrix has weights of its own",
        )


@exercise("permutation_gap", points=1)
@given(case=naive_cases())
def test_nothing_renumbered_leaves_no_gap(student, case):
    model = case.model(student)
    order = torch.arange(case.n)
    apart = student.permutation_gap(model, case.adj, case.perm)
    gap = student.permutation_gap(model, case.adj, order)
    note([float(apart), float(gap)], "gap")
    assert_close(torch.as_tensor(float(gap)), torch.tensor(0.0), what="gap", because="perm is 0, 1, 2, …")


@exercise("permutation_gap", points=1)
@given(case=naive_cases(max_nodes=5))
def test_the_way_back_is_as_far(student, case):
    model = case.model(student)
    other = case.adj[:, case.perm][:, :, case.perm]
    gap = student.permutation_gap(model, case.adj, case.perm)
    back = student.permutation_gap(model, other, case.perm.argsort())
    assert_unchanged(
        torch.as_tensor(float(back)),
        torch.as_tensor(float(gap)),
        changed="adj to what it is renumbered to, and perm to its inverse",
        because="the same two answers are compared",
        what="gap",
    )
