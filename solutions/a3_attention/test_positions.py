"""Hidden checks of positions.py."""

import torch
from hypothesis import given

from assignments.a3_attention.cases import learned_positions_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    check_batch_independence,
    check_dtype_and_device,
    check_layouts,
    check_pure,
    exercise,
    gradients,
    leaf,
    weights_like,
)
from autograder.checks.strategies import sizes
from solutions.a3_attention import oracles


@exercise("sinusoidal_positions", points=4)
@given(max_len=sizes(60), d_model=sizes(12))
def test_sines_in_even_and_cosines_in_odd_columns(student, max_len, d_model):
    expected = oracles.sines_and_cosines(max_len, d_model)
    # Each entry is one number, not a sum.
    table = student.sinusoidal_positions(max_len, d_model)
    assert_close(table, expected, what="table", dims="max_len d_model", terms=1)


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases(full=True))
def test_every_position_has_numbers_of_its_own(student, case):
    module = case.module(student)
    learned = [p.detach().flatten() for p in module.parameters() if p.requires_grad]
    if not learned:
        raise CheckFailure(("expected", "learnable parameters"), ("got", "none"))
    numbers = torch.cat(learned)
    added = module(torch.zeros_like(case.x[:1]))
    assert_close(
        added.flatten().sort().values,
        numbers.sort().values,
        what="what is added to the steps, in ascending order",
        because="each of the max_len · d_model learned numbers is added once",
    )


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases())
def test_a_positions_gradient_is_the_sum_over_the_batch(student, case):
    module, x = case.module(student), leaf(case.x)
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise CheckFailure(("expected", "learnable parameters"), ("got", "none"))
    grad_x, *grads = gradients(module(x), [x, *parameters])
    cotangent = weights_like(case.x)
    assert_close(grad_x, cotangent, what="gradient of x", because="the vectors are added")
    unused = case.x.new_zeros(case.max_len - case.x.shape[1], case.x.shape[2])
    expected = torch.cat([cotangent.sum(0), unused])
    assert_close(
        torch.cat([grad.flatten() for grad in grads]).sort().values,
        expected.flatten().sort().values,
        what="gradient of the vectors, in ascending order",
        because="a vector serves every row, and those past the input's end serve none",
    )


@exercise("LearnedPositions", points=4)
@given(case=learned_positions_cases())
def test_positions_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    module = case.module(student)
    check_layouts(module, [case.x])
    check_pure(module, case.x, names=("x",))
    check_batch_independence(module, [case.x])
    check_dtype_and_device(lambda x: module.to(x.dtype)(x), [case.x])
