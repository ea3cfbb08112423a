"""Public checks of positions.py."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from assignments.a3_attention.cases import learned_positions_cases
from autograder.checks import (
    assert_close,
    assert_shape,
    assert_unchanged,
    exercise,
    expect_no_nan,
    expect_value_error,
    note,
)
from autograder.checks.strategies import sizes


@exercise("sinusoidal_positions", points=4)
def test_two_positions_by_hand(student):
    expected = torch.tensor(
        [[0.0, 1.0, 0.0, 1.0], [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]],
        dtype=torch.get_default_dtype(),
    )
    assert_close(student.sinusoidal_positions(2, 4), expected, dims="max_len d_model")


@exercise("sinusoidal_positions", points=4)
@given(max_len=sizes(30), pairs=sizes(5), odd=st.booleans())
def test_neighbouring_columns_are_points_on_a_circle(student, max_len, pairs, odd):
    table = assert_shape(
        student.sinusoidal_positions(max_len, 2 * pairs + odd),
        (max_len, 2 * pairs + odd),
        dims="max_len d_model",
    )
    radius = table[:, : 2 * pairs].unflatten(1, (pairs, 2)).square().sum(2)
    assert_close(radius, torch.ones_like(radius), what="sin² + cos² of a pair of columns")


@exercise("sinusoidal_positions", points=4)
@given(short=sizes(10), more=sizes(20), d_model=sizes(9))
def test_a_longer_table_begins_with_the_shorter_one(student, short, more, d_model):
    table = assert_shape(
        student.sinusoidal_positions(short, d_model), (short, d_model), dims="max_len d_model"
    )
    longer = student.sinusoidal_positions(short + more, d_model)
    assert_unchanged(
        longer[:short],
        table,
        changed=f"max_len, from {short} to {short + more}",
        because="a position's vector does not depend on max_len",
        what=f"the table's first {short} rows",
    )


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases())
def test_every_row_gets_the_same_vectors_whatever_it_holds(student, case):
    module = case.module(student)
    added = expect_no_nan(module(torch.zeros_like(case.x[:1])), what="what is added to zeros")
    note(added, "what is added to zeros")
    assert_close(
        module(case.x), case.x + added, because="y[b, t] = x[b, t] + p[t]", dims="batch time d_model"
    )


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases(full=True), steps=sizes(4))
def test_a_shorter_input_gets_the_first_vectors(student, case, steps):
    module = case.module(student)
    whole, part = module(case.x), module(case.x[:, :steps])
    assert_unchanged(
        part,
        whole[:, :steps],
        changed="the input, cut short",
        because="positions count from 0, and max_len itself fits",
    )


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases(full=True), more=sizes(3))
def test_a_longer_input_is_refused(student, case, more):
    module = student.LearnedPositions(case.max_len, case.x.shape[2])
    x = torch.zeros(1, case.max_len + more, case.x.shape[2])
    expect_value_error(lambda: module(x), [], case.max_len + more)
