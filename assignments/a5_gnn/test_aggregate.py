"""Public checks of aggregate.py."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from assignments.a5_gnn.cases import scatter_cases
from autograder.checks import (
    assert_close,
    assert_unchanged,
    assert_zero,
    check_permutation_equivariance,
    check_permutation_invariance,
    exercise,
)

MESSAGES = torch.tensor([[1.0, -1.0], [2.0, 0.0], [4.0, 5.0]], dtype=torch.float64)


@exercise("scatter_sum", points=4)
def test_two_messages_to_one_node_are_added(student):
    got = student.scatter_sum(MESSAGES, torch.tensor([2, 0, 2]), 4)
    expected = torch.tensor([[2.0, 0.0], [0.0, 0.0], [5.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    assert_close(got, expected, dims="nodes features")


@exercise("scatter_sum", points=4)
@given(case=scatter_cases())
def test_nothing_is_lost_and_the_order_of_messages_does_not_matter(student, case):
    check_permutation_invariance(
        lambda src, index: student.scatter_sum(src, index, case.n),
        [case.src, case.index],
        dims=(0, 0),
        perm=case.order,
        because="a sum has no order",
    )
    got = student.scatter_sum(case.src, case.index, case.n)
    assert_close(got.sum(0), case.src.sum(0), what="the sum over all nodes")


@exercise("scatter_mean", points=3)
def test_the_mean_of_two_and_of_none(student):
    got = student.scatter_mean(MESSAGES, torch.tensor([2, 0, 2]), 4)
    expected = torch.tensor([[2.0, 0.0], [0.0, 0.0], [2.5, 2.0], [0.0, 0.0]], dtype=torch.float64)
    assert_close(got, expected, dims="nodes features", because="a node without messages gets 0")


@exercise("scatter_mean", points=3)
@given(case=scatter_cases())
def test_the_mean_of_equal_messages_is_the_message(student, case):
    src = case.src[:1].expand_as(case.src)
    expected = case.src.new_zeros(case.n, *case.src.shape[1:])
    expected[case.index] = src
    assert_close(student.scatter_mean(src, case.index, case.n), expected, because="all messages are the same")


@exercise("edge_softmax", points=5)
@given(case=scatter_cases(min_dims=0))
def test_the_edges_into_a_node_share_out_one(student, case):
    weights = student.edge_softmax(case.src, case.index, case.n)
    assert_close(weights, torch.zeros_like(case.src) + weights, what="weights")
    assert_zero(weights.clamp(max=0), what="the negative part of the weights")
    sums = [weights[case.index == node].sum(0) for node in range(case.n)]
    total = [torch.ones_like(one) if node in case.index else one * 0 for node, one in enumerate(sums)]
    assert_close(torch.stack(sums), torch.stack(total), what="sum of weights over the edges into each node")


@exercise("edge_softmax", points=5)
@given(case=scatter_cases(min_dims=0), shift=st.sampled_from((1e4, -1e4)))
def test_a_constant_added_to_all_scores_of_a_node_changes_nothing(student, case, shift):
    own = torch.where(case.index % 2 == 0, shift, -shift).reshape(-1, *[1] * (case.src.ndim - 1))
    before = student.edge_softmax(case.src, case.index, case.n)
    after = student.edge_softmax(case.src + own, case.index, case.n)
    assert_unchanged(
        after,
        before,
        changed=f"the scores: {shift:+g} for edges into nodes of even number, {-shift:+g} for the others",
        because="it cancels in the ratio, node by node",
        what="weights",
    )


@exercise("edge_softmax", points=5)
@given(case=scatter_cases())
def test_every_head_has_a_softmax_of_its_own(student, case):
    heads = case.src.shape[1]
    check_permutation_equivariance(
        lambda scores: student.edge_softmax(scores, case.index, case.n),
        case.src,
        dim=1,
        perm=torch.arange(heads).roll(1),
        because="heads have nothing to do with one another",
        what="weights",
    )
    one = student.edge_softmax(case.src[:, 0], case.index, case.n)
    all_heads = student.edge_softmax(case.src, case.index, case.n)
    assert_close(all_heads[:, 0], one, what="weights of head 0 among the others")
