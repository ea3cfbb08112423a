"""Hidden checks of text.py."""

import math

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
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_unchanged,
    check_batch_independence,
    check_layouts,
    check_parameter_dtypes,
    check_parameter_slopes,
    check_pure,
    check_training_steps,
    exercise,
    expect_losses,
    expect_no_nan,
    expect_outputs,
    expect_tensor,
    generator,
    note,
)
from solutions.a2_lstm import oracles

FEW = 10  # each makes a model or two
LOGITS = ("logits",)


@exercise("build_vocab", points=5)
@given(case=vocab_cases())
def test_ids_by_falling_count_and_then_by_the_alphabet(student, case):
    expect_vocab(
        student.build_vocab(case.texts, min_count=case.min_count),
        oracles.number_tokens(case.words, case.min_count),
    )


@exercise("build_vocab", points=5)
@settings(max_examples=12)
@given(case=vocab_cases(words=("<unk>", "<pad>", "a")))
def test_without_min_count_every_token_is_numbered(student, case):
    expect_vocab(student.build_vocab(case.texts), oracles.number_tokens(case.words, 1))


@exercise("collate", points=4)
@given(case=collate_cases())
def test_a_padded_table_of_integers_from_lists_that_are_left_alone(student, case):
    given_lists = case.sequences
    tokens, lengths = expect_outputs(student.collate(given_lists, pad=case.pad), ("tokens", "lengths"))
    rows, sizes = oracles.pad_rows(case.ids, case.pad)
    assert_close(tokens, rows, what="tokens", dims="batch time")
    assert_close(lengths, sizes, what="lengths", dims="batch")
    if given_lists != case.sequences:
        raise CheckFailure(
            ("wrong", "the sequences were modified in place"),
            ("expected", str(case.sequences)[:300]),
            ("got", str(given_lists)[:300]),
        )


@exercise("collate", points=4)
@settings(max_examples=12)
@given(case=collate_cases())
def test_it_pads_with_zero_where_nothing_else_is_said(student, case):
    tokens, _ = expect_outputs(student.collate(case.sequences), ("tokens", "lengths"))
    assert_close(tokens, oracles.pad_rows(case.ids, 0)[0], what="tokens", dims="batch time")


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases())
def test_rows_are_apart_and_inputs_left_alone(student, case):
    model, inputs = case.model(student).eval(), (case.tokens, case.lengths)
    check_batch_independence(model, inputs, row=case.at % len(case.tokens), names=LOGITS)
    check_pure(model, *inputs, names=("tokens", "lengths"))
    check_layouts(model, inputs, names=LOGITS)


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases())
def test_scores_are_logits_and_no_probabilities(student, case):
    logits = expect_no_nan(case.model(student).eval()(case.tokens, case.lengths), what="logits")
    note(logits, "logits")
    if logits.shape[1] > 1 and (logits >= 0).all() and ((logits.sum(1) - 1).abs() < 1e-9).all():
        raise CheckFailure(
            ("wrong", "every row is of positive numbers that sum to 1"),
            ("expected", "logits: the last linear layer's scores, whatever their sum"),
            ("got", str(logits.tolist())[:200]),
            because="the cross-entropy takes the softmax itself",
        )


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases())
def test_the_order_of_real_tokens_counts(student, case):
    model = case.model(student).eval()
    turned = case.tokens.clone()
    for row, length in enumerate(case.lengths.tolist()):
        turned[row, :length] = turned[row, :length].flip(0)
    before, after = (
        expect_no_nan(model(tokens, case.lengths), what="logits") for tokens in (case.tokens, turned)
    )
    note(before, "logits")
    moved = (after - before).abs().amax(1) > 1e-9
    for row, (old, new) in enumerate(zip(case.tokens, turned, strict=True)):
        if not torch.equal(old, new) and not moved[row]:
            raise CheckFailure(
                ("changed", f"the order of row {row}'s {int(case.lengths[row])} real tokens, reversed"),
                ("expected", f"other logits in row {row}"),
                ("got", "the same"),
                because="an LSTM reads one token after another",
            )


@exercise("SentimentClassifier", points=7)
@settings(max_examples=FEW)
@given(case=classifier_cases())
def test_gradients_of_the_parameters_and_logits_in_any_dtype(student, case):
    model = case.model(student).eval()
    # Without the padding's id among real tokens: nn.Embedding may give that one no gradient (padding_idx).
    tokens = torch.where(case.tokens == case.pad, (case.pad + 1) % case.vocab_size, case.tokens)
    check_parameter_slopes(model, lambda: model(tokens, case.lengths), what="logits", rtol=1e-6)
    check_parameter_dtypes(model, lambda: model(tokens, case.lengths), what="logits")


@exercise("fit", points=8)
@settings(max_examples=8)  # each trains a model
@given(case=classifier_cases(n_batches=3), max_norm=st.sampled_from((None, 0.05, 0.4, 1e3)))
def test_losses_and_parameters_are_those_of_the_described_steps(student, case, max_norm):
    lr, steps = 0.05, 5
    # Weights of size 1 make gradients whose norms are now above and now below the default bound.
    model, reference = case.model(student, scale=1.0), case.model(student, scale=1.0)
    bound = () if max_norm is None else (max_norm,)
    losses = student.fit(model, list(case.batches), lr, steps, *bound)

    def loss_of(step):
        tokens, lengths, labels = case.batches[step % 3]
        return F.cross_entropy(expect_tensor(reference(tokens, lengths), what="logits"), labels)

    norm = max_norm or 1.0
    because = (
        f"mean cross-entropy, taken before the step; Adam; gradients clipped to the global norm {norm:g}"
    )
    check_training_steps(
        model, losses, reference, loss_of, steps, lr=lr, max_norm=norm, because=because, rtol=1e-5
    )


@exercise("fit", points=8)
@settings(max_examples=5)  # each trains a model
@given(case=classifier_cases(n_batches=3), steps=st.integers(1, 4))
def test_the_batches_are_left_alone(student, case, steps):
    batches = [tuple(tensor.clone() for tensor in batch) for batch in case.batches]
    losses = student.fit(case.model(student), batches, 0.1, steps, max_norm=0.5)
    expect_losses(losses, steps)
    if len(batches) != 3:
        raise CheckFailure(("expected", "the list of batches, as it was"), ("got", f"{len(batches)} batches"))
    for i, (now, then) in enumerate(zip(batches, case.batches, strict=True)):
        for name, after, before in zip(("tokens", "lengths", "labels"), now, then, strict=True):
            what, changed = f"{name} of batch {i}", "nothing: a model was trained"
            assert_unchanged(after, before, changed=changed, what=what, computed=False)


@exercise("CharLM", points=6)
@settings(max_examples=FEW)
@given(case=char_cases(min_steps=3))
def test_one_character_at_a_time_from_a_state_that_is_left_alone(student, case):
    model, steps = case.model(student).eval(), case.tokens.shape[1]
    whole, _ = case.expect_logits(model(case.tokens), steps)
    state = None
    for step in range(steps):
        token = case.tokens[:, step : step + 1]
        logits, following = case.expect_logits(model(token, state), 1)
        again, _ = case.expect_logits(model(token, state=state), 1)
        changed = "the text, read one character at a time"
        assert_unchanged(logits, whole[:, step : step + 1], changed=changed, what=f"logits of step {step}")
        changed = "nothing: the same character from the same state"
        assert_unchanged(again, logits, changed=changed, what=f"logits of step {step}")
        state = following


@exercise("CharLM", points=6)
@settings(max_examples=FEW)
@given(case=char_cases())
def test_texts_are_apart_and_left_alone(student, case):
    model, steps = case.model(student).eval(), case.tokens.shape[1]

    def logits(tokens):
        return expect_outputs(model(tokens)[:1], LOGITS)

    case.expect_logits(model(case.tokens), steps)
    check_batch_independence(logits, [case.tokens], row=case.at % len(case.tokens), names=LOGITS)
    check_pure(logits, case.tokens, names=("tokens",))
    check_layouts(logits, [case.tokens], names=LOGITS)


@exercise("CharLM", points=6)
@settings(max_examples=FEW)
@given(case=char_cases(min_steps=2))
def test_gradients_of_the_parameters_and_logits_of_every_step_in_any_dtype(student, case):
    model, steps = case.model(student).eval(), case.tokens.shape[1]
    case.expect_logits(model(case.tokens), steps)
    check_parameter_slopes(model, lambda: model(case.tokens)[0], what="logits", rtol=1e-6)
    check_parameter_dtypes(model, lambda: model(case.tokens)[0], what="logits")


@exercise("generate", points=5)
@settings(max_examples=8)
@given(case=writing_cases(length=120, temperatures=(0.3, 0.6, 1.0, 2.0, 6.0)))
def test_characters_are_drawn_from_the_softmax_of_the_logits_over_the_temperature(student, case):
    """How much likelier is the text under another rule than under the right one?

    That ratio has the mean 1 if the text is drawn by the right rule, whatever the way to draw, and so has the
    mean of such ratios over several rules: it exceeds 10⁷ with a probability of at most 10⁻⁷ (Markov).
    """
    model = case.model(student, case.LIVELY)
    text = case.expect_text(case.write(student, model), case.length)
    logits, _ = case.expect_logits(model(text[None, :-1]), len(text) - 1)
    written, logits = text[len(case.prompt) :], logits[0, len(case.prompt) - 1 :].detach()

    def log_probability(temperature):
        return (logits / temperature).log_softmax(1).gather(1, written[:, None]).sum()

    right = log_probability(case.temperature)
    others = [case.temperature * factor for factor in (0.25, 0.5, 0.75, 1.5, 2.0, 4.0)]
    others = {t: float(log_probability(t) - right) for t in (*others, 1 / case.temperature, 1.0, math.inf)}
    if torch.tensor(list(others.values())).logsumexp(0) - math.log(len(others)) > math.log(1e7):
        best = max(others, key=others.__getitem__)
        raise CheckFailure(
            ("expected", f"{case.length} characters drawn from softmax(logits / {case.temperature:g})"),
            ("got", f"a text that is e^{others[best]:.0f} times as likely with logits / {best:g}"),
            because="that happens by chance to less than one text in 10⁷",
        )


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(1e-3, 1e-2)))
def test_close_to_zero_only_characters_as_likely_as_the_likeliest_are_drawn(student, case):
    model = case.model(student, case.LIVELY)
    text = case.expect_text(case.write(student, model), case.length)
    logits, _ = case.expect_logits(model(text[None, :-1]), len(text) - 1)
    logits = logits[0, len(case.prompt) - 1 :].detach()
    behind = logits.amax(1) - logits.gather(1, text[len(case.prompt) :, None])[:, 0]
    # One so far behind comes with a probability of less than e^-40, 10⁻¹⁷.
    if (behind > 40 * case.temperature).any():
        step = int(behind.argmax())
        raise CheckFailure(
            ("wrong", f"step {step} of the continuation is not the likeliest character"),
            ("expected", f"{int(logits[step].argmax())}, whose logit is larger by {float(behind[step]):.4g}"),
            ("got", str(int(text[len(case.prompt) + step]))),
            because=f"the temperature is {case.temperature:g}",
        )


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(0.0, 1.0)))
def test_of_length_zero_the_text_is_the_prompt_and_a_longer_one_begins_with_a_shorter_one(student, case):
    model = case.model(student, case.LIVELY)
    none = case.write(student, model, length=0)
    short, long = case.write(student, model), case.write(student, model, length=case.length + 3)
    case.expect_text(none, 0)
    short, long = case.expect_text(short, case.length), case.expect_text(long, case.length + 3)
    if case.temperature == 0:
        changed = f"length, from {case.length} to {case.length + 3}"
        assert_unchanged(long[: len(short)], short, changed=changed, what="the text's beginning")


@exercise("generate", points=5)
@settings(max_examples=FEW)
@given(case=writing_cases(temperatures=(0.0,)), other=st.integers(0, 99))
def test_at_temperature_zero_the_generator_does_not_matter(student, case, other):
    model = case.model(student, case.LIVELY)
    one = case.write(student, model)
    two = case.write(student, model, generator=generator(other))
    case.expect_text(one, case.length)
    changed = "the generator's state"
    assert_unchanged(two, one, changed=changed, because="at temperature 0 nothing is drawn", what="text")
