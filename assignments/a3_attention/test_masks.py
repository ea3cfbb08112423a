"""Public checks of masks.py."""

import torch
from hypothesis import given

from assignments.a3_attention.cases import padding_cases
from autograder.checks import assert_close, exercise
from autograder.checks.strategies import sizes


@exercise("padding_mask", points=4)
def test_a_row_of_two_in_a_width_of_four(student):
    expected = torch.tensor([[True, True, False, False], [True, True, True, True]])
    assert_close(student.padding_mask(torch.tensor([2, 4]), 4), expected, dims="batch max_len")


@exercise("padding_mask", points=4)
@given(case=padding_cases())
def test_a_row_keeps_as_many_steps_as_it_is_long(student, case):
    mask = student.padding_mask(case.lengths, case.max_len)
    assert_close(
        mask, torch.zeros(len(case.lengths), case.max_len, dtype=torch.bool) | mask, dims="batch max_len"
    )
    assert_close(mask.sum(1), case.lengths, what="number of steps kept", because="True means keep")


@exercise("causal_mask", points=3)
def test_three_positions(student):
    expected = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    assert_close(student.causal_mask(3), expected, dims="queries keys")


@exercise("causal_mask", points=3)
@given(size=sizes(8))
def test_position_i_keeps_i_plus_one_positions(student, size):
    mask = student.causal_mask(size)
    assert_close(
        mask.sum(1), torch.arange(1, size + 1), what="number of positions kept", because="it keeps 0..i"
    )
