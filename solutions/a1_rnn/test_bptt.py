"""Hidden checks of bptt.py."""

import torch
from hypothesis import given, settings

from assignments.a1_rnn.cases import backward_cases, clip_cases
from autograder.checks import (
    assert_close,
    check_cost_growth,
    check_dtype_and_device,
    check_layouts,
    check_pure,
    exercise,
    expect_outputs,
    expect_tuple,
    expect_value_error,
    weights_like,
)
from autograder.checks.strategies import sizes, tensor_from
from solutions.a1_rnn import oracles

GRADS = ("grad_x", "grad_h0", "grad_w_x", "grad_w_h", "grad_b")
DIMS = ("batch time input", "batch hidden", "hidden input", "hidden hidden", "hidden")
INPUTS = ("grad_hs", "x", "hs", "h0", "w_x", "w_h")


@exercise("rnn_backward", points=15)
@given(case=backward_cases(max_steps=12))
def test_every_gradient_is_the_slope_of_the_loss(student, case):
    result = expect_outputs(student.rnn_backward(*case.arguments), GRADS)
    for got, value, slope, name in zip(result, case.inputs, oracles.slopes(case), GRADS, strict=True):
        assert_close(
            (got * weights_like(value)).sum(),
            slope,
            what=f"{name} along a random direction",
            because="that is (loss(p + εu) - loss(p - εu)) / 2ε, of loss = Σ grad_hs · hs",
            rtol=1e-6,
        )


@exercise("rnn_backward", points=15)
@given(case=backward_cases(max_steps=12))
def test_weights_get_the_sum_over_the_rows_and_each_row_its_own(student, case):
    row = [x[-1:] for x in case.arguments[:4]]
    others = [x[:-1] for x in case.arguments[:4]]
    weights = case.arguments[4:]
    alone = expect_outputs(student.rnn_backward(*row, *weights), GRADS)
    if len(others[0]) == 0:
        shares = alone
    else:
        rest = expect_outputs(student.rnn_backward(*others, *weights), GRADS)
        joined = [torch.cat(pair) for pair in zip(rest[:2], alone[:2], strict=True)]
        shares = [*joined, *(a + b for a, b in zip(rest[2:], alone[2:], strict=True))]
    together = expect_outputs(student.rnn_backward(*case.arguments), GRADS)
    for got, expected, right, name in zip(together, shares, case.full, GRADS, strict=True):
        assert_close(expected.detach(), right, what=f"{name}, row by row")
        assert_close(got, right, what=name)


@exercise("rnn_backward", points=15)
@settings(max_examples=12)
@given(case=backward_cases())
def test_gradients_in_any_dtype(student, case):
    check_dtype_and_device(student.rnn_backward, case.arguments, names=GRADS, terms=25)


@exercise("rnn_backward", points=15)
@settings(max_examples=12)
@given(case=backward_cases())
def test_gradients_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    weights = case.arguments[4:]
    check_layouts(lambda *inputs: student.rnn_backward(*inputs, *weights), case.arguments[:4], names=GRADS)
    check_pure(student.rnn_backward, *case.arguments, names=INPUTS)


@exercise("truncated_bptt", points=12)
@given(case=backward_cases(max_steps=7))
def test_what_enters_at_every_step_goes_back_k_steps(student, case):
    result = expect_outputs(student.truncated_bptt(*case.arguments, case.k), GRADS)
    because = f"what enters at step t reaches the steps t to t - {case.k - 1}, and h0 where t < {case.k}"
    for got, right, name, dims in zip(result, oracles.truncated(case), GRADS, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


@exercise("truncated_bptt", points=12)
@settings(max_examples=12)
@given(case=backward_cases())
def test_truncated_gradients_in_any_dtype(student, case):
    check_dtype_and_device(
        lambda *inputs: student.truncated_bptt(*inputs, case.k), case.arguments, names=GRADS, terms=25
    )


@exercise("truncated_bptt", points=12)
@settings(max_examples=12)
@given(case=backward_cases())
def test_truncated_gradients_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    weights = case.arguments[4:]
    check_layouts(
        lambda *inputs: student.truncated_bptt(*inputs, *weights, case.k), case.arguments[:4], names=GRADS
    )
    check_pure(lambda *inputs: student.truncated_bptt(*inputs, case.k), *case.arguments, names=INPUTS)


@exercise("state_gradient_norms", points=6)
@given(case=backward_cases(max_steps=8))
def test_norms_are_those_of_autograds_gradients(student, case):
    got = student.state_gradient_norms(case.grad_last, case.hs, case.w_h)
    because = "entry t is the norm, over batch and hidden, of autograd's gradient at hs[:, t]"
    assert_close(got, oracles.norms_on_the_way_back(case), what="norms", dims="time", because=because)


@exercise("state_gradient_norms", points=6)
@settings(max_examples=12)
@given(case=backward_cases())
def test_norms_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    inputs = case.grad_last, case.hs, case.w_h
    check_layouts(student.state_gradient_norms, inputs, names=("norms",))
    check_pure(student.state_gradient_norms, *inputs, names=("grad_last", "hs", "w_h"))
    check_dtype_and_device(student.state_gradient_norms, inputs, names=("norms",), terms=25)


@exercise("state_gradient_norms", points=6)
def test_norms_cost_in_proportion_to_the_rows(student):
    def batch(rows):
        return tensor_from(1, (rows, 3)), tensor_from(2, (rows, 3, 3)).tanh(), tensor_from(3, (3, 3))

    because = "a norm adds up the squares of all rows, whatever their number"
    check_cost_growth(student.state_gradient_norms, batch, 16, 256, of="rows", because=because)


def clip(student, max_norm):
    """A function of tensors, `(norm, *clipped)`, for the checks that want one."""

    def clipped(*grads):
        result, norm = expect_tuple(
            student.clip_by_global_norm(list(grads), max_norm), 2, ("clipped", "norm")
        )
        return norm, *expect_tuple(result, len(grads), [f"clipped[{i}]" for i in range(len(grads))])

    return clipped


def results(case):
    return ("norm", *(f"clipped[{i}]" for i in range(len(case.grads))))


@exercise("clip_by_global_norm", points=7)
@given(case=clip_cases())
def test_all_are_scaled_by_max_norm_over_the_norm_and_only_where_it_is_larger(student, case):
    result = expect_outputs(clip(student, case.max_norm)(*case.grads), results(case))
    factor = min(1.0, case.share) if case.norm > 0 else 1.0
    because = f"the norm is {float(case.norm):.6g} and max_norm {case.max_norm:.6g}; no epsilon"
    expected = case.norm, *(factor * grad for grad in case.grads)
    for got, right, name in zip(result, expected, results(case), strict=True):
        # Relative to the values themselves, since an epsilon of 1e-6 would hide beside 1.
        atol = 1e-9 * float(right.abs().max())
        assert_close(got, right, what=name, because=because, rtol=1e-9, atol=atol)


@exercise("clip_by_global_norm", points=7)
@settings(max_examples=12)
@given(case=clip_cases(shares=(0.1, 0.5, 10.0)))
def test_clipping_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    f = clip(student, case.max_norm)
    check_layouts(f, case.grads, names=results(case))
    check_pure(f, *case.grads, names=[f"grads[{i}]" for i in range(len(case.grads))])
    check_dtype_and_device(f, case.grads, names=results(case), terms=9)


@exercise("clip_by_global_norm", points=7)
@given(n=sizes(4), max_norm=sizes(3))
def test_a_norm_that_is_not_finite_is_refused_where_every_gradient_is(student, n, max_norm):
    # The true norm is above the largest float64, 1.8e308, however it is computed.
    grads = [torch.full((2,), 1.5e308, dtype=torch.float64) for _ in range(n)]
    expect_value_error(
        lambda: student.clip_by_global_norm(grads, float(max_norm)), ["grads", "norm"], float("inf")
    )
