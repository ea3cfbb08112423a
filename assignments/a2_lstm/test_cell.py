"""Public checks of cell.py."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from assignments.a2_lstm.cases import backward_cases, memory_cases, step_cases
from autograder.checks import assert_close, exercise, expect_outputs, gradients, leaves
from autograder.checks.strategies import tensors

MEMORY = ("y", "c'")
STEP = ("h'", "c'")
GRADS = ("grad_x", "grad_h_prev", "grad_c_prev", "grad_w_x", "grad_w_h", "grad_b")
DIMS = ("batch input", "batch hidden", "batch hidden", "4*hidden input", "4*hidden hidden", "4*hidden")


def numbers(values):
    return torch.tensor(values, dtype=torch.float64)


def assert_both(result, expected, names, because=None, dims=None):
    for got, right, name in zip(expect_outputs(result, names), expected, names, strict=True):
        assert_close(got, right, what=name, because=because, dims=dims)


def assert_gradients(result, expected, because=None):
    for got, right, name, dims in zip(expect_outputs(result, GRADS), expected, GRADS, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


# Here and not in cases.py: that stands among a student's own files, which may not call nn.LSTMCell.
def torch_step(x, h, c, w_x, w_h, b):
    """PyTorch's own cell with these weights: `(h', c')`."""
    cell = nn.LSTMCell(x.shape[1], h.shape[1], device="meta", dtype=x.dtype)
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    weights = dict(zip(names, (w_x, w_h, b, torch.zeros_like(b)), strict=True))
    return functional_call(cell, weights, (x, (h, c)))


def step_gradients(case, cotangents):
    """By all that a step is given, by autograd through PyTorch's cell."""
    inputs = leaves(case.inputs)
    return gradients(torch_step(*inputs), inputs, cotangents)


@exercise("memory_cell", points=6)
def test_five_steps_of_a_memory_by_hand(student):
    x, write, keep, read = numbers([[5, 7, 9, 2, 4], [1, 0, 0, 1, 1], [0, 1, 1, 1, 0.5], [0, 0, 1, 1, 0.5]])
    before = numbers([3, 5, 5, 5, 7])
    # Each column is a step; step 1 forgets the 3 that it found.
    expected = numbers([[0, 0, 5, 7, 3.75], [5, 5, 5, 7, 7.5]])
    assert_both(student.memory_cell(x, before, write, keep, read), expected, MEMORY)


@exercise("memory_cell", points=6)
@settings(max_examples=16)
@given(case=memory_cases(open_or_shut=True))
def test_gates_that_are_open_or_shut(student, case):
    result = student.memory_cell(*case.inputs)
    zero = torch.zeros_like(case.x)
    content = torch.where(case.keep.bool(), case.c, zero) + torch.where(case.write.bool(), case.x, zero)
    because = "c' is the old content where it is kept, plus x where it is written; y is c' where it is read"
    assert_both(result, (torch.where(case.read.bool(), content, zero), content), MEMORY, because)


def one_step():
    """The arguments of a step whose gates are 0.5 and whose g is tanh 1, all sizes 1."""
    x, h, c = numbers([[1]]), numbers([[3]]), numbers([[2]])
    return x, h, c, numbers([[0], [0], [1], [0]]), numbers([[0]] * 4), numbers([0] * 4)


@exercise("lstm_step", points=12)
def test_one_step_by_hand(student):
    c = 0.5 * 2 + 0.5 * math.tanh(1)
    expected = numbers([[[0.5 * math.tanh(c)]], [[c]]])
    x, h, c_0, w_x, w_h, b = one_step()
    assert_both(student.lstm_step(x, h, c_0, w_x, w_h, b), expected, STEP, dims="batch hidden")


@exercise("lstm_step", points=12)
@settings(max_examples=16)
@given(c=tensors((2, 3)), gates=st.lists(st.booleans(), min_size=4, max_size=4))
def test_every_block_of_the_bias_rules_its_gate(student, c, gates):
    i, f, g, o = gates
    # With all weights 0, a bias of ±40 opens or shuts a gate, and makes g 1 or -1, to the last digit.
    b = numbers([40 if gate else -40 for gate in gates]).repeat_interleave(3)
    x, w_x, w_h = numbers([[1] * 5] * 2), numbers([[0] * 5] * 12), numbers([[0] * 3] * 12)
    new = (c if f else torch.zeros_like(c)) + (0 if not i else 1 if g else -1)
    expected = (new.tanh() if o else torch.zeros_like(c), new)
    state = ", ".join(f"{name} is {('shut', 'open')[gate]}" for name, gate in (("i", i), ("f", f), ("o", o)))
    because = f"{state}, and g is {1 if g else -1}: blocks i, f, g, o in this order"
    assert_both(student.lstm_step(x, c.flip(0), c, w_x, w_h, b), expected, STEP, because, "batch hidden")


@exercise("lstm_step", points=12)
@settings(max_examples=16)
@given(case=step_cases())
def test_a_step_is_that_of_pytorchs_cell(student, case):
    assert_both(student.lstm_step(*case.inputs), torch_step(*case.inputs), STEP, dims="batch hidden")


@exercise("lstm_step_backward", points=16)
def test_one_step_back_by_hand(student):
    x, h, c, w_x, w_h, b = one_step()
    grad_h, grad_c = numbers([[1]]), numbers([[0]])
    result = student.lstm_step_backward(grad_h, grad_c, x, h, c, w_x, w_h, b)
    g = math.tanh(1)
    tanh_c = math.tanh(0.5 * 2 + 0.5 * g)
    c_bar = 0.5 * (1 - tanh_c**2)
    # At a: σ' is 0.25, and block g alone has a weight to carry its gradient back to x.
    a = numbers([c_bar * g * 0.25, c_bar * 2 * 0.25, c_bar * 0.5 * (1 - g * g), tanh_c * 0.25])
    expected = a[2].reshape(1, 1), grad_c, c_bar * 0.5 * grad_h, a[:, None] * 1, a[:, None] * 3, a
    assert_gradients(result, expected)


@exercise("lstm_step_backward", points=16)
@given(case=backward_cases())
def test_every_gradient_is_autograds_through_pytorchs_cell(student, case):
    result = student.lstm_step_backward(*case.arguments)
    assert_gradients(result, step_gradients(case, [case.grad_h, case.grad_c]))


@exercise("lstm_step_backward", points=16)
@settings(max_examples=16)
@given(case=backward_cases(), at_h=st.booleans())
def test_a_gradient_that_comes_in_at_one_result_alone(student, case, at_h):
    zero = torch.zeros_like(case.grad_h)
    entering = (case.grad_h, zero) if at_h else (zero, case.grad_c)
    result = student.lstm_step_backward(*entering, *case.inputs)
    because = f"it comes in at {'h' if at_h else 'c'}' alone: {'grad_c' if at_h else 'grad_h'} is 0"
    assert_gradients(result, step_gradients(case, entering), because)
