"""Hidden checks of wiring.py."""

import torch
from hypothesis import given, settings
from torch import nn

from assignments.a1_rnn.cases import (
    OutputRecurrentCase,
    cross_entropy_cases,
    output_recurrent_cases,
    token_batches,
    wiring_cases,
)
from autograder.checks import (
    assert_close,
    assert_unchanged,
    check_batch_independence,
    check_cost_growth,
    check_dtype_and_device,
    check_gradcheck,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
    expect_outputs,
    gradients,
    leaf,
    other_where,
    poison_where,
)
from autograder.checks.strategies import sizes, tensor_from
from solutions.a1_rnn import oracles

LOGITS = ("logits",)


@exercise("SequenceClassifier", points=5)
@settings(max_examples=15)
@given(case=wiring_cases(with_lengths=True))
def test_what_stands_on_padding_cannot_change_a_gradient(student, case):
    module = case.module(student.SequenceClassifier)
    names, parameters = zip(*module.named_parameters(), strict=True)
    found = []
    for x in (leaf(case.x), leaf(poison_where(~case.real, case.x)[0])):
        found.append(gradients(expect_outputs(module(x, case.lengths), LOGITS), [x, *parameters]))
    for before, after, name in zip(*found, ["x", *names], strict=True):
        assert_unchanged(
            after,
            before,
            changed="x on padding, to NaN, inf, -inf and 1e18 in turn",
            because="padding reaches no sum that a gradient is made of",
            what=f"gradient of {name}",
        )


@exercise("SequenceClassifier", points=5)
@settings(max_examples=8)
@given(case=wiring_cases(with_lengths=True))
def test_gradient_flows_back_to_every_step(student, case):
    module = case.module(student.SequenceClassifier)
    check_gradcheck(lambda x: module(x, case.lengths), [case.x])


@exercise("SequenceClassifier", points=5)
@settings(max_examples=10)
@given(case=wiring_cases(with_lengths=True))
def test_a_class_in_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    module = case.module(student.SequenceClassifier)
    check_layouts(module, [case.x, case.lengths], names=LOGITS)
    check_pure(module, case.x, case.lengths, names=("x", "lengths"))
    check_batch_independence(module, [case.x, case.lengths], names=LOGITS)
    check_dtype_and_device(lambda x: module.to(x.dtype)(x, case.lengths), [case.x], names=LOGITS, terms=16)


@exercise("SequenceTagger", points=4)
@settings(max_examples=15)
@given(case=wiring_cases(), steps=sizes(4))
def test_a_sequence_cut_short_gets_the_same_tags(student, case, steps):
    module = case.module(student.SequenceTagger)
    whole, part = expect_outputs((module(case.x), module(case.x[:, :steps])), ("logits", "logits"))
    assert_unchanged(
        part,
        whole[:, :steps],
        changed=f"the input, cut to {steps} step{'s' * (steps != 1)}",
        because="a step never sees past itself",
        what="logits",
    )


@exercise("SequenceTagger", points=4)
@settings(max_examples=8)
@given(case=wiring_cases())
def test_gradient_flows_back_from_every_step(student, case):
    check_gradcheck(case.module(student.SequenceTagger), [case.x])


@exercise("SequenceTagger", points=4)
@settings(max_examples=10)
@given(case=wiring_cases())
def test_tags_in_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    module = case.module(student.SequenceTagger)
    check_layouts(module, [case.x], names=LOGITS)
    check_pure(module, case.x, names=("x",))
    check_batch_independence(module, [case.x], names=LOGITS)
    check_dtype_and_device(lambda x: module.to(x.dtype)(x), [case.x], names=LOGITS, terms=16)


class Oracle(nn.Module):
    """The weights of a case as parameters, under the names of the state dict."""

    def __init__(self, case: OutputRecurrentCase) -> None:
        super().__init__()
        for name, value in case.state.items():
            self.register_parameter(name, nn.Parameter(value.clone()))


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=15)
@given(case=output_recurrent_cases())
def test_outputs_of_every_step_with_and_without_a_teacher(student, case):
    module = case.module(student)
    alone, taught = module(case.x), module(case.x, targets=case.targets)
    for got, targets, fed in ((alone, None, "own output"), (taught, case.targets, "target")):
        expected = oracles.feed_back(case.state, case.x, targets)
        assert_close(got, expected, dims="batch time output", because=f"fed with the previous {fed}")


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=15)
@given(case=output_recurrent_cases())
def test_gradients_through_its_own_outputs(student, case):
    module, oracle = case.module(student), Oracle(case)
    check_gradients(
        module,
        [case.x],
        lambda x: oracles.feed_back(dict(oracle.named_parameters()), x),
        names=("x",),
        modules=(module, oracle),
    )


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=15)
@given(case=output_recurrent_cases())
def test_gradients_under_teacher_forcing(student, case):
    module, oracle = case.module(student), Oracle(case)
    check_gradients(
        lambda x: module(x, case.targets),
        [case.x],
        lambda x: oracles.feed_back(dict(oracle.named_parameters()), x, case.targets),
        names=("x",),
        modules=(module, oracle),
    )


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=10)
@given(case=output_recurrent_cases())
def test_outputs_in_any_dtype_and_memory_layout_with_rows_apart_and_inputs_left_alone(student, case):
    module, inputs = case.module(student), [case.x, case.targets]
    check_layouts(module, inputs)
    check_pure(module, *inputs, names=("x", "targets"))
    check_batch_independence(module, [case.x])
    check_dtype_and_device(lambda x, targets: module.to(x.dtype)(x, targets), inputs, terms=16)


@exercise("sequence_cross_entropy", points=6)
@given(case=cross_entropy_cases(with_lengths=True))
def test_it_is_one_mean_over_the_real_tokens_of_all_rows(student, case):
    expected = case.library(case.logits)
    loss = student.sequence_cross_entropy(*case.garbage, lengths=case.lengths)
    because = (
        f"so many tokens are real: {int(case.real.sum())}; padding holds NaN, infinities and ids of no class"
    )
    assert_close(loss, expected, what="loss", because=because)


@exercise("sequence_cross_entropy", points=6)
@given(case=cross_entropy_cases(with_lengths=True) | cross_entropy_cases())
def test_real_logits_get_their_gradient_and_padding_gets_zeros(student, case):
    # No NaN here: library code that ignores a token may still multiply its NaN by 0.
    (logits,), (_, targets) = other_where(~case.real, case.logits), case.garbage
    expected = leaf(case.logits)
    check_gradients(
        lambda logits: student.sequence_cross_entropy(logits, targets, case.lengths),
        [logits],
        gradients(case.library(expected), [expected]),
        names=LOGITS,
        because="the mean is over real tokens; padding holds other logits and ids of no class",
    )


@exercise("sequence_cross_entropy", points=6)
@settings(max_examples=12)
@given(case=cross_entropy_cases(with_lengths=True))
def test_the_loss_in_any_dtype_and_memory_layout_with_inputs_left_alone(student, case):
    inputs = case.logits, case.targets, case.lengths
    check_layouts(student.sequence_cross_entropy, inputs, names=("loss",))
    check_pure(student.sequence_cross_entropy, *inputs, names=("logits", "targets", "lengths"))
    check_dtype_and_device(
        lambda logits: student.sequence_cross_entropy(logits, *inputs[1:]), [case.logits], names=("loss",)
    )


@exercise("sequence_cross_entropy", points=6)
def test_a_loss_costs_in_proportion_to_the_tokens(student):
    def batch(rows):
        return tensor_from(1, (rows, 4, 3)), torch.arange(4 * rows).view(rows, 4) % 3

    because = "each token has a class of its own, and a loss that the others have no part in"
    check_cost_growth(student.sequence_cross_entropy, batch, 16, 256, of="rows of 4 tokens", because=because)


@exercise("next_step_pairs", points=2)
@given(tokens=token_batches())
def test_every_target_is_the_token_after_its_input(student, tokens):
    inputs, targets = expect_outputs(student.next_step_pairs(tokens), ("inputs", "targets"))
    expected = zip(*((row[:-1], row[1:]) for row in tokens.tolist()), strict=True)
    for got, rows, name in zip((inputs, targets), expected, ("inputs", "targets"), strict=True):
        assert_close(got, torch.tensor(rows), what=name, dims="batch time")


@exercise("next_step_pairs", points=2)
@settings(max_examples=12)
@given(tokens=token_batches())
def test_pairs_of_tokens_in_any_memory_layout_that_are_left_alone(student, tokens):
    check_layouts(student.next_step_pairs, [tokens], names=("inputs", "targets"))
    check_pure(student.next_step_pairs, tokens, names=("tokens",))
