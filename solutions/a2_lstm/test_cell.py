"""Hidden checks of cell.py."""

import torch
from hypothesis import given, settings

from assignments.a2_lstm.cases import backward_cases, memory_cases, step_cases
from autograder.checks import (
    assert_close,
    check_batch_independence,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
    expect_outputs,
    weights_like,
)
from solutions.a2_lstm import oracles

MEMORY = ("y", "c'")
CELLS = ("x", "c", "write", "keep", "read")
STEP = ("h'", "c'")
INPUTS = ("x", "h", "c", "w_x", "w_h", "b")
GRADS = ("grad_x", "grad_h_prev", "grad_c_prev", "grad_w_x", "grad_w_h", "grad_b")


@exercise("memory_cell", points=6)
@settings(max_examples=16)
@given(case=memory_cases())
def test_gates_of_any_value_and_of_every_shape_that_broadcasts(student, case):
    result = expect_outputs(student.memory_cell(*case.inputs), MEMORY)
    for got, right, name in zip(result, oracles.remember(*case.inputs), MEMORY, strict=True):
        assert_close(got, right, what=name)


@exercise("memory_cell", points=6)
@settings(max_examples=16)
@given(case=memory_cases())
def test_gradients_of_cells_and_gates(student, case):
    check_gradients(student.memory_cell, case.inputs, oracles.remember, names=CELLS)


@exercise("memory_cell", points=6)
@settings(max_examples=12)
@given(case=memory_cases())
def test_cells_in_any_dtype_and_memory_layout_that_are_left_alone(student, case):
    check_layouts(student.memory_cell, case.inputs, names=MEMORY)
    check_pure(student.memory_cell, *case.inputs, names=CELLS)
    check_dtype_and_device(student.memory_cell, case.inputs, names=MEMORY)


@exercise("lstm_step", points=12)
@settings(max_examples=16)
@given(case=step_cases())
def test_a_steps_gradients_by_all_it_is_given(student, case):
    check_gradients(student.lstm_step, case.inputs, oracles.step, names=INPUTS)


@exercise("lstm_step", points=12)
@settings(max_examples=12)
@given(case=step_cases())
def test_a_step_in_any_dtype(student, case):
    check_dtype_and_device(student.lstm_step, case.inputs, names=STEP, terms=9)


@exercise("lstm_step", points=12)
@settings(max_examples=12)
@given(case=step_cases())
def test_a_step_from_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    weights = case.inputs[3:]
    check_layouts(student.lstm_step, case.inputs, names=STEP)
    check_pure(student.lstm_step, *case.inputs, names=INPUTS)
    check_batch_independence(
        lambda *states: student.lstm_step(*states, *weights), case.inputs[:3], names=STEP
    )


@exercise("lstm_step_backward", points=16)
@settings(max_examples=15)
@given(case=backward_cases())
def test_every_gradient_is_the_slope_of_the_loss(student, case):
    result = expect_outputs(student.lstm_step_backward(*case.arguments), GRADS)
    for got, value, slope, name in zip(result, case.inputs, oracles.slopes(case), GRADS, strict=True):
        assert_close(
            (got * weights_like(value)).sum(),
            slope,
            what=f"{name} along a random direction",
            because="that is (loss(p + εu) - loss(p - εu)) / 2ε, of loss = Σ grad_h · h' + Σ grad_c · c'",
            rtol=1e-6,
        )


@exercise("lstm_step_backward", points=16)
@settings(max_examples=12)
@given(case=backward_cases())
def test_weights_get_the_sum_over_the_rows_and_each_row_its_own(student, case):
    rows, weights = case.arguments[:5], case.arguments[5:]
    alone = [
        student.lstm_step_backward(*(x[row : row + 1] for x in rows), *weights) for row in range(len(case.x))
    ]
    together = expect_outputs(student.lstm_step_backward(*case.arguments), GRADS)
    shares = list(zip(*(expect_outputs(result, GRADS) for result in alone), strict=True))
    joined = [torch.cat(parts) for parts in shares[:3]] + [sum(parts) for parts in shares[3:]]
    for got, expected, right, name in zip(together, joined, oracles.step_gradients(case), GRADS, strict=True):
        assert_close(expected, right, what=f"{name}, put together from the rows alone")
        assert_close(got, right, what=name)


@exercise("lstm_step_backward", points=16)
@settings(max_examples=12)
@given(case=backward_cases())
def test_gradients_in_any_dtype(student, case):
    check_dtype_and_device(student.lstm_step_backward, case.arguments, names=GRADS, terms=25)


@exercise("lstm_step_backward", points=16)
@settings(max_examples=12)
@given(case=backward_cases())
def test_gradients_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    check_layouts(student.lstm_step_backward, case.arguments, names=GRADS)
    check_pure(student.lstm_step_backward, *case.arguments, names=("grad_h", "grad_c", *INPUTS))
