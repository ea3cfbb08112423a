"""Hidden checks of lstm.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a2_lstm.cases import last_cases, lstm_cases
from assignments.a2_lstm.test_lstm import assert_results, results, run, torch_lstm
from autograder.checks import (
    assert_close,
    assert_unchanged,
    check_batch_independence,
    check_cost_growth,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
)
from autograder.checks.strategies import tensor_from
from solutions.a2_lstm import oracles

FEW = 12  # each makes a module or two
OUTPUT = ("out", "h_n", "c_n")
STATE = ("h_0", "c_0")
ROWS = "a row of a batch has nothing to do with the others"


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(with_lengths=True, max_steps=8))
def test_results_whatever_stands_on_padding(student, case):
    result = case.module(student)(case.poisoned_x, state=case.state, lengths=case.lengths)
    with torch.no_grad():
        expected = run(torch_lstm(case), case.x, case.state, case.lengths)
    because = "padding, which holds NaN, infinities and 1e18, is not read"
    assert_results(result, expected, because)


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(with_lengths=True))
def test_gradients_by_inputs_and_parameters_whatever_stands_on_padding(student, case):
    module, library = case.module(student), torch_lstm(case)
    check_gradients(
        lambda x, *state: results(module(x, state or None, case.lengths)),
        [case.poisoned_x, *(case.state or ())],
        lambda x, *state: run(library, x, state or None, case.lengths),
        names=("x", *STATE)[: 3 if case.passes_state else 1],
        modules=(module, library),
        because="these are of packed sequences; padding holds NaN, infinities and 1e18",
    )


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(with_lengths=True))
def test_a_row_alone_without_its_padding(student, case):
    module, row = case.module(student), case.at % len(case.x)
    length = int(case.lengths[row])
    state = None if case.state is None else tuple(s[:, row : row + 1] for s in case.state)
    together = results(module(case.x, case.state, case.lengths))
    alone = results(module(case.x[row : row + 1, :length], state))
    for one, many, batch, name in zip(alone, together, (0, 1, 1), OUTPUT, strict=True):
        mine = many.narrow(batch, row, 1)
        assert_unchanged(
            one,
            mine[:, :length] if name == "out" else mine,
            changed=f"the batch: row {row} alone, cut to its real steps 0 to {length - 1}, without lengths",
            because="neither other rows nor padding matter to a row",
            what=f"{name} of row {row}",
        )


@exercise("LSTM", points=22)
@settings(max_examples=10)
@given(case=lstm_cases(with_lengths=True, passes_state=True))
def test_an_lstm_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    module = case.module(student)

    def forward(x, h_0, c_0, lengths=case.lengths):
        return results(module.to(x.dtype)(x, (h_0, c_0), lengths))

    inputs = case.x, case.h_0, case.c_0
    check_layouts(forward, inputs, names=OUTPUT)
    check_pure(forward, *inputs, case.lengths, names=("x", *STATE, "lengths"))
    check_dtype_and_device(forward, inputs, names=OUTPUT, terms=16)


@exercise("LSTM", points=22)
def test_a_batch_costs_in_proportion_to_its_rows(student):
    lstm = student.LSTM(1, 1)

    def batch(rows):
        return tensor_from(1, (rows, 2, 1), dtype=torch.float32), None, torch.arange(rows) % 2 + 1

    check_cost_growth(lstm, batch, 64, 1024, of="rows", because=ROWS)


@exercise("set_forget_bias", points=5)
@settings(max_examples=10)
@given(case=lstm_cases(passes_state=True), value=st.sampled_from((1.0, 5.0)))
def test_the_lstm_runs_and_trains_with_the_new_bias(student, case, value):
    module, library = case.module(student), torch_lstm(case)
    student.set_forget_bias(module, value)
    with torch.no_grad():
        for name, bias in library.named_parameters():
            if name.startswith("bias"):
                bias[case.hidden_size : 2 * case.hidden_size] = value / 2
    expected = run(library, case.x, case.state)
    got = results(module(case.x, case.state))
    assert_results((got[0], got[1:]), expected, because=f"the forget bias is {value}")
    check_gradients(
        lambda x: results(module(x, case.state)),
        [case.x],
        lambda x: run(library, x, case.state),
        names=("x",),
        modules=(module, library),
        because="parameters stay parameters and go on learning",
    )


@exercise("last_valid", points=4)
@settings(max_examples=12)
@given(case=last_cases())
def test_the_step_before_each_rows_length(student, case):
    got = student.last_valid(case.out, case.lengths)
    assert_close(got, oracles.pick_last(case.out, case.lengths), dims="batch hidden")


@exercise("last_valid", points=4)
@settings(max_examples=12)
@given(case=last_cases())
def test_gradient_goes_to_the_last_real_steps_whatever_stands_elsewhere(student, case):
    out = case.out.masked_fill(case.not_last[:, :, None], torch.nan)
    check_gradients(
        lambda out: student.last_valid(out, case.lengths),
        [out],
        lambda out: oracles.pick_last(out, case.lengths),
        names=("out",),
    )


@exercise("last_valid", points=4)
@settings(max_examples=12)
@given(case=last_cases())
def test_last_outputs_in_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    inputs, names = (case.out, case.lengths), ("output",)
    check_layouts(student.last_valid, inputs, names=names)
    check_pure(student.last_valid, *inputs, names=("out", "lengths"))
    check_batch_independence(student.last_valid, inputs, names=names)
    check_dtype_and_device(lambda out: student.last_valid(out, case.lengths), [case.out], names=names)


@exercise("last_valid", points=4)
def test_the_last_steps_cost_in_proportion_to_the_rows(student):
    def batch(rows):
        return tensor_from(1, (rows, 5, 3)), torch.arange(rows) % 5 + 1

    check_cost_growth(student.last_valid, batch, 16, 256, of="rows", because=ROWS)
