"""Hidden checks of failures.py."""

import torch
from hypothesis import given, settings

from assignments.a5_gnn.cases import naive_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    check_dtype_and_device,
    check_pure,
    exercise,
    expect_no_nan,
    expect_tensor,
    gradients,
    leaf,
    note,
)


@exercise("MLPOnAdjacency", points=1)
@given(case=naive_cases(min_nodes=2, wide=True))
def test_it_is_not_linear_and_sees_every_entry(student, case):
    model = case.model(student)
    adj = leaf(case.adj)
    out, doubled, none, rolled, both = (
        expect_no_nan(model(x))
        for x in (adj, 2 * case.adj, 0 * case.adj, case.adj.mT, case.adj + case.adj.mT)
    )
    note(out)
    (grad,) = gradients(out, [adj])
    if any(len(row.unique()) < case.n**2 for row in grad.flatten(1)):
        raise CheckFailure(
            ("wrong", "some entries of adj have the same slope, or none"),
            because="every entry of the matrix has weights of its own",
        )
    additive = torch.allclose(out + rolled, both + none) and torch.allclose(doubled + none, 2 * out)
    if additive and case.adj.any():
        raise CheckFailure(
            ("wrong", "logits(a + b) + logits(0) = logits(a) + logits(b): the network is linear"),
            because="there is a hidden layer, with a nonlinearity",
        )


@exercise("MLPOnAdjacency", points=1)
@settings(max_examples=12)  # several calls each
@given(case=naive_cases())
def test_a_matrix_in_any_float_dtype_that_is_left_alone(student, case):
    model = case.model(student)
    check_pure(model, case.adj, names=("adj",))
    check_dtype_and_device(lambda adj: model.to(adj.dtype)(adj), [case.adj], terms=32)


@exercise("permutation_gap", points=1)
@given(case=naive_cases(max_nodes=5))
def test_the_gap_is_the_largest_difference_of_all_logits(student, case):
    model = case.model(student)
    gap = student.permutation_gap(model, case.adj, case.perm)
    before = expect_tensor(model(case.adj)).detach()
    after = expect_tensor(model(case.adj[:, case.perm][:, :, case.perm])).detach()
    expected = (before - after).abs().max()
    got = gap.detach() if isinstance(gap, torch.Tensor) else torch.tensor(gap, dtype=torch.float64)
    assert_close(got, expected, what="gap", because="perm renumbers rows and columns together")
