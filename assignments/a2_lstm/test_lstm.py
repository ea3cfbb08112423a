"""Public checks of lstm.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from assignments.a2_lstm.cases import last_cases, lstm_cases
from autograder.checks import (
    assert_close,
    assert_unchanged,
    assert_zero,
    check_causal,
    check_ignores,
    exercise,
    expect_outputs,
    expect_parameters,
    expect_tuple,
)
from autograder.checks.strategies import tensors

FEW = 12  # each makes a module or two
OUTPUT = ("out", "h_n", "c_n")
DIMS = ("batch time directions*hidden", "rows batch hidden", "rows batch hidden")
PADDING = "steps at or past a row's length are padding"


def results(result):
    """`(out, (h_n, c_n))` as three tensors."""
    out, state = expect_tuple(result, 2, ("out", "(h_n, c_n)"))
    return expect_outputs((out, *expect_tuple(state, 2, OUTPUT[1:])), OUTPUT)


def assert_results(result, expected, because=None):
    for got, right, name, dims in zip(results(result), expected, OUTPUT, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


# Here and not in cases.py: that stands among a student's own files, which may not call nn.LSTM.
def torch_lstm(case):
    """PyTorch's own LSTM with the weights of the case."""
    library = nn.LSTM(*case.sizes[:3], bidirectional=case.bidirectional, batch_first=True, device="meta")
    library.load_state_dict({name: value.clone() for name, value in case.weights.items()}, assign=True)
    return library.requires_grad_()


def run(library, x, state=None, lengths=None):
    """What PyTorch's LSTM returns, on packed sequences where there are lengths: three tensors."""
    if lengths is None:
        out, last = library(x, state)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, last = library(packed, state)
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out, *last


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases())
def test_the_state_dict_is_that_of_pytorchs_lstm(student, case):
    expect_parameters(case.make(student), case.weights)


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases())
def test_it_is_pytorchs_lstm_from_zeros_or_a_given_state(student, case):
    result = case.module(student)(case.x, case.state)
    start = "the state given" if case.passes_state else "zeros"
    with torch.no_grad():
        expected = run(torch_lstm(case), case.x, case.state)
    assert_results(result, expected, because=f"it starts from {start}")


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(with_lengths=True))
def test_with_lengths_it_is_pytorchs_lstm_of_packed_sequences(student, case):
    out, h_n, c_n = results(case.module(student)(case.x, case.state, case.lengths))
    with torch.no_grad():
        expected = run(torch_lstm(case), case.x, case.state, case.lengths)
    assert_results((out, (h_n, c_n)), expected, because=f"the lengths are {case.lengths.tolist()}")
    assert_zero(out, where=~case.real[:, :, None], what="out", because=PADDING)


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(with_lengths=True))
def test_what_stands_on_padding_cannot_matter(student, case):
    module = case.module(student)
    check_ignores(
        lambda x: results(module(x, case.state, case.lengths)),
        [case.x],
        [~case.real],
        changed="x on padding",
        because=PADDING,
        names=OUTPUT,
    )


@exercise("LSTM", points=22)
@settings(max_examples=FEW)
@given(case=lstm_cases(bidirectional=False))
def test_with_one_direction_no_step_sees_what_comes_after_it(student, case):
    module = case.module(student)
    check_causal(lambda x: results(module(x, case.state))[0], case.x, at=case.at, what="out", not_finite=True)


@exercise("set_forget_bias", points=5)
@settings(max_examples=FEW)
@given(case=lstm_cases(), value=st.sampled_from((1.0, 0.0, -2.0, 3.5)))
def test_every_forget_gates_total_bias_becomes_the_value_and_nothing_else_changes(student, case, value):
    module, forget = case.module(student), slice(case.hidden_size, 2 * case.hidden_size)
    student.set_forget_bias(module, value)
    expect_parameters(module, case.weights)
    state = {name: parameter.detach() for name, parameter in module.state_dict().items()}
    for name, before in case.weights.items():
        others = torch.ones_like(before, dtype=torch.bool)
        if name.startswith("bias"):
            others[forget] = False
        changed = "nothing: only the forget bias was set"
        what = name if others.all() else f"{name} but for its block f"
        assert_unchanged(state[name], before, changed=changed, what=what, where=others, computed=False)
    for name in filter(lambda name: name.startswith("bias_ih"), state):
        other = name.replace("_ih", "_hh")
        total = state[name][forget] + state[other][forget]
        assert_close(total, torch.full_like(total, value), what=f"block f of {name} + {other}", dims="hidden")


@exercise("last_valid", points=4)
def test_the_last_real_step_of_three_rows(student):
    out = torch.tensor(
        [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10], [11, 12]], [[13, 14], [15, 16], [17, 18]]]
    )
    lengths = torch.tensor([2, 3, 1])
    expected = torch.tensor([[3, 4], [11, 12], [13, 14]]).double()
    assert_close(student.last_valid(out.double(), lengths), expected, dims="batch hidden")


@exercise("last_valid", points=4)
@settings(max_examples=12)
@given(case=last_cases())
def test_no_other_step_can_matter(student, case):
    check_ignores(
        lambda out: student.last_valid(out, case.lengths),
        [case.out],
        [case.not_last],
        changed="out at other steps than the last real ones",
        because="one step of each row is picked",
        names=("output",),
    )


@exercise("last_valid", points=4)
@settings(max_examples=12)
@given(row=tensors((3,)), steps=st.integers(1, 5))
def test_without_padding_it_is_the_last_column(student, row, steps):
    out = torch.arange(1.0, steps + 1).double()[None, :, None] * torch.stack([row, -row])[:, None]
    got = student.last_valid(out, torch.tensor([steps, steps]))
    assert_close(got, out[:, -1], dims="batch hidden", because=f"both lengths are {steps}")
