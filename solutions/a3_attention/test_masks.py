"""Hidden checks of masks.py."""

import torch
import torch.nn.functional as F
from hypothesis import given

from assignments.a3_attention.cases import padding_cases
from autograder.checks import (
    assert_close,
    check_batch_independence,
    check_cost_growth,
    check_layouts,
    check_pure,
    exercise,
)
from autograder.checks.strategies import sizes, tensor_from
from solutions.a3_attention import oracles


@exercise("padding_mask", points=4)
@given(case=padding_cases())
def test_step_t_is_kept_where_t_is_less_than_the_length(student, case):
    expected = oracles.kept_steps(case.lengths, case.max_len)
    assert_close(
        student.padding_mask(case.lengths, case.max_len), expected, what="mask", dims="batch max_len"
    )


@exercise("padding_mask", points=4)
@given(case=padding_cases())
def test_rows_are_independent_and_lengths_are_left_alone(student, case):
    def mask(lengths):
        return student.padding_mask(lengths, case.max_len)

    check_batch_independence(mask, [case.lengths], names=("mask",))
    check_layouts(mask, [case.lengths], names=("mask",))
    check_pure(mask, case.lengths, names=("lengths",))


@exercise("padding_mask", points=4)
def test_a_padding_mask_costs_in_proportion_to_max_len(student):
    def batch(max_len):
        return torch.tensor([1, max_len // 2, max_len]), max_len

    because = "a row of the mask has max_len entries; a square of them says nothing more about padding"
    check_cost_growth(
        student.padding_mask, batch, 16, 256, of="steps in max_len", because=because, with_masks=True
    )


@exercise("causal_mask", points=3)
@given(size=sizes(9))
def test_key_j_is_kept_where_j_is_at_most_the_query(student, size):
    assert_close(student.causal_mask(size), oracles.past_keys(size), what="mask", dims="queries keys")


@exercise("causal_mask", points=3)
@given(size=sizes(6))
def test_pytorch_takes_it_for_causal(student, size):
    x = tensor_from(size, (1, size, 2))
    mask = student.causal_mask(size)
    assert_close(mask, oracles.past_keys(size) & mask, what="mask", dims="queries keys")
    got = F.scaled_dot_product_attention(x, x, x, attn_mask=mask)
    expected = F.scaled_dot_product_attention(x, x, x, is_causal=True)
    assert_close(got, expected, what="causal attention with this mask")
    assert_close(mask.any(1), torch.ones(size, dtype=torch.bool), what="whether a position keeps anything")
