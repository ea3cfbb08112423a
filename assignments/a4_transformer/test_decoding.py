"""Public checks of decoding.py."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.decoding_cases import (
    SearchCase,
    expect_kept_only,
    expect_shares,
    expect_token_ids,
    languages,
    markov_language,
    sampling_cases,
    wide_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    check_deterministic_under_generator,
    describe_values,
    exercise,
    expect_value_error,
    generator,
)
from autograder.checks.strategies import seeds

FEW = 12  # what calls `step` takes a round trip for each call
DRAWS, MANY = 500, 1500  # of each row: to see which tokens come, and how often

# What follows 0, 1, … in a language where only the last token counts. Greed begins with 2, the likeliest, and
# loses: 3 is followed by the end (1) nearly for certain.
MISLEADING = (
    (0.05, 0.05, 0.50, 0.40),
    (0.25, 0.25, 0.25, 0.25),
    (0.10, 0.40, 0.28, 0.22),
    (0.03, 0.90, 0.03, 0.04),
)
# To end at once is likelier than any longer text, but not by much for one of its length.
TERSE = ((0.01, 0.35, 0.04, 0.60), (0.25, 0.25, 0.25, 0.25), (0.1, 0.7, 0.1, 0.1), (0.2, 0.5, 0.1, 0.2))


@exercise("sample_next", points=7)
@settings(max_examples=FEW)
@given(case=sampling_cases())
def test_the_generator_decides_and_nothing_else_does(student, case):
    logits = torch.zeros(64, 5, dtype=torch.float64)

    def draw(generator):
        return student.sample_next(logits, case.temperature, generator=generator)

    check_deterministic_under_generator(draw, case.seed, varies=True, names=("tokens",))


@exercise("sample_next", points=7)
@given(case=sampling_cases(temperatures=(0.0,), impossible=2))
def test_at_temperature_zero_the_likeliest_token_comes_whatever_the_generator(student, case):
    for seed in (case.seed, case.seed + 1):
        tokens = case.sample(student, case.logits, seed)
        expect_token_ids(tokens, *case.logits.shape)
        because = "temperature 0 is greedy"
        assert_close(tokens, case.logits.argmax(1), what="tokens", dims="batch", because=because)


@exercise("sample_next", points=7)
@given(case=sampling_cases())
def test_what_top_k_and_top_p_keep_is_drawn_and_nothing_else(student, case):
    tokens = case.sample(student, case.repeated(DRAWS))
    expect_kept_only(case, case.counts(tokens, DRAWS))


@exercise("sample_next", points=7)
@settings(max_examples=FEW)
@given(case=sampling_cases(cut=False))
def test_tokens_are_drawn_as_often_as_the_softmax_over_the_temperature_says(student, case):
    logits = case.repeated(MANY)
    if case.temperature == 1:
        tokens = student.sample_next(logits)
    else:
        tokens = student.sample_next(logits, case.temperature, generator=generator(case.seed))
    expect_shares(case.counts(tokens, MANY), case.expected, tests=FEW * case.expected.numel())


@exercise("sample_next", points=7)
@given(bad=st.sampled_from((("temperature", -0.5), ("temperature", -1.0), ("top_k", 0), ("top_k", -2))))
def test_a_negative_temperature_and_a_top_k_of_less_than_one_are_refused(student, bad):
    name, value = bad
    logits = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64)
    expect_value_error(
        lambda: student.sample_next(logits, generator=generator(0), **{name: value}), name, value
    )


def greedily(student, language):
    """What `greedy_decode` returns."""
    arguments = language.bos, language.eos, language.max_len
    return language.decoded(lambda step: student.greedy_decode(step, *arguments))


def expect_followed(language, ids):
    """Every token is the likeliest after those before it, and the end is where eos or max_len says."""
    generated = [*ids, language.eos][: language.max_len]
    for t, token in enumerate(generated):
        after = language.after(generated[:t])
        if token != int(after.argmax()):
            raise CheckFailure(
                ("wrong", f"token {t} is not the likeliest after {[language.bos, *generated[:t]]}"),
                ("expected", f"{int(after.argmax())}: the log-probabilities are {describe_values(after)}"),
                ("got", f"{token}" if t < len(ids) else "the end, as if eos had come"),
                because=f"the result is {ids}; eos is {language.eos}, max_len {language.max_len}",
            )


def expect_ids(got, expected, because):
    if got != expected:
        raise CheckFailure(("expected", str(expected)), ("got", str(got)), because=because)


def expect_all_or_nothing(ids, language, because):
    """No ids where eos comes at once, and `max_len` where it never does."""
    ends = language.greedy == []
    expected = 0 if ends else language.max_len
    if len(ids) != expected:
        when = "at once" if ends else "never"
        raise CheckFailure(
            ("expected", f"{expected} ids, since eos ({language.eos}) comes {when}"),
            ("got", str(ids)),
            because=because,
        )


@exercise("greedy_decode", points=4)
@given(max_len=st.integers(1, 5))
def test_a_text_by_hand(student, max_len):
    transitions = ((0.1, 0.6, 0.1, 0.2), (0.1, 0.2, 0.2, 0.5), (0.7, 0.1, 0.1, 0.1), (0.2, 0.1, 0.4, 0.3))
    ids = greedily(student, markov_language(transitions, bos=1, eos=0, max_len=max_len))
    because = f"1 (bos) goes on with 3, then 2, then 0 (eos); max_len is {max_len}"
    expect_ids(ids, [3, 2][:max_len], because)


@exercise("greedy_decode", points=4)
@given(language=languages(endings=("whenever", "never")))
def test_every_token_is_the_likeliest_after_the_whole_prefix(student, language):
    expect_followed(language, greedily(student, language))


@exercise("greedy_decode", points=4)
@given(language=languages(endings=("at once", "never")))
def test_eos_at_once_leaves_nothing_and_no_eos_goes_on_to_max_len(student, language):
    ids = greedily(student, language)
    expect_all_or_nothing(ids, language, f"max_len is {language.max_len}")


@exercise("beam_search", points=8)
@given(beam=st.integers(1, 6))
def test_a_beam_of_two_finds_what_greed_misses(student, beam):
    language = markov_language(MISLEADING, bos=0, eos=1, max_len=3)
    case = SearchCase(language, beam, 0.0, [2] if beam == 1 else [3])
    case.expect_best(case.search(student), "0.5 · 0.4 is less than 0.4 · 0.9")


@exercise("beam_search", points=8)
@given(beam=st.integers(3, 6), length_penalty=st.sampled_from((0.0, 1.0)))
def test_the_length_penalty_shares_the_score_out_over_eos_too(student, beam, length_penalty):
    language = markov_language(TERSE, bos=0, eos=1, max_len=2)
    case = SearchCase(language, beam, length_penalty, [3] if length_penalty else [])
    because = f"log 0.35 = {math.log(0.35):.3f}, log(0.6 · 0.5) = {math.log(0.3):.3f}, over 1 and 2 tokens"
    case.expect_best(case.search(student), because)


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(case=wide_cases())
def test_a_beam_as_wide_as_the_search_space_finds_the_best_there_is(student, case):
    case.expect_best(case.search(student), "no hypothesis has a higher score")


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(language=languages(endings=("whenever", "whenever", "never")))
def test_a_beam_of_one_is_greedy(student, language):
    case = SearchCase(language, 1, 0.0, language.greedy)
    case.expect_best(case.search(student), "a beam of one keeps the likeliest token")


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(
    # Fewer than there are other tokens, so that eos need not be a candidate to fill the beam.
    language=languages(endings=("at once", "never"), sizes=((4, 2), (4, 3), (5, 3))),
    beam=st.integers(1, 3),
    length_penalty=st.sampled_from((0.0, 1.0)),
)
def test_eos_at_once_leaves_nothing_and_without_eos_there_are_max_len_tokens(
    student, language, beam, length_penalty
):
    ids = SearchCase(language, beam, length_penalty, []).search(student)
    because = f"beam {beam}, length_penalty {length_penalty:g}, max_len {language.max_len}"
    expect_all_or_nothing(ids, language, because)


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(language=languages(), beam=st.integers(-2, 0))
def test_a_beam_of_less_than_one_is_refused(student, language, beam):
    arguments = language.bos, language.eos, language.max_len, beam
    expect_value_error(
        lambda: language.decoded(lambda step: student.beam_search(step, *arguments)), "beam", beam
    )
