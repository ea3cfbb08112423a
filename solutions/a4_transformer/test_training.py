"""Hidden checks of training.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.training_cases import expect_rate, smoothing_cases, training_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_unchanged,
    check_cost_growth,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    check_training_steps,
    exercise,
    expect_losses,
)
from autograder.checks.strategies import tensor_from

FEW = 6  # each trains a model
LOSS = ("loss",)


@exercise("noam_lr", points=2)
@given(
    step=st.sampled_from((1, 2, 3, 10, 4000, 100_000)) | st.integers(1, 10**6),
    d_model=st.integers(1, 1024),
    warmup=st.sampled_from((1, 2, 10, 4000)) | st.integers(1, 10**5),
)
def test_the_rate_of_any_step(student, step, d_model, warmup):
    got = torch.tensor(expect_rate(student.noam_lr(step, d_model, warmup)), dtype=torch.float64)
    rate = 1 / (d_model * step) ** 0.5 if step > warmup else step / (d_model * warmup**3) ** 0.5
    because = f"the step is {'beyond' if step > warmup else 'within'} warmup"
    expected = torch.tensor(rate, dtype=torch.float64)
    assert_close(got, expected, what="learning rate", because=because, atol=0.0)


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(max_dims=3, ignoring=True))
def test_the_mean_is_over_targets_that_count_whatever_dimensions_lead(student, case):
    loss = student.label_smoothing_loss(
        case.logits, case.targets, smoothing=case.smoothing, ignore_index=case.ignore_index
    )
    because = f"{int((~case.ignored).sum())} of {case.ignored.numel()} targets count"
    assert_close(loss, case.library(case.logits), what="loss", because=because)


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(max_dims=2, ignoring=True))
def test_gradients_of_the_logits(student, case):
    check_gradients(
        lambda logits: student.label_smoothing_loss(
            logits, case.targets, case.smoothing, ignore_index=case.ignore_index
        ),
        [case.logits],
        case.library,
        names=("logits",),
    )


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(max_dims=2, scale=3e3))
def test_the_loss_of_logits_however_large(student, case):
    loss = student.label_smoothing_loss(case.logits, case.targets, case.smoothing)
    assert_close(loss, case.library(case.logits), what="loss", because="log softmax is stable")


@exercise("label_smoothing_loss", points=4)
@given(case=smoothing_cases(max_dims=2, ignoring=True))
def test_a_loss_in_any_dtype_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    def loss(logits, targets=case.targets):
        return student.label_smoothing_loss(logits, targets, case.smoothing, case.ignore_index)

    check_dtype_and_device(loss, [case.logits], names=LOSS, terms=9)
    check_layouts(loss, [case.logits], names=LOSS)
    check_pure(loss, case.logits, case.targets, names=("logits", "targets"))


@exercise("label_smoothing_loss", points=4)
def test_a_loss_costs_in_proportion_to_the_tokens(student):
    def batch(tokens):
        return tensor_from(1, (tokens, 4)), torch.arange(tokens) % 4, 0.1

    because = "each token has a loss of its own; where (tokens, 1) meets (tokens,) there is one of every pair"
    check_cost_growth(student.label_smoothing_loss, batch, 64, 1024, of="tokens", because=because)


@exercise("train_lm", points=4)
@settings(max_examples=FEW)
@given(case=training_cases(n_batches=3))
def test_losses_and_parameters_are_those_of_the_described_steps(student, case):
    lr, steps = 0.05, 5
    model, reference = case.model(student, scale=1.0), case.model(student, scale=1.0)
    losses = student.train_lm(model, list(case.batches), lr, steps)
    because = "mean cross-entropy, taken before the step; Adam; gradients clipped to the global norm 1"

    def loss_of(step):
        return case.loss(reference, step)

    check_training_steps(
        model, losses, reference, loss_of, steps, lr=lr, max_norm=1.0, because=because, rtol=1e-5
    )


@exercise("train_lm", points=4)
@settings(max_examples=FEW)
@given(case=training_cases(n_batches=2), steps=st.integers(1, 3))
def test_the_batches_are_left_alone(student, case, steps):
    batches = [tokens.clone() for tokens in case.batches]
    losses = student.train_lm(case.model(student), batches, 0.1, steps)
    expect_losses(losses, steps)
    if len(batches) != 2:
        raise CheckFailure(("expected", "the list of batches, as it was"), ("got", f"{len(batches)} batches"))
    for i, (after, before) in enumerate(zip(batches, case.batches, strict=True)):
        changed = "nothing: a model was trained"
        assert_unchanged(after, before, changed=changed, what=f"tokens of batch {i}", computed=False)
