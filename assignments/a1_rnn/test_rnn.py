"""Public checks of rnn.py."""

import math

import torch
from hypothesis import given
from torch import nn

from assignments.a1_rnn.cases import (
    module_by_torch,
    rnn_cases,
    rnn_module_cases,
    step_cases,
)
from autograder.checks import (
    assert_close,
    assert_like,
    assert_zero,
    check_ignores,
    exercise,
    expect_outputs,
    expect_parameters,
    note,
)
from autograder.checks.strategies import sizes, tensors

OUTPUT = ("hs", "h_last")
DIMS = ("batch time hidden", "batch hidden")


def assert_states(result, expected, because=None):
    for got, right, name, dims in zip(expect_outputs(result, OUTPUT), expected, OUTPUT, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


@exercise("rnn_step", points=5)
def test_one_step_by_hand(student):
    x, h = torch.tensor([[1.0, -2.0]]).double(), torch.tensor([[0.5, 0.25]]).double()
    w_x, w_h = (
        torch.tensor([[1.0, 0.0], [2.0, 1.0]]).double(),
        torch.tensor([[0.0, 2.0], [1.0, 0.0]]).double(),
    )
    b = torch.tensor([-1.0, 0.5]).double()
    # Row 0: 1 + 2 · 0.25 - 1. Row 1: 2 - 2 + 0.5 + 0.5.
    expected = torch.tensor([[math.tanh(0.5), math.tanh(1.0)]], dtype=torch.float64)
    assert_close(student.rnn_step(x, h, w_x, w_h, b), expected, what="h", dims="batch hidden")


@exercise("rnn_step", points=5)
@given(case=step_cases())
def test_a_step_is_that_of_pytorchs_cell(student, case):
    cell = nn.RNNCell(case.x.shape[1], case.h.shape[1], dtype=torch.float64)
    weights = case.w_x, case.w_h, case.b, torch.zeros_like(case.b)
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    cell.load_state_dict(dict(zip(names, weights, strict=True)))
    with torch.no_grad():
        expected = cell(case.x, case.h)
    assert_close(student.rnn_step(*case.inputs), expected, what="h", dims="batch hidden")


@exercise("rnn_forward", points=11)
@given(case=rnn_cases())
def test_without_lengths_it_is_pytorchs_rnn(student, case):
    assert_states(student.rnn_forward(*case.inputs), case.library)


@exercise("rnn_forward", points=11)
@given(case=rnn_cases(with_lengths=True))
def test_padding_gets_zeros_and_the_last_state_is_that_of_the_last_real_step(student, case):
    hs, h_last = expect_outputs(student.rnn_forward(*case.inputs, case.lengths), OUTPUT)
    for got, right, name, dims in zip((hs, h_last), case.library, OUTPUT, DIMS, strict=True):
        assert_like(got, right, what=name, dims=dims)
    assert_zero(hs, where=~case.real[:, :, None], what="hs", because="these steps are padding")
    last = hs[torch.arange(len(hs)), case.lengths - 1]
    note(last, "hs")
    assert_close(h_last, last.detach(), what="h_last", because="it is hs at the row's last real step")


@exercise("rnn_forward", points=11)
@given(case=rnn_cases(with_lengths=True))
def test_what_stands_on_padding_cannot_matter(student, case):
    check_ignores(
        lambda x: student.rnn_forward(x, *case.inputs[1:], case.lengths),
        [case.x],
        [~case.real],
        changed="x on padding",
        because="steps at or past a row's length are padding",
        names=OUTPUT,
    )


@exercise("RNN", points=9)
@given(case=rnn_module_cases())
def test_the_state_dict_holds_the_weights_and_a_learned_state_only_where_asked_for(student, case):
    expect_parameters(case.make(student), case.state)


@exercise("RNN", points=9)
@given(case=rnn_module_cases(learned=False))
def test_it_is_pytorchs_rnn_from_zeros_or_a_given_state(student, case):
    module = case.module(student)
    start = "the state given" if case.passes_h0 else "zeros"
    assert_states(module(case.x, case.passed, case.lengths), case.library, because=f"it starts from {start}")


@exercise("RNN", points=9)
@given(case=rnn_module_cases(learned=True, passes_h0=False), other=sizes(4), x=tensors((1, 1, 1)))
def test_every_row_starts_from_the_learned_state(student, case, other, x):
    module = case.module(student)
    # The same step in every row of a batch of another size, so that only the start could tell rows apart.
    same = x.expand(other, 1, case.x.shape[2])
    hs, _ = expect_outputs(module(same), OUTPUT)
    result = module(case.x, lengths=case.lengths)
    assert_states(result, case.library, because="every row starts from the learned state")
    expected = module_by_torch(case.state, same)[0]
    assert_close(hs, expected, what="hs", dims=DIMS[0], because="the rows hold the same and start the same")
