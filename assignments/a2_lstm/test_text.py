"""Public checks of text.py, those of what it learns included."""

import itertools

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a2_lstm.cases import (
    char_cases,
    classifier_cases,
    collate_cases,
    expect_vocab,
    vocab_cases,
    writing_cases,
)
from assignments.a2_lstm.learning import CHARACTERS, RECALL, SENTIMENT
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    check_deterministic_under_generator,
    exercise,
    expect_losses,
    expect_no_nan,
    expect_outputs,
    expect_tensor,
    expect_value_error,
    note,
)

FEW = 10  # each makes a model or two
BATCH = ("tokens", "lengths")


@exercise("build_vocab", points=5)
@given(min_count=st.integers(1, 3))
def test_two_texts_by_hand(student, min_count):
    got = student.build_vocab([["Paris", "bb", "a", "Paris", "c"], ["a", "c", "Paris", "b"]], min_count)
    words = {1: ("Paris", "a", "c", "b", "bb"), 2: ("Paris", "a", "c"), 3: ("Paris",)}[min_count]
    expect_vocab(got, {token: i for i, token in enumerate(("<pad>", "<unk>", *words))})


@exercise("build_vocab", points=5)
def test_a_text_may_hold_the_special_tokens(student):
    got = student.build_vocab([["<unk>", "b", "<unk>"], ["<unk>", "a", "<pad>", "b"]])
    expect_vocab(got, {"<pad>": 0, "<unk>": 1, "b": 2, "a": 3})


@exercise("build_vocab", points=5)
@given(case=vocab_cases())
def test_no_id_is_left_out_and_what_is_frequent_comes_first(student, case):
    got = student.build_vocab(case.texts, case.min_count)
    words = [token for text in case.texts for token in text]
    kept = {token for token in words if words.count(token) >= case.min_count} | {"<pad>", "<unk>"}
    if not isinstance(got, dict) or set(got) != kept or sorted(got.values()) != list(range(len(kept))):
        raise CheckFailure(
            ("expected", f"the ids 0 to {len(kept) - 1} for {', '.join(sorted(kept))}"),
            ("got", repr(got)[:400]),
        )
    note(list(got.values()), "every id")
    counts = [words.count(token) for token in sorted(got, key=got.__getitem__)[2:]]
    if counts != sorted(counts, reverse=True):
        raise CheckFailure(
            ("expected", "counts that fall with the id, from id 2 on"), ("got", f"{counts}, of {got}"[:400])
        )


@exercise("collate", points=4)
def test_two_sequences_by_hand(student):
    tokens, lengths = expect_outputs(student.collate([[7], [4, 5, 6]]), BATCH)
    assert_close(tokens, torch.tensor([[7, 0, 0], [4, 5, 6]]), what="tokens", dims="batch time")
    assert_close(lengths, torch.tensor([1, 3]), what="lengths", dims="batch")


@exercise("collate", points=4)
@given(case=collate_cases())
def test_a_row_is_its_sequence_and_then_padding(student, case):
    tokens, lengths = expect_outputs(student.collate(case.sequences, case.pad), BATCH)
    sizes = [len(sequence) for sequence in case.ids]
    assert_close(lengths, torch.tensor(sizes), what="lengths", dims="batch")
    like = torch.empty(len(sizes), max(sizes), dtype=torch.int64)
    assert_like(tokens, like, what="tokens", dims="batch time")
    for row, (got, size) in enumerate(zip(tokens, sizes, strict=True)):
        assert_close(got[:size], torch.tensor(case.ids[row]), what=f"tokens[{row}, :{size}]")
        padding = torch.full_like(got[size:], case.pad)
        assert_close(got[size:], padding, what=f"tokens of row {row} behind its {size} first")


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases(), more=st.integers(0, 2))
def test_what_stands_on_padding_cannot_matter(student, case, more):
    model = case.model(student).eval()
    before = model(case.tokens, case.lengths)
    tokens = torch.where(case.real, case.tokens, (case.tokens + 1) % case.vocab_size)
    tokens = torch.cat([tokens, tokens.new_full((len(tokens), more), case.pad)], dim=1)
    after = model(tokens, case.lengths)
    like = torch.empty(len(tokens), case.n_classes, dtype=torch.float64)
    before = assert_like(before, like, what="logits", dims="batch n_classes")
    assert_unchanged(
        after,
        before,
        changed=f"ids on padding; columns of padding appended: {more}",
        because="row b's text is tokens[b, :lengths[b]]",
        what="logits",
    )


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases())
def test_every_real_token_counts(student, case):
    model, rows = case.model(student).eval(), case.real[:, case.at]
    other = case.tokens.clone()
    other[:, case.at] = (other[:, case.at] + 1) % case.vocab_size
    before, after = (
        expect_no_nan(model(tokens, case.lengths), what="logits") for tokens in (case.tokens, other)
    )
    note(before, "logits")
    moved = (after - before).abs().amax(1) > 1e-9
    for row in range(len(rows)):
        if rows[row] and not moved[row]:
            raise CheckFailure(
                ("changed", f"tokens[{row}, {case.at}], one of {int(case.lengths[row])} real tokens"),
                ("expected", f"other logits in row {row}"),
                ("got", "the same"),
                because="the LSTM reads the text from its first token to its last real one",
            )


@exercise("SentimentClassifier", points=7, seconds=240)
def test_it_learns_to_recall(student):
    RECALL.check(student)


def mean_loss(model, batch):
    """Of the model as it is now."""
    tokens, lengths, labels = batch
    logits = expect_tensor(model(tokens, lengths), what="logits").detach()
    return F.cross_entropy(logits, labels)


@exercise("fit", points=8)
@settings(max_examples=8)  # each trains a model
@given(case=classifier_cases(n_batches=2), steps=st.integers(1, 5))
def test_with_a_learning_rate_of_zero_the_losses_repeat_batch_by_batch(student, case, steps):
    model = case.model(student)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    expected = [mean_loss(model, batch) for batch in case.batches]
    losses = student.fit(model, list(case.batches), 0.0, steps)
    expect_losses(losses, steps)
    for step, loss in enumerate(losses):
        because = "it is the mean cross-entropy; two batches are cycled, and nothing is learned with lr = 0"
        got = torch.tensor(loss, dtype=torch.float64)
        assert_close(got, expected[step % 2], what=f"loss of step {step}", because=because)
    for name, value in model.named_parameters():
        assert_unchanged(value.detach(), before[name], changed="nothing: lr is 0", what=name, computed=False)


@exercise("fit", points=8)
@settings(max_examples=8)  # each trains a model
@given(case=classifier_cases(), steps=st.integers(2, 4))
def test_the_loss_of_one_batch_falls_from_step_to_step(student, case, steps):
    model = case.model(student)
    losses = student.fit(model, list(case.batches), 0.003, steps)
    after = mean_loss(model, case.batches[0])
    expect_losses(losses, steps)
    falling = [*losses, float(after)]
    if any(now >= then for then, now in itertools.pairwise(falling)):
        raise CheckFailure(
            ("expected", "a loss that falls at every step, and once more after the last"),
            ("got", ", ".join(f"{loss:.6g}" for loss in falling)),
            because="the model is trained in place, by steps too small to overshoot",
        )


@exercise("fit", points=8)
@settings(max_examples=8)  # each trains a model
@given(case=classifier_cases(n_batches=2), steps=st.integers(1, 3))
def test_with_a_bound_of_almost_nothing_the_model_hardly_moves(student, case, steps):
    model = case.model(student)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = student.fit(model, list(case.batches), 0.1, steps, max_norm=1e-12)
    expect_losses(losses, steps)
    # Adam divides by √v + 1e-8: a gradient of 1e-12 makes a step of at most 1e-4 · lr.
    because = "gradients are clipped to max_norm = 1e-12 before the step, and Adam's epsilon is 1e-8"
    for name, value in model.named_parameters():
        what = f"{name} after {steps} step{'s' if steps > 1 else ''}"
        moved = 1e-3 * 0.1 * steps
        assert_close(value.detach(), before[name], what=what, because=because, rtol=0, atol=moved)


@exercise("fit", points=8, seconds=240)
def test_it_learns_to_judge_reviews(student):
    SENTIMENT.check(student)


@exercise("CharLM", points=6)
@settings(max_examples=FEW)
@given(case=char_cases(min_steps=2))
def test_in_chunks_with_the_state_carried_a_text_gets_the_logits_that_it_gets_whole(student, case):
    model, cut, steps = case.model(student).eval(), max(1, case.at), case.tokens.shape[1]
    whole, _ = case.expect_logits(model(case.tokens), steps)
    first, state = case.expect_logits(model(case.tokens[:, :cut]), cut)
    rest, _ = case.expect_logits(model(case.tokens[:, cut:], state), steps - cut)
    assert_unchanged(
        torch.cat([first, rest], dim=1),
        whole,
        changed=f"the text, cut into its first {cut} and its last {steps - cut} characters",
        because="the state holds all that was read before",
        what="logits",
    )


@exercise("CharLM", points=6)
@settings(max_examples=FEW)
@given(case=char_cases())
def test_a_step_reads_its_own_character_and_none_after_it(student, case):
    model, steps = case.model(student).eval(), case.tokens.shape[1]
    other = case.tokens.clone()
    other[:, case.at] = (other[:, case.at] + 1) % case.vocab_size
    before, _ = case.expect_logits(model(case.tokens), steps)
    after, _ = case.expect_logits(model(other), steps)
    changed = f"the character of step {case.at} in every row"
    assert_unchanged(
        after[:, : case.at],
        before[:, : case.at],
        changed=changed,
        because="logits[:, t] depend on tokens[:, :t + 1]",
        what="logits of earlier steps",
    )
    for step in range(case.at, steps):
        if not ((after - before)[:, step].abs().amax(1) > 1e-12).all():
            raise CheckFailure(
                ("changed", changed),
                ("expected", f"other logits at step {step} in every row"),
                ("got", "the same"),
                because="a step knows its own character and all before it",
            )


@exercise("CharLM", points=6, seconds=240)
def test_it_learns_to_foretell_characters(student):
    CHARACTERS.check(student)


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(0.0,)))
def test_at_temperature_zero_every_character_is_the_likeliest(student, case):
    model = case.model(student, case.LIVELY)
    text = case.expect_text(case.write(student, model), case.length)
    logits, _ = case.expect_logits(model(text[None, :-1]), len(text) - 1)
    best = logits[0].argmax(1)[len(case.prompt) - 1 :]
    because = f"after each of {text.tolist()}, the character with the largest logit comes next"
    assert_close(text[len(case.prompt) :], best, what="the continuation", dims="length", because=because)


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(length=16, temperatures=(1.0, 3.0)))
def test_the_generator_decides_and_nothing_else_does(student, case):
    model = case.model(student)
    check_deterministic_under_generator(
        lambda generator: case.write(student, model, generator=generator),
        case.draws,
        varies=True,
        names=("text",),
    )


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(0.0, 1.0)), training=st.booleans())
def test_the_model_and_the_prompt_are_left_as_they_were(student, case, training):
    model, prompt = case.model(student).train(training), case.prompt.clone()
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    case.expect_text(case.write(student, model, prompt=prompt), case.length)
    changed = "nothing: only wrote"
    assert_unchanged(prompt, case.prompt, changed=changed, what="prompt", computed=False)
    for name, value in model.state_dict().items():
        assert_unchanged(value.detach(), before[name], changed=changed, what=name, computed=False)
    if model.training != training:
        raise CheckFailure(
            ("wrong", "the model is in another mode than before"),
            ("expected", f"model.training == {training}"),
            ("got", str(model.training)),
        )


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(-0.5, -1.0, -3.0)))
def test_a_negative_temperature_is_refused(student, case):
    model = case.model(student)
    expect_value_error(lambda: case.write(student, model), "temperature", case.temperature)
