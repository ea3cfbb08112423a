"""Public checks of multihead.py."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from assignments.a3_attention.cases import multihead_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_shape,
    check_causal,
    check_ignores,
    check_permutation_equivariance,
    exercise,
    expect_tuple,
    expect_value_error,
)

OUTPUT = ("out", "weights")


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases())
def test_the_state_dict_is_four_linear_layers(student, case):
    state = student.MultiHeadAttention(case.d_model, case.n_heads, bias=case.bias).state_dict()
    if set(state) != set(case.state):
        raise CheckFailure(
            ("wrong", f"the state dict with bias={case.bias} has the wrong names"),
            ("expected", ", ".join(sorted(case.state))),
            ("got", ", ".join(sorted(state))),
        )
    for name, expected in case.state.items():
        assert_shape(state[name], expected.shape, what=name)


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases())
def test_self_attention_is_that_of_pytorch(student, case):
    library = nn.MultiheadAttention(case.d_model, case.n_heads, bias=case.bias, batch_first=True).double()
    inside = [case.state[f"{name}_proj.weight"] for name in "qkv"]
    state = {"in_proj_weight": torch.cat(inside), "out_proj.weight": case.state["out_proj.weight"]}
    if case.bias:
        state["in_proj_bias"] = torch.cat([case.state[f"{name}_proj.bias"] for name in "qkv"])
        state["out_proj.bias"] = case.state["out_proj.bias"]
    library.load_state_dict(state)
    with torch.no_grad():
        expected = library(case.query, case.query, case.query, average_attn_weights=False)
    result = expect_tuple(case.module(student)(case.query), 2, OUTPUT)
    for got, right, name, dims in zip(
        result, expected, OUTPUT, ("batch queries d_model", "batch heads queries keys"), strict=True
    ):
        assert_close(got, right, what=name, dims=dims)


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases())
def test_self_attention_does_not_know_the_order_of_its_input(student, case):
    module = case.module(student)
    check_permutation_equivariance(
        lambda x: module(x)[0],
        case.query,
        dim=1,
        perm=case.perm,
        because="self-attention without positions treats its input as a set",
        what="out",
    )


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases(), at=st.integers(1, 3))
def test_with_a_causal_mask_the_future_cannot_matter(student, case, at):
    module = case.module(student)
    steps = case.query.shape[1]
    mask = torch.ones(steps, steps, dtype=torch.bool).tril()
    check_causal(
        lambda x: module(x, mask=mask)[0],
        case.query,
        at=at,
        because="the mask is causal",
        what="out",
        not_finite=True,
    )


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases(cross=True, with_mask=True))
def test_what_is_masked_out_cannot_matter(student, case):
    module = case.module(student)
    key, value = (x if x is not None else case.source for x in (case.key, case.value))
    hidden = ~case.keep.any(1)[:, case.at]
    this_query = torch.zeros(case.keep.shape[:3], dtype=torch.bool)
    this_query[:, :, case.at] = True
    check_ignores(
        lambda k, v: module(case.query, k, v, mask=case.mask),
        [key, value],
        [hidden, hidden],
        changed=f"keys and values that query {case.at} may not attend to in any head",
        because=f"only what query {case.at} gets is compared",
        names=OUTPUT,
        keep=[this_query[:, 0], this_query],
    )


@exercise("MultiHeadAttention", points=12)
@given(sizes=st.sampled_from(((6, 4), (7, 3), (2, 5), (8, 3))))
def test_heads_that_do_not_divide_the_size_are_refused(student, sizes):
    d_model, n_heads = sizes
    expect_value_error(lambda: student.MultiHeadAttention(d_model, n_heads), "n_heads", n_heads)
