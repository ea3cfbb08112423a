"""Public checks of training.py, the one of what it learns included."""

import itertools
import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.learning import CHARACTERS
from assignments.a4_transformer.training_cases import expect_rate, smoothing_cases, training_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_unchanged,
    check_ignores,
    exercise,
    expect_losses,
    expect_value_error,
)

FEW = 6  # each trains a model


def expect_close_rate(got, expected, because):
    got = torch.tensor(expect_rate(got), dtype=torch.float64)
    assert_close(
        got, torch.tensor(expected, dtype=torch.float64), what="learning rate", because=because, atol=0.0
    )


@exercise("noam_lr", points=2)
def test_three_rates_by_hand(student):
    rising, highest, falling = (student.noam_lr(step, 64, 16) for step in (1, 16, 64))
    expect_close_rate(rising, 1 / 512, "1/√64 · 1/16^1.5")
    expect_close_rate(highest, 1 / 32, "1/√64 · 1/√16: at step = warmup both terms are equal")
    expect_close_rate(falling, 1 / 64, "1/√64 · 1/√64")


@exercise("noam_lr", points=2)
@given(
    d_model=st.integers(1, 1024),
    warmup=st.integers(2, 5000),
    part=st.floats(0.0, 1.0),
    later=st.integers(2, 50),
)
def test_it_rises_in_a_line_to_warmup_and_falls_as_one_over_the_root(student, d_model, warmup, part, later):
    early = 1 + round(part * (warmup - 1))
    first, rising, highest, falling = (
        student.noam_lr(step, d_model, warmup) for step in (1, early, warmup, later * warmup)
    )
    because = f"warmup is {warmup}, the step {early}"
    expect_close_rate(rising, early * expect_rate(first), f"{because}: {early} times the rate of step 1")
    because = f"warmup is {warmup}, the step {later * warmup}"
    expect_close_rate(
        falling, expect_rate(highest) / math.sqrt(later), f"{because}: 1/√{later} of the highest"
    )


@exercise("noam_lr", points=2)
@given(step=st.integers(-3, 0), d_model=st.integers(1, 512))
def test_a_step_below_one_is_refused(student, step, d_model):
    expect_value_error(lambda: student.noam_lr(step, d_model, 4000), "step", step)


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases())
def test_it_is_the_cross_entropy_of_pytorch(student, case):
    loss = student.label_smoothing_loss(case.logits, case.targets, case.smoothing)
    assert_close(loss, case.library(case.logits), what="loss", because=f"smoothing is {case.smoothing:g}")


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(max_dims=2, ignoring=True))
def test_logits_of_ignored_targets_cannot_matter(student, case):
    def loss(logits):
        return student.label_smoothing_loss(logits, case.targets, case.smoothing, case.ignore_index)

    check_ignores(
        loss,
        [case.logits],
        [case.ignored],
        changed=f"logits where the target is {case.ignore_index}, which is ignore_index",
        because="the mean is over the other targets",
        names=("loss",),
        not_finite=False,
    )


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(), shift=st.sampled_from((1e4, -1e4)))
def test_a_constant_added_to_all_logits_changes_nothing(student, case, shift):
    before = student.label_smoothing_loss(case.logits, case.targets, case.smoothing)
    after = student.label_smoothing_loss(case.logits + shift, case.targets, case.smoothing)
    because = "it cancels in the softmax"
    assert_unchanged(after, before, changed=f"{shift:+g} on every logit", because=because, what="loss")


@exercise("train_lm", points=4)
@settings(max_examples=FEW)
@given(case=training_cases(n_batches=2), steps=st.integers(1, 5))
def test_with_a_learning_rate_of_zero_the_losses_repeat_batch_by_batch(student, case, steps):
    model = case.model(student)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    expected = [case.loss(model, step).detach() for step in range(2)]
    losses = student.train_lm(model, list(case.batches), 0.0, steps)
    expect_losses(losses, steps)
    for step, loss in enumerate(losses):
        because = "it is the mean of -log p(tokens[:, t]) given tokens[:, :t], t ≥ 1; two batches are cycled"
        got = torch.tensor(loss, dtype=torch.float64)
        assert_close(got, expected[step % 2], what=f"loss of step {step}", because=because)
    for name, value in model.named_parameters():
        assert_unchanged(value.detach(), before[name], changed="nothing: lr is 0", what=name, computed=False)


@exercise("train_lm", points=4)
@settings(max_examples=FEW)
@given(case=training_cases(), steps=st.integers(2, 4))
def test_the_loss_of_one_batch_falls_from_step_to_step(student, case, steps):
    losses = student.train_lm(case.model(student), list(case.batches), 1e-3, steps)
    expect_losses(losses, steps)
    if not all(after < before for before, after in itertools.pairwise(losses)):
        raise CheckFailure(
            ("expected", "losses that fall: every step trains on the same batch, with a small learning rate"),
            ("got", ", ".join(f"{loss:.6g}" for loss in losses)),
        )


@exercise("train_lm", points=4, seconds=240)
def test_it_learns_to_foretell_characters(student):
    CHARACTERS.check(student)
