"""Public checks of wiring.py."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a1_rnn.cases import (
    cross_entropy_cases,
    output_recurrent_cases,
    wiring_cases,
)
from assignments.a1_rnn.learning import ADDITION
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    check_causal,
    check_ignores,
    exercise,
    expect_no_nan,
    expect_outputs,
    expect_parameters,
    expect_tensor,
)

PADDING = "steps at or past a row's length are padding"


def assert_size(got, case, *shape, dims, what="logits"):
    assert_like(got, torch.empty(shape, dtype=case.x.dtype), what=what, dims=dims)


@exercise("SequenceClassifier", points=5)
@settings(max_examples=15)
@given(case=wiring_cases())
def test_one_output_a_row_and_no_lengths_means_that_all_steps_are_real(student, case):
    module = case.module(student.SequenceClassifier)
    batch, steps = case.x.shape[:2]
    without, full = module(case.x), module(case.x, torch.full((batch,), steps))
    assert_size(without, case, batch, case.n_classes, dims="batch n_classes")
    assert_unchanged(full, without, changed=f"lengths, from None to {steps} for every row", what="logits")


@exercise("SequenceClassifier", points=5)
@settings(max_examples=15)
@given(case=wiring_cases(with_lengths=True), more=st.integers(1, 3))
def test_more_padding_changes_nothing(student, case, more):
    module = case.module(student.SequenceClassifier)
    batch, _, size = case.x.shape
    padded = torch.cat([case.x, case.x.new_full((batch, more, size), 2.0)], dim=1)
    before, after = module(case.x, case.lengths), module(padded, case.lengths)
    assert_unchanged(
        after, before, changed=f"steps of padding appended: {more}", because=PADDING, what="logits"
    )


@exercise("SequenceClassifier", points=5)
@settings(max_examples=15)
@given(case=wiring_cases(with_lengths=True))
def test_what_stands_on_padding_cannot_change_the_class(student, case):
    module = case.module(student.SequenceClassifier)
    check_ignores(
        lambda x: module(x, case.lengths),
        [case.x],
        [~case.real],
        changed="x on padding",
        because=PADDING,
        names=("logits",),
    )


@exercise("SequenceClassifier", points=5)
@settings(max_examples=10)
@given(case=wiring_cases(lively=True))
def test_every_step_counts_and_so_does_their_order(student, case):
    module = case.module(student.SequenceClassifier)
    x = case.x + 0.1 * torch.arange(case.x.shape[1])[:, None]  # so that no two steps are the same
    other = x.clone()
    other[:, case.at] += 0.5
    before, after, reverse = (expect_no_nan(module(given), what="logits") for given in (x, other, x.flip(1)))
    for changed, logits in ((f"x at step {case.at}", after), ("the order of the steps, reversed", reverse)):
        if torch.equal(logits, before):
            raise CheckFailure(
                ("changed", f"{changed}, in every row"),
                ("expected", "other logits"),
                ("got", "the same logits in every row"),
                because="a recurrent network reads the whole sequence, step after step",
            )


@exercise("SequenceTagger", points=4)
@settings(max_examples=15)
@given(case=wiring_cases())
def test_an_output_at_every_step_that_does_not_see_past_it(student, case):
    module = case.module(student.SequenceTagger)
    batch, steps = case.x.shape[:2]
    got = module(case.x)
    check_causal(module, case.x, at=case.at, what="logits", not_finite=True)
    assert_size(got, case, batch, steps, case.n_classes, dims="batch time n_classes")


@exercise("SequenceTagger", points=4)
@settings(max_examples=10)
@given(case=wiring_cases(lively=True))
def test_a_step_remembers_those_before_it(student, case):
    module = case.module(student.SequenceTagger)
    other = case.x.clone()
    other[:, 0] += 1.0
    before, after = (expect_no_nan(module(x), what="logits") for x in (case.x, other))
    assert_size(before, case, *case.x.shape[:2], case.n_classes, dims="batch time n_classes")
    if torch.equal(after[:, case.at], before[:, case.at]):
        raise CheckFailure(
            ("changed", "x at step 0, in every row"),
            ("expected", f"other logits at step {case.at}"),
            ("got", "the same logits in every row"),
            because="the state carries what was seen",
        )


@exercise("SequenceTagger", points=4, seconds=60)
def test_it_learns_to_carry(student):
    ADDITION.check(student)


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=10)
@given(case=output_recurrent_cases())
def test_the_state_dict_is_five_parameters(student, case):
    expect_parameters(case.make(student), case.state)


@exercise("OutputRecurrentRNN", points=8)
@given(teacher=st.booleans())
def test_two_steps_by_hand(student, teacher):
    def number(value, *shape):
        return torch.full(shape, value, dtype=torch.float64)

    module = student.OutputRecurrentRNN(1, 1, 1).double()
    weights = {"w_x": 2.0, "w_y": -1.0, "v": 3.0}
    biases = {"b": 0.5, "c": -0.25}
    module.load_state_dict(
        {name: number(value, 1, 1) for name, value in weights.items()}
        | {name: number(value, 1) for name, value in biases.items()}
    )
    x = torch.tensor([[[0.25], [-0.5]]], dtype=torch.float64)
    targets = torch.tensor([[[1.5], [7.0]]], dtype=torch.float64)
    got = module(x, targets if teacher else None)
    first = 3 * math.tanh(2 * 0.25 + 0.5) - 0.25
    fed = 1.5 if teacher else first
    second = 3 * math.tanh(2 * -0.5 - fed + 0.5) - 0.25
    expected = torch.tensor([[[first], [second]]], dtype=torch.float64)
    because = f"step 1 is fed {'the target of step 0' if teacher else 'the output of step 0'}, step 0 zeros"
    assert_close(got, expected, because=because, dims="batch time output")


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=15)
@given(case=output_recurrent_cases())
def test_a_teacher_who_says_what_the_network_says_changes_nothing(student, case):
    module = case.module(student)
    alone = expect_tensor(module(case.x))
    assert_like(alone, case.targets, dims="batch time output")
    taught = module(case.x, alone.detach())
    changed = "targets, from None to the network's own outputs"
    assert_unchanged(taught, alone, changed=changed, because="it is fed the same either way")


@exercise("OutputRecurrentRNN", points=8)
@settings(max_examples=15)
@given(case=output_recurrent_cases())
def test_a_target_is_fed_to_the_next_step_alone(student, case):
    module = case.module(student)
    other = case.targets.clone()
    other[:, case.at] += 1.0
    before, after = (expect_outputs(module(case.x, targets))[0] for targets in (case.targets, other))
    steps = torch.arange(case.x.shape[1])
    assert_like(before, case.targets, dims="batch time output")
    assert_unchanged(
        after,
        before,
        changed=f"the target of step {case.at}",
        because=f"memory is the previous label: that one is fed at step {case.at + 1} and nowhere else",
        where=(steps != case.at + 1).expand(len(case.x), -1),
    )


@exercise("sequence_cross_entropy", points=6)
def test_three_real_tokens_of_four(student):
    values = [[[0, 0], [math.log(3), 0]], [[0, math.log(7)], [9, -9]]]
    logits = torch.tensor(values, dtype=torch.float64)
    targets, lengths = torch.tensor([[0, 1], [1, 1]]), torch.tensor([2, 1])
    # The real tokens have the probabilities 1/2, 1/4 and 7/8.
    expected = torch.tensor(math.log(2 * 4 * 8 / 7) / 3, dtype=torch.float64)
    got = student.sequence_cross_entropy(logits, targets, lengths)
    assert_close(got, expected, what="loss", because="one mean over the three real tokens")


@exercise("sequence_cross_entropy", points=6)
@given(case=cross_entropy_cases())
def test_without_lengths_it_is_pytorchs_mean_over_all_tokens(student, case):
    expected = case.library(case.logits)
    assert_close(student.sequence_cross_entropy(case.logits, case.targets), expected, what="loss")


@exercise("sequence_cross_entropy", points=6)
@given(case=cross_entropy_cases(with_lengths=True))
def test_whatever_stands_on_padding_does_not_change_the_loss(student, case):
    before = student.sequence_cross_entropy(case.logits, case.targets, case.lengths)
    after = student.sequence_cross_entropy(*case.garbage, case.lengths)
    assert_unchanged(
        after,
        before,
        changed="logits on padding to NaN, inf, -inf and 1e18, targets to ids that are no class",
        because=PADDING,
        what="loss",
    )


@exercise("next_step_pairs", points=2)
def test_four_tokens_make_three_pairs(student):
    tokens = torch.tensor([[5, 6, 7, 8], [1, 1, 2, 3]])
    inputs, targets = expect_outputs(student.next_step_pairs(tokens), ("inputs", "targets"))
    assert_close(inputs, torch.tensor([[5, 6, 7], [1, 1, 2]]), what="inputs", dims="batch time")
    assert_close(targets, torch.tensor([[6, 7, 8], [1, 2, 3]]), what="targets", dims="batch time")
