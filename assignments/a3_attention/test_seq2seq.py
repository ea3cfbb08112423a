"""Public checks of seq2seq.py, the one of what it learns included."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a3_attention.cases import expect_greedy, expect_id_lists, seq2seq_cases
from assignments.a3_attention.learning import DATES
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    assert_zero,
    exercise,
    expect_losses,
    expect_tuple,
)

FEW = 10  # each makes a model or two
OUTPUT = ("logits", "weights")


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases())
def test_the_weights_share_out_one_among_real_source_positions(student, case):
    logits, weights = expect_tuple(case.model(student)(case.src, case.src_lengths, case.tgt_in), 2, OUTPUT)
    steps = case.tgt_in.shape
    assert_like(
        logits,
        torch.empty(*steps, case.tgt_vocab, dtype=torch.float64),
        what="logits",
        dims="batch tgt_time tgt_vocab",
    )
    shape = (*steps, case.src.shape[1])
    assert_like(
        weights, torch.empty(shape, dtype=torch.float64), what="weights", dims="batch tgt_time src_time"
    )
    assert_zero(weights, where=~case.real.unsqueeze(1), what="weights", because="they are on padding")
    assert_close(
        weights.sum(2), torch.ones(steps, dtype=torch.float64), what="sum of weights over the source"
    )


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), more=st.integers(0, 2))
def test_padding_of_the_source_cannot_matter(student, case, more):
    model = case.model(student)
    before = expect_tuple(model(case.src, case.src_lengths, case.tgt_in), 2, OUTPUT)
    src = torch.where(case.real, case.src, (case.src + 1) % case.src_vocab)
    src = torch.cat([src, src.new_full((len(src), more), case.pad)], dim=1)
    after = expect_tuple(model(src, case.src_lengths, case.tgt_in), 2, OUTPUT)
    changed = f"ids on padding; columns of padding appended: {more}"
    because = "steps at or past a row's length are padding"
    assert_unchanged(after[0], before[0], changed=changed, because=because, what="logits")
    real_columns = after[1][..., : case.src.shape[1]]
    assert_unchanged(real_columns, before[1], changed=changed, because=because, what="weights")


@exercise("Seq2Seq", points=8)
@settings(max_examples=FEW)
@given(case=seq2seq_cases())
def test_a_step_sees_the_target_up_to_itself_and_not_further(student, case):
    model = case.model(student)
    before, _ = expect_tuple(model(case.src, case.src_lengths, case.tgt_in), 2, OUTPUT)
    tgt_in = case.tgt_in.clone()
    tgt_in[:, case.at] = (tgt_in[:, case.at] + 1) % case.tgt_vocab
    after, _ = expect_tuple(model(case.src, case.src_lengths, tgt_in), 2, OUTPUT)
    assert_unchanged(
        after[:, : case.at],
        before[:, : case.at],
        changed=f"the token of tgt_in at step {case.at}",
        because="earlier steps do not see it",
        what="logits of earlier steps",
    )
    if torch.equal(after[:, case.at], before[:, case.at]):
        raise CheckFailure(
            ("changed", f"the token of tgt_in at step {case.at}"),
            ("expected", f"other logits at step {case.at}"),
            ("got", "the same logits"),
            because="a step reads its own token of tgt_in",
        )


@exercise("greedy_decode", points=6)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), max_len=st.integers(1, 6))
def test_every_token_is_the_one_that_forward_likes_best(student, case, max_len):
    model = case.model(student)
    decoded = student.greedy_decode(model, case.src, case.src_lengths, case.bos, case.eos, max_len)
    expect_greedy(model, case, decoded, case.eos, max_len)


@exercise("greedy_decode", points=6)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), max_len=st.integers(1, 6))
def test_a_row_is_decoded_alone_as_in_a_batch(student, case, max_len):
    model = case.model(student)
    together = student.greedy_decode(model, case.src, case.src_lengths, case.bos, case.eos, max_len)
    alone = student.greedy_decode(model, case.src[:1], case.src_lengths[:1], case.bos, case.eos, max_len)
    expect_id_lists(together, len(case.src), case.eos, max_len)
    expect_id_lists(alone, 1, case.eos, max_len)
    if alone[0] != together[0]:
        raise CheckFailure(
            ("changed", f"the batch: row 0 alone, without the other {len(case.src) - 1}"),
            ("expected", str(together[0])),
            ("got", str(alone[0])),
            because="each row ends on its own",
        )


@exercise("greedy_decode", points=6)
@settings(max_examples=FEW)
@given(case=seq2seq_cases(), training=st.booleans())
def test_the_model_is_left_as_it_was(student, case, training):
    model = case.model(student).train(training)
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    decoded = student.greedy_decode(model, case.src, case.src_lengths, case.bos, case.eos, 2)
    expect_id_lists(decoded, len(case.src), case.eos, 2)
    for name, value in model.state_dict().items():
        assert_unchanged(
            value.detach(), before[name], changed="nothing: only decoded", what=name, computed=False
        )
    if model.training != training:
        raise CheckFailure(
            ("wrong", "the model is in another mode after decoding"),
            ("expected", f"model.training == {training}, as before"),
            ("got", str(model.training)),
        )


@exercise("train_seq2seq", points=5)
@settings(max_examples=10)  # each trains a model
@given(case=seq2seq_cases(n_batches=2), steps=st.integers(1, 5))
def test_with_a_learning_rate_of_zero_the_losses_repeat_batch_by_batch(student, case, steps):
    model = case.model(student)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = student.train_seq2seq(model, list(case.batches), 0.0, steps)
    expect_losses(losses, steps)
    for step, loss in enumerate(losses[2:], start=2):
        assert_close(
            torch.tensor(loss),
            torch.tensor(losses[step - 2]),
            what=f"loss of step {step}",
            because="batches are cycled",
        )
    for name, value in model.named_parameters():
        assert_unchanged(value.detach(), before[name], changed="nothing: lr is 0", what=name, computed=False)


@exercise("train_seq2seq", points=5, seconds=120)
def test_it_learns_to_write_dates(student):
    DATES.check(student)
