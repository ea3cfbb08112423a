"""Public checks of layers.py."""

import math

import torch
import torch.nn.functional as F
from hypothesis import given, settings

from assignments.a4_transformer.cases import feed_forward_cases, norm_cases
from autograder.checks import (
    assert_close,
    assert_shape,
    assert_unchanged,
    check_batch_independence,
    check_dropout,
    exercise,
    expect_parameters,
)
from autograder.checks.strategies import sizes, tensors

FEW = 10  # each makes a module or two
DIMS = "batch time d_model"


@exercise("gelu", points=3)
def test_five_values_to_ten_digits(student):
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    expected = [-0.0455002638964, -0.158655253931, 0.0, 0.841344746069, 1.95449973610]
    assert_close(student.gelu(x), torch.tensor(expected, dtype=torch.float64), dims="values", terms=1)


@exercise("gelu", points=3)
@given(x=tensors((3, 2), scale=2.0))
def test_the_share_let_through_of_x_and_of_minus_x_is_all(student, x):
    right, left = student.gelu(x), student.gelu(-x)
    assert_close(
        right - left, x, what="gelu(x) - gelu(-x)", because="x Φ(x) + x Φ(-x) = x", dims="rows columns"
    )


@exercise("LayerNorm", points=5)
@settings(max_examples=FEW)
@given(case=norm_cases())
def test_weight_and_bias_are_the_state_dict_and_start_at_ones_and_zeros(student, case):
    module = case.make(student)
    expect_parameters(module, {"weight": case.weight, "bias": case.bias})
    for name, start in (("weight", 1.0), ("bias", 0.0)):
        value = module.state_dict()[name].detach()
        assert_close(value, torch.full_like(value, start), what=name, dims="d_model")


@exercise("LayerNorm", points=5)
@given(case=norm_cases())
def test_it_is_pytorchs_layer_norm(student, case):
    eps = 1e-5 if case.eps is None else case.eps
    expected = F.layer_norm(case.x, case.weight.shape, case.weight, case.bias, eps)
    assert_close(case.module(student)(case.x), expected)


@exercise("LayerNorm", points=5)
@given(x=tensors((2, 3, 4)), shift=tensors((2, 3, 1)))
def test_what_is_added_to_all_features_of_a_token_does_not_matter(student, x, shift):
    module = student.LayerNorm(4).double()
    assert_unchanged(
        module(x + shift),
        module(x),
        changed="each token by a number of its own, added to all of its features",
        because="a token's mean over its features is subtracted",
    )


@exercise("FeedForward", points=4)
@settings(max_examples=FEW)
@given(d_ff=sizes(5, min=2))
def test_one_feature_and_weights_of_one(student, d_ff):
    module = student.FeedForward(1, d_ff).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0 if parameter.ndim >= 2 else 0.0)
    x = torch.tensor([[[1.0], [-1.0], [0.0]]], dtype=torch.float64)
    phi = 0.5 * (1 + math.erf(math.sqrt(0.5)))
    expected = d_ff * torch.tensor([[[phi], [phi - 1], [0.0]]], dtype=torch.float64)
    assert_close(module(x), expected, because="the two weights are ones: d_ff · gelu(x)", dims=DIMS)


@exercise("FeedForward", points=4)
@settings(max_examples=FEW)
@given(case=feed_forward_cases())
def test_no_token_sees_another(student, case):
    module = case.module(student)
    assert_shape(module(case.x), case.x.shape, dims=DIMS)
    tokens = case.x.flatten(0, 1)
    check_batch_independence(lambda x: module(x[:, None]), [tokens])
    changed = "the shape: all tokens in one dimension"
    assert_unchanged(module(tokens).reshape(case.x.shape), module(case.x), changed=changed)


@exercise("FeedForward", points=4)
@settings(max_examples=5)
@given(case=feed_forward_cases(dropout=0.5, min_batch=3))
def test_dropout_is_random_in_training_only(student, case):
    module = case.module(student)
    x = torch.cat([case.x, case.x + 1, 2 - case.x], dim=1)
    check_dropout(module, lambda: module(x))
