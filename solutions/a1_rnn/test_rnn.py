"""Hidden checks of rnn.py."""

import torch
from hypothesis import given, settings
from torch import nn

from assignments.a1_rnn.cases import (
    RNNModuleCase,
    module_by_torch,
    rnn_cases,
    rnn_module_cases,
    step_cases,
    torch_rnn,
)
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
    expect_outputs,
)
from autograder.checks.strategies import tensor_from
from solutions.a1_rnn import oracles

OUTPUT = ("hs", "h_last")
DIMS = ("batch time hidden", "batch hidden")
INPUTS = ("x", "h0", "w_x", "w_h", "b")
ROWS = "a row of a batch has nothing to do with the others"


@exercise("rnn_step", points=5)
@given(case=step_cases())
def test_a_steps_gradients_by_all_it_is_given(student, case):
    names = ("x", "h", "w_x", "w_h", "b")
    check_gradients(student.rnn_step, case.inputs, oracles.step, names=names)


@exercise("rnn_step", points=5)
@settings(max_examples=12)
@given(case=step_cases())
def test_a_step_in_any_dtype(student, case):
    check_dtype_and_device(student.rnn_step, case.inputs, names=("h",), terms=9)


@exercise("rnn_step", points=5)
@settings(max_examples=12)
@given(case=step_cases())
def test_a_step_from_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    check_layouts(student.rnn_step, case.inputs, names=("h",))
    check_pure(student.rnn_step, *case.inputs, names=("x", "h", "w_x", "w_h", "b"))


@exercise("rnn_forward", points=11)
@given(case=rnn_cases(with_lengths=True))
def test_with_lengths_it_is_pytorchs_rnn_of_packed_sequences(student, case):
    result = expect_outputs(
        student.rnn_forward(case.poisoned_x, *case.inputs[1:], lengths=case.lengths), OUTPUT
    )
    because = "padding, which holds NaN, infinities and 1e18, is not read"
    for got, right, name, dims in zip(result, case.library, OUTPUT, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


@exercise("rnn_forward", points=11)
@given(case=rnn_cases(with_lengths=True))
def test_gradients_by_inputs_and_weights_whatever_stands_on_padding(student, case):
    check_gradients(
        lambda x, *others: student.rnn_forward(x, *others, case.lengths),
        (case.poisoned_x, *case.inputs[1:]),
        case.library_gradients,
        names=INPUTS,
        because="these are of packed sequences; padding holds NaN, infinities and 1e18",
    )


@exercise("rnn_forward", points=11)
@given(case=rnn_cases(with_lengths=True))
def test_a_row_alone_without_its_padding(student, case):
    row = len(case.x) - 1
    length = int(case.lengths[row])
    x, h0, *weights = case.inputs
    together = expect_outputs(student.rnn_forward(*case.inputs, case.lengths), OUTPUT)
    alone = expect_outputs(
        student.rnn_forward(x[row:, :length], h0[row:], *weights, case.lengths[row:]), OUTPUT
    )
    for one, many, name in zip(alone, (together[0][row:, :length], together[1][row:]), OUTPUT, strict=True):
        assert_unchanged(
            one,
            many,
            changed=f"the batch: row {row} alone, cut to its real steps 0 to {length - 1}",
            because="neither other rows nor padding matter to a row",
            what=f"{name} of row {row}",
        )


@exercise("rnn_forward", points=11)
@settings(max_examples=12)
@given(case=rnn_cases(with_lengths=True))
def test_an_unrolled_network_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    def forward(x, h0, w_x, w_h, b):
        return student.rnn_forward(x, h0, w_x, w_h, b, case.lengths)

    check_layouts(forward, case.inputs, names=OUTPUT)
    check_pure(student.rnn_forward, *case.inputs, case.lengths, names=(*INPUTS, "lengths"))
    check_dtype_and_device(forward, case.inputs, names=OUTPUT, terms=9)


@exercise("rnn_forward", points=11)
def test_a_batch_costs_in_proportion_to_its_rows(student):
    def batch(rows):
        x, h0, w_x, w_h, b = (
            tensor_from(seed, shape)
            for seed, shape in enumerate(((rows, 2, 3), (rows, 8), (8, 3), (8, 8), (8,)), 1)
        )
        return x, h0, w_x, w_h, b, torch.arange(rows) % 2 + 1

    check_cost_growth(student.rnn_forward, batch, 16, 256, of="rows", because=ROWS)


class Oracle(nn.Module):
    """The weights of a case as parameters, under the names of the state dict."""

    def __init__(self, case: RNNModuleCase) -> None:
        super().__init__()
        for name, value in case.state.items():
            self.register_parameter(name, nn.Parameter(value.clone()))


@exercise("RNN", points=9)
@settings(max_examples=20)
@given(case=rnn_module_cases(with_lengths=True))
def test_gradients_by_inputs_and_parameters_whatever_stands_on_padding(student, case):
    module, oracle = case.module(student), Oracle(case)
    given_h0 = [] if case.passed is None else [case.passed]

    def expected(x, h0=None):
        return module_by_torch(dict(oracle.named_parameters()), x, h0, case.lengths)

    check_gradients(
        lambda x, h0=None: module(x, h0, case.lengths),
        [case.poisoned_x, *given_h0],
        expected,
        names=("x", "the h0 that is passed")[: 1 + len(given_h0)],
        modules=(module, oracle),
        because="a parameter serves every row and step; padding holds NaN, infinities and 1e18",
    )


@exercise("RNN", points=9)
@settings(max_examples=15)
@given(case=rnn_module_cases(learned=True, with_lengths=True))
def test_a_state_that_is_passed_goes_before_a_learned_one(student, case):
    module = case.module(student)
    result = expect_outputs(module(case.x, case.h0, case.lengths), OUTPUT)
    expected = torch_rnn(*case.inputs, case.lengths)
    because = "h0 is given, so the learned state is not used"
    for got, right, name, dims in zip(result, expected, OUTPUT, DIMS, strict=True):
        assert_close(got, right, what=name, dims=dims, because=because)


@exercise("RNN", points=9)
@settings(max_examples=10)
@given(case=rnn_module_cases(passes_h0=False, with_lengths=True))
def test_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    module = case.module(student)
    check_layouts(lambda x: module(x, lengths=case.lengths), [case.x], names=OUTPUT)
    check_pure(lambda x, lengths: module(x, lengths=lengths), case.x, case.lengths, names=("x", "lengths"))
    check_batch_independence(
        lambda x, lengths: module(x, lengths=lengths), [case.x, case.lengths], names=OUTPUT
    )
    check_dtype_and_device(
        lambda x: module.to(x.dtype)(x, lengths=case.lengths), [case.x], names=OUTPUT, terms=16
    )
