"""Hidden checks of decoding.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.decoding_cases import (
    Language,
    SearchCase,
    expect_kept_only,
    expect_shares,
    languages,
    wide_cases,
)
from autograder.checks import (
    CheckFailure,
    check_batch_independence,
    check_layouts,
    check_pure,
    exercise,
    generator,
)
from solutions.a4_transformer.decoding_oracles import narrow_cases, rows_of_their_own

FEW, SOME = 12, 18  # what calls `step` takes a round trip for each call
DRAWS, MANY = 500, 1500  # of each row: to see which tokens come, and how often


@exercise("sample_next", points=7)
@settings(max_examples=FEW)
@given(case=rows_of_their_own())
def test_every_row_draws_in_proportion_from_tokens_of_its_own_and_none_that_is_impossible(student, case):
    counts = case.counts(case.sample(student, case.repeated(MANY)), MANY)
    expect_kept_only(case, counts)
    expect_shares(counts, case.expected, tests=FEW * case.expected.numel())


@exercise("sample_next", points=7)
@settings(max_examples=8)
@given(case=rows_of_their_own())
def test_the_tokens_that_are_kept_are_the_same_in_any_dtype(student, case):
    dtypes = torch.float64, torch.float32, torch.bfloat16
    answers = [case.sample(student, case.repeated(DRAWS).to(dtype)) for dtype in dtypes]
    for dtype, tokens in zip(dtypes, answers, strict=True):
        try:
            expect_kept_only(case, case.counts(tokens, DRAWS))
        except CheckFailure as failure:
            raise failure.preceded_by(("changed", f"the dtype of the logits, now {dtype}")) from None


@exercise("sample_next", points=7)
@given(case=rows_of_their_own(temperatures=(0.0, 0.5, 2.0)))
def test_logits_are_left_alone_lie_in_memory_as_they_like_and_may_be_one_row(student, case):
    def draw(logits, top_k=1):
        # Of one token, since torch.multinomial itself draws differently where probabilities lie differently.
        return student.sample_next(logits, case.temperature, top_k, case.top_p, generator(case.seed))

    check_layouts(draw, [case.logits], names=("tokens",))
    check_batch_independence(draw, [case.logits], names=("tokens",))
    check_pure(lambda logits: draw(logits, case.top_k), case.logits, names=("logits",))


@exercise("greedy_decode", points=4)
@given(language=languages(impossible=0.5))
def test_texts_of_languages_with_impossible_tokens(student, language):
    arguments = {"bos": language.bos, "eos": language.eos, "max_len": language.max_len}
    ids = language.decoded(lambda step: student.greedy_decode(step, **arguments))
    if ids != language.greedy:
        because = f"eos is {language.eos}, max_len {language.max_len}"
        raise CheckFailure(("expected", str(language.greedy)), ("got", str(ids)), because=because)


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(beam=st.sampled_from((2, 3, 5, 6, 7)))
def test_a_beam_may_be_wider_than_the_vocabulary(student, beam):
    first = torch.tensor([0.04, 0.56, 0.40], dtype=torch.float64)
    second = torch.tensor([[1, 1, 1], [0.04, 0.52, 0.44], [0.04, 0.50, 0.46]], dtype=torch.float64)
    third = torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64).repeat(3, 3, 1)
    third[2, 2] = torch.tensor([0.9, 0.06, 0.04])
    language = Language(bos=1, eos=0, max_len=3, tables=(first.log(), second.log(), third.log()))
    case = SearchCase(language, beam, 0.0, [1, 1] if beam < 4 else [2, 2])
    because = "0.40 · 0.46, only the fourth best of two steps, is followed by eos with probability 0.9"
    case.expect_best(case.search(student), because)


@exercise("beam_search", points=8)
@settings(max_examples=SOME)
@given(case=narrow_cases())
def test_a_narrow_beam_finds_what_its_steps_keep(student, case):
    because = "each step keeps the best candidates; whether ended ones keep their slot does not matter here"
    case.expect_best(case.search(student), because)


@exercise("beam_search", points=8)
@settings(max_examples=FEW)
@given(case=wide_cases(penalties=(0.0, 0.7, 1.5), impossible=0.4))
def test_a_wide_beam_among_impossible_tokens(student, case):
    case.expect_best(case.search(student), "no hypothesis has a higher score; that of others may be -inf")
