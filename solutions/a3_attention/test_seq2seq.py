"""Hidden checks of seq2seq.py."""

import itertools

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a3_attention.cases import expect_greedy, expect_id_lists, seq2seq_cases
from autograder.checks import (
    CheckFailure,
    assert_unchanged,
    check_batch_independence,
    check_pure,
    check_training_steps,
    exercise,
    expect_losses,
    expect_no_nan,
    expect_outputs,
    weights_like,
)

FEW = 10  # each makes a model or two
OUTPUT = ("logits", "weights")


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases())
def test_rows_are_independent_and_inputs_left_alone(student, case):
    model = case.model(student)
    inputs = case.src, case.src_lengths, case.tgt_in
    check_batch_independence(model, inputs, names=OUTPUT)
    check_pure(model, *inputs, names=("src", "src_lengths", "tgt_in"))


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases())
def test_what_moves_the_weights_moves_the_logits(student, case):
    model = case.model(student)
    logits, weights = expect_outputs(model(case.src, case.src_lengths, case.tgt_in), OUTPUT)
    names, parameters = zip(*model.named_parameters(), strict=True)
    by_weights = _gradients(weights, parameters)
    by_logits = _gradients(logits, parameters)
    if case.real.sum(1).max() > 1 and not any(grad.abs().max() > 1e-6 for grad in by_weights):
        raise CheckFailure(
            ("expected", "weights that are learned"),
            ("got", "weights that depend on no parameter"),
            because="attention is additive: v · tanh(w_q s + w_k h)",
        )
    for name, to_weights, to_logits in zip(names, by_weights, by_logits, strict=True):
        if to_weights.abs().max() > 1e-6 and not to_logits.any():
            raise CheckFailure(
                ("wrong", f"{name} moves the attention weights and not the logits"),
                ("expected", "logits computed from the context that the weights give"),
                ("got", f"a gradient of 0 for {name}"),
                because="weights[b, t] are the attention weights behind logits[b, t]",
            )


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), position=st.integers(0, 4))
def test_every_real_source_token_matters(student, case, position):
    model = case.model(student)
    rows = case.src_lengths > position
    if not rows.any():
        return
    src = case.src.clone()
    src[rows, position] = (src[rows, position] + 1) % case.src_vocab
    before, _ = expect_outputs(model(case.src, case.src_lengths, case.tgt_in), OUTPUT)
    after, _ = expect_outputs(model(src, case.src_lengths, case.tgt_in), OUTPUT)
    same = (expect_no_nan(after, what="logits") == expect_no_nan(before, what="logits")).flatten(1).all(1)
    for row in range(len(rows)):
        if rows[row] and same[row]:
            raise CheckFailure(
                ("changed", f"src[{row}, {position}], a real token"),
                ("expected", "other logits in its row"),
                ("got", "the same"),
                because="the encoder reads all real tokens",
            )


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases())
def test_every_step_asks_with_a_state_of_its_own(student, case):
    _, weights = expect_outputs(case.model(student)(case.src, case.src_lengths, case.tgt_in), OUTPUT)
    expect_no_nan(weights, what="weights")
    for row, length in enumerate(case.src_lengths.tolist()):
        if length > 1 and weights.shape[1] > 1 and (weights[row] == weights[row, :1]).all():
            raise CheckFailure(
                ("wrong", f"row {row} has the same attention weights at every step of the target"),
                ("expected", "weights that depend on the decoder's state at the step"),
                ("got", str(weights[row].tolist())[:200]),
            )


@exercise("greedy_decode", points=6)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), max_len=st.integers(1, 5), more=st.integers(1, 2))
def test_padding_does_not_change_what_is_decoded(student, case, max_len, more):
    model = case.model(student)
    before = student.greedy_decode(model, case.src, case.src_lengths, case.bos, case.eos, max_len)
    src = torch.where(case.real, case.src, (case.src + 1) % case.src_vocab)
    src = torch.cat([src, src.new_full((len(src), more), case.pad)], dim=1)
    after = student.greedy_decode(model, src, case.src_lengths, case.bos, case.eos, max_len)
    for decoded in (before, after):
        expect_id_lists(decoded, len(src), case.eos, max_len)
    if after != before:
        raise CheckFailure(
            ("changed", f"ids on padding of src; columns of padding appended: {more}"),
            ("expected", str(before)),
            ("got", str(after)),
            because="steps at or past a row's length are padding",
        )


@exercise("greedy_decode", points=6)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(lively=True))
def test_a_row_ends_at_its_first_eos_and_the_others_go_on(student, case):
    max_len = 8
    model = case.model(student, biases=0.1)
    first = student.greedy_decode(model, case.src, case.src_lengths, case.bos, case.eos, max_len)
    expect_id_lists(first, len(case.src), case.eos, max_len)
    eos = telling_eos(first, case.eos)
    decoded = student.greedy_decode(model, case.src, case.src_lengths, case.bos, eos, max_len)
    expect_greedy(model, case, decoded, eos, max_len)


def telling_eos(decoded, otherwise):
    """A token that one row goes on from with another, and that some row has not met by then."""
    for ids in decoded:
        for step, (token, following) in enumerate(itertools.pairwise(ids)):
            if token != following and any(token not in other[: step + 2] for other in decoded):
                return token
    return otherwise


@exercise("train_seq2seq", points=5)
@settings(max_examples=8)  # each trains a model
@given(case=seq2seq_cases(n_batches=2))
def test_losses_and_parameters_are_those_of_the_described_steps(student, case):
    lr, steps = 0.05, 4
    model, reference = case.model(student), case.model(student)
    losses = student.train_seq2seq(model, list(case.batches), lr, steps)

    def loss_of(step):
        src, src_lengths, tgt = case.batches[step % 2]
        logits, _ = expect_outputs(reference(src, src_lengths, tgt[:, :-1]), OUTPUT)
        return F.cross_entropy(logits.mT, tgt[:, 1:], ignore_index=case.pad)

    because = "mean cross-entropy over real targets, taken before the step; Adam; norm clipped to 1"
    check_training_steps(
        model, losses, reference, loss_of, steps, lr=lr, max_norm=1.0, because=because, rtol=1e-5
    )


@exercise("train_seq2seq", points=5)
@settings(max_examples=10)  # each trains a model
@given(case=seq2seq_cases(), more=st.integers(1, 3))
def test_padding_of_the_target_does_not_change_the_loss(student, case, more):
    ((src, src_lengths, tgt),) = case.batches
    padded = torch.cat([tgt, tgt.new_full((len(tgt), more), case.pad)], dim=1)
    model = case.model(student)
    before = student.train_seq2seq(model, [(src, src_lengths, tgt)], 0.0, 1)
    after = student.train_seq2seq(model, [(src, src_lengths, padded)], 0.0, 1)
    expect_losses(before, 1)
    expect_losses(after, 1)
    assert_unchanged(
        torch.tensor(after[0], dtype=torch.float64),
        torch.tensor(before[0], dtype=torch.float64),
        changed=f"columns of padding appended to tgt: {more}",
        because="the mean is over real targets",
        what="loss",
    )


def _gradients(output, parameters):
    return torch.autograd.grad(
        output, parameters, weights_like(output), retain_graph=True, allow_unused=True, materialize_grads=True
    )
