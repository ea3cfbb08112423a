"""Public checks of bptt.py."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from assignments.a1_rnn.cases import backward_cases, clip_cases
from autograder.checks import (
    assert_close,
    exercise,
    expect_outputs,
    expect_tensor,
    expect_tuple,
    expect_value_error,
    fresh,
)
from autograder.checks.strategies import sizes, tensors

GRADS = ("grad_x", "grad_h0", "grad_w_x", "grad_w_h", "grad_b")
DIMS = ("batch time input", "batch hidden", "hidden input", "hidden hidden", "hidden")


def number(*values):
    """One row of one feature, with these values over time."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)


def assert_gradients(result, expected, because=None):
    for got, right, name, dims in zip(expect_outputs(result, GRADS), expected, GRADS, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


def two_steps():
    """The arguments of a backward pass of two steps, with states whose slopes 1 - h² are 0.75 and 0.5."""
    w_x, w_h, h0 = (torch.full((1, 1), value, dtype=torch.float64) for value in (5.0, 2.0, -1.0))
    hs = number(0.5, math.sqrt(0.5))
    previous = torch.cat([h0[None], hs[:, :1]], dim=1)
    x = (hs.atanh() - previous * w_h) / w_x  # what gives these states with b = 0
    return number(1.0, 4.0), x, hs, h0, w_x, w_h


@exercise("rnn_backward", points=15)
def test_two_steps_by_hand(student):
    grad_hs, x, hs, h0, w_x, w_h = two_steps()
    x_0, x_1 = x.flatten().tolist()
    result = student.rnn_backward(grad_hs, x, hs, h0, w_x, w_h)
    # Before tanh, step 1 gets 4 · 0.5 = 2, and step 0 gets (1 + 2 · 2) · 0.75 = 3.75: 2 · 2 by way of w_h.
    expected = (
        number(5 * 3.75, 5 * 2.0),
        number(2 * 3.75)[0],
        number(3.75 * x_0 + 2 * x_1)[0],
        number(3.75 * -1 + 2 * 0.5)[0],
        number(3.75 + 2)[0, 0],
    )
    assert_gradients(result, expected)


@exercise("rnn_backward", points=15)
@given(case=backward_cases())
def test_every_gradient_is_autograds_through_pytorchs_rnn(student, case):
    assert_gradients(student.rnn_backward(*case.arguments), case.full)


@exercise("truncated_bptt", points=12)
def test_two_steps_by_hand_that_go_back_one_step(student):
    grad_hs, x, hs, h0, w_x, w_h = two_steps()
    x_0, x_1 = x.flatten().tolist()
    result = student.truncated_bptt(grad_hs, x, hs, h0, w_x, w_h, 1)
    # Before tanh, step 1 gets 4 · 0.5 = 2, and step 0 only its own 1 · 0.75; h0 is reached from step 0 alone.
    expected = (
        number(5 * 0.75, 5 * 2.0),
        number(2 * 0.75)[0],
        number(0.75 * x_0 + 2 * x_1)[0],
        number(0.75 * -1 + 2 * 0.5)[0],
        number(0.75 + 2)[0, 0],
    )
    assert_gradients(result, expected)


@exercise("truncated_bptt", points=12)
@given(case=backward_cases(), more=st.integers(0, 3))
def test_with_k_at_least_the_length_it_is_the_full_gradient(student, case, more):
    result = student.truncated_bptt(*case.arguments, case.steps + more)
    assert_gradients(result, case.full, because=f"k is {case.steps + more}, and there are {case.steps} steps")


@exercise("truncated_bptt", points=12)
@given(case=backward_cases())
def test_what_enters_at_one_step_goes_back_k_steps(student, case):
    result = student.truncated_bptt(case.entering_at_one_step, *case.arguments[1:], case.k)
    first = max(0, case.at - case.k + 1)
    reach = f"steps {first} to {case.at}, {'and h0' if case.at < case.k else 'not h0'}"
    assert_gradients(
        result,
        case.from_one_step,
        because=f"with k = {case.k}, what enters at step {case.at} reaches {reach}",
    )


@exercise("truncated_bptt", points=12)
@given(case=backward_cases(), k=st.integers(-3, 0))
def test_k_below_one_is_refused(student, case, k):
    expect_value_error(lambda: student.truncated_bptt(*case.arguments, k), "k", k)


@exercise("state_gradient_norms", points=6)
def test_norms_of_three_steps_by_hand(student):
    half = math.sqrt(0.5)
    hs = torch.tensor([[[0.1, 0.2], [0.0, half], [half, 0.5]]], dtype=torch.float64)
    w_h = torch.tensor([[0.0, -2.0], [1.0, 0.0]], dtype=torch.float64)
    norms = student.state_gradient_norms(torch.tensor([[4.0, 4.0]], dtype=torch.float64), hs, w_h)
    # At h_3 (4, 4). Its slopes 1/2 and 3/4 leave (2, 3), which w_h takes to (3, -4) at h_2. There the slopes
    # are 1 and 1/2, and w_h takes (3, -2) to (-2, -6) at h_1.
    expected = torch.tensor([math.sqrt(40), 5.0, math.sqrt(32)], dtype=torch.float64)
    assert_close(norms, expected, what="norms", dims="time")


@exercise("state_gradient_norms", points=6)
@given(grad_last=tensors((2, 3)), q=tensors((3, 3)), steps=sizes(8), scale=st.sampled_from((0.5, 1.0, 2.0)))
def test_where_tanh_has_slope_one_a_scaled_rotation_scales_the_norm_at_every_step(
    student, grad_last, q, steps, scale
):
    rotation = torch.linalg.qr(q + 10 * torch.eye(3, dtype=torch.float64)).Q
    hs = torch.zeros(2, steps, 3, dtype=torch.float64)
    norms = student.state_gradient_norms(grad_last, hs, scale * rotation)
    expected = grad_last.norm() * scale ** torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    because = f"each step back multiplies by {scale:g} times a rotation: it vanishes, stays or explodes"
    assert_close(norms, expected, what="norms", dims="time", because=because)


def expect_clipped(result, n):
    """`(clipped, norm)`, with `n` tensors in `clipped`."""
    clipped, norm = expect_tuple(result, 2, ("clipped", "norm"))
    names = [f"clipped[{i}]" for i in range(n)]
    clipped = [
        expect_tensor(grad, what=name)
        for name, grad in zip(names, expect_tuple(clipped, n, names), strict=True)
    ]
    return clipped, norm


@exercise("clip_by_global_norm", points=7)
@given(max_norm=st.sampled_from((1.0, 2.5, 5.0, 6.0)))
def test_three_and_four_have_norm_five(student, max_norm):
    grads = [torch.tensor([3.0], dtype=torch.float64), torch.tensor([[0.0], [-4.0]], dtype=torch.float64)]
    clipped, norm = expect_clipped(student.clip_by_global_norm([fresh(g) for g in grads], max_norm), 2)
    assert_close(norm, torch.tensor(5.0, dtype=torch.float64), what="norm", because="√(3² + 4²)")
    factor = min(max_norm / 5, 1.0)
    for i, (got, grad) in enumerate(zip(clipped, grads, strict=True)):
        assert_close(got, factor * grad, what=f"clipped[{i}]", because=f"max_norm is {max_norm:g}")


@exercise("clip_by_global_norm", points=7)
@given(case=clip_cases(shares=(1.1, 10.0)))
def test_gradients_within_the_norm_are_left_as_they_are(student, case):
    clipped, _ = expect_clipped(
        student.clip_by_global_norm([fresh(g) for g in case.grads], case.max_norm), len(case.grads)
    )
    for i, (got, grad) in enumerate(zip(clipped, case.grads, strict=True)):
        assert_close(got, grad, what=f"clipped[{i}]", rtol=0.0, atol=0.0, because="norm < max_norm")


@exercise("clip_by_global_norm", points=7)
@given(case=clip_cases(), bad=st.sampled_from((math.nan, math.inf)), position=sizes(50))
def test_a_gradient_that_is_not_finite_is_refused(student, case, bad, position):
    grads = [fresh(g) for g in case.grads]
    flat = grads[position % len(grads)].view(-1)
    flat[position % len(flat)] = bad
    expect_value_error(lambda: student.clip_by_global_norm(grads, case.max_norm), ["grads", "norm"], bad)
