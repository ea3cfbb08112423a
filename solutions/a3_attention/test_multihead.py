"""Hidden checks of multihead.py."""

import torch
from hypothesis import given
from torch import nn

from assignments.a3_attention.cases import MultiHeadCase, multihead_cases
from autograder.checks import (
    assert_close,
    check_batch_independence,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
    expect_tuple,
)
from solutions.a3_attention import oracles

OUTPUT = ("out", "weights")


class Oracle(nn.Module):
    """The weights of a case as parameters, under the names of the state dict."""

    def __init__(self, case: MultiHeadCase) -> None:
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            layer = nn.Linear(case.d_model, case.d_model, bias=case.bias, dtype=torch.float64)
            self.add_module(name, layer)
        self.load_state_dict(case.state)


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases(cross=True, with_mask=True))
def test_cross_attention_with_every_form_of_mask_key_and_value(student, case):
    inputs = case.query, case.source, case.source if case.value is None else case.value
    expected = oracles.attend_with_heads(case, case.state, inputs)
    result = case.module(student)(case.query, case.key, case.value, case.mask)
    dims = ("batch queries d_model", "batch heads queries keys")
    for got, right, name, dim in zip(expect_tuple(result, 2, OUTPUT), expected, OUTPUT, dims, strict=True):
        assert_close(got, right, what=name, dims=dim)


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases(cross=True, with_mask=True))
def test_gradients_of_inputs_and_parameters(student, case):
    module, oracle = case.module(student), Oracle(case)
    value = case.source if case.value is None else case.value
    check_gradients(
        lambda q, k, v: module(q, k, v, case.mask),
        [case.query, case.source, value],
        lambda q, k, v: oracles.attend_with_heads(case, dict(oracle.named_parameters()), (q, k, v)),
        names=("query", "key", "value"),
        modules=(module, oracle),
    )


@exercise("MultiHeadAttention", points=12)
@given(case=multihead_cases(with_mask=True))
def test_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    module = case.module(student)
    check_layouts(lambda x: module(x, mask=case.mask), [case.query], names=OUTPUT)
    check_pure(lambda x: module(x, mask=case.mask), case.query, names=("query",))
    check_batch_independence(lambda x, mask: module(x, mask=mask), [case.query, case.keep], names=OUTPUT)
    check_dtype_and_device(
        lambda x: module.to(x.dtype)(x, mask=case.mask), [case.query], names=OUTPUT, terms=16
    )
