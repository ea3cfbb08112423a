"""Hidden checks of aggregate.py."""

import torch
from hypothesis import given, settings

from assignments.a5_gnn.cases import scatter_cases
from autograder.checks import (
    assert_close,
    check_cost_growth,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
)
from autograder.checks.strategies import tensor_from
from solutions.a5_gnn import oracles

NAMES = ("src", "index")
OF_ITS_OWN = "a message goes to one node, and is nothing to all the others"


@exercise("scatter_sum", points=4)
@given(case=scatter_cases())
def test_every_node_gets_the_sum_of_its_messages(student, case):
    expected = oracles.sums(case.src, case.index, case.n)
    assert_close(student.scatter_sum(case.src, case.index, case.n), expected)


@exercise("scatter_sum", points=4)
@settings(max_examples=12)  # several calls each
@given(case=scatter_cases())
def test_a_messages_gradient_is_that_of_its_node(student, case):
    check_gradients(
        lambda src: student.scatter_sum(src, case.index, case.n),
        [case.src],
        lambda src: oracles.sums(src, case.index, case.n),
        names=("src",),
    )


@exercise("scatter_sum", points=4)
@settings(max_examples=12)  # several calls each
@given(case=scatter_cases())
def test_sums_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    def sums(src, index):
        return student.scatter_sum(src, index, case.n)

    check_dtype_and_device(lambda src: sums(src, case.index), [case.src])
    check_layouts(sums, [case.src, case.index])
    check_pure(sums, case.src, case.index, names=NAMES)


@exercise("scatter_sum", points=4)
def test_a_sum_costs_in_proportion_to_the_messages_and_the_nodes(student):
    check_cost_growth(student.scatter_sum, messages, 160, 2560, of="messages", because=OF_ITS_OWN)


@exercise("scatter_mean", points=3)
@given(case=scatter_cases())
def test_every_node_gets_the_mean_of_its_messages(student, case):
    expected = oracles.means(case.src, case.index, case.n)
    assert_close(student.scatter_mean(case.src, case.index, case.n), expected)


@exercise("scatter_mean", points=3)
@settings(max_examples=12)  # several calls each
@given(case=scatter_cases())
def test_a_messages_gradient_is_its_nodes_shared_by_all(student, case):
    check_gradients(
        lambda src: student.scatter_mean(src, case.index, case.n),
        [case.src],
        lambda src: oracles.means(src, case.index, case.n),
        names=("src",),
    )


@exercise("scatter_mean", points=3)
@settings(max_examples=12)  # several calls each
@given(case=scatter_cases())
def test_means_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    def means(src, index):
        return student.scatter_mean(src, index, case.n)

    check_dtype_and_device(lambda src: means(src, case.index), [case.src])
    check_layouts(means, [case.src, case.index])
    check_pure(means, case.src, case.index, names=NAMES)


@exercise("scatter_mean", points=3)
def test_a_mean_of_many_in_bfloat16(student):
    src = torch.full((4000, 1), 0.5, dtype=torch.bfloat16)
    got = student.scatter_mean(src, torch.arange(4000) % 2, 3)
    expected = torch.tensor([[0.5], [0.5], [0.0]], dtype=torch.bfloat16)
    assert_close(got, expected, because="2000 messages of 0.5 a node", dims="nodes features", rtol=0.05)


@exercise("scatter_mean", points=3)
def test_a_mean_costs_in_proportion_to_the_messages_and_the_nodes(student):
    check_cost_growth(student.scatter_mean, messages, 160, 2560, of="messages", because=OF_ITS_OWN)


@exercise("edge_softmax", points=5)
@given(case=scatter_cases(min_dims=0))
def test_every_node_has_a_softmax_of_its_own(student, case):
    expected = oracles.softmax_by_target(case.src, case.index)
    assert_close(student.edge_softmax(case.src, case.index, case.n), expected, what="weights")


@exercise("edge_softmax", points=5)
@given(case=scatter_cases(min_dims=0))
def test_gradients_flow_within_a_node_only(student, case):
    check_gradients(
        lambda scores: student.edge_softmax(scores, case.index, case.n),
        [case.src],
        lambda scores: oracles.softmax_by_target(scores, case.index),
        names=("scores",),
    )


@exercise("edge_softmax", points=5)
@settings(max_examples=12)  # several calls each
@given(case=scatter_cases(min_dims=0))
def test_weights_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    def weights(scores, index):
        return student.edge_softmax(scores, index, case.n)

    check_dtype_and_device(lambda scores: weights(scores, case.index), [case.src], names=("weights",))
    check_layouts(weights, [case.src, case.index], names=("weights",))
    check_pure(weights, case.src, case.index, names=("scores", "index"))


@exercise("edge_softmax", points=5)
def test_shares_cost_in_proportion_to_the_messages_and_the_nodes(student):
    check_cost_growth(student.edge_softmax, messages, 160, 2560, of="messages", because=OF_ITS_OWN)


def messages(count):
    """`count` messages of two features for half as many nodes, two each."""
    n = count // 2
    return tensor_from(1, (count, 2)), torch.arange(count) * 7 % n, n
