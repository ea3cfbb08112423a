"""Public checks of models.py, those of what it learns included."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.learning import DATES, ECHO
from assignments.a4_transformer.masking_cases import expect_binomial, masking_cases
from assignments.a4_transformer.model_cases import (
    SEEN,
    expect_seen,
    expect_too_long,
    gpt_cases,
    other_ids,
    tables,
    transformer_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    check_cost_growth,
    check_deterministic_under_generator,
    exercise,
    expect_outputs,
    expect_value_error,
    generator,
    gradients,
    note,
)
from autograder.checks.strategies import sizes

FEW = 8  # each makes a model or two
# A head count that does not divide the size of the model.
ODD_HEADS = st.sampled_from(((6, 4), (8, 3), (2, 4), (10, 4)))


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases(lively=False), more=sizes(3))
def test_more_padding_of_the_source_changes_nothing(student, case, more):
    model = case.model(student)
    room = case.max_len - case.src.shape[1]
    padding = case.src.new_full((len(case.src), min(more, room)), case.pad)
    before, after = model(case.src, case.tgt_in), model(torch.cat([case.src, padding], dim=1), case.tgt_in)
    assert_unchanged(
        after,
        case.expect_logits(before),
        changed=f"columns of pad={case.pad} appended to src: {padding.shape[1]}",
        because="pads of src are never attended to",
        what="logits",
    )


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases())
def test_a_step_sees_the_target_up_to_itself_and_not_further(student, case):
    model = case.model(student)
    other = other_ids(case.tgt_in, case.at, case.tgt_vocab, avoid=case.pad)
    before, after = model(case.src, case.tgt_in), model(case.src, other)
    before, after = case.expect_logits(before), case.expect_logits(after)
    _expect_causal(after, before, case.at, f"the token of tgt_in at step {case.at} of every row")


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases(min_steps=3, n_layers=1, padded=False))
def test_the_order_of_tokens_matters_on_both_sides(student, case):
    model = case.model(student)
    # Three different tokens on either side, of which the first two change places.
    src, tgt_in = (_with_distinct_start(tokens, case.pad) for tokens in (case.src, case.tgt_in))
    pairs = (src, tgt_in), (_swapped(src), tgt_in), (src, _swapped(tgt_in))
    logits = [model(*pair) for pair in pairs]
    before, by_src, by_tgt = (case.expect_logits(x) for x in logits)
    for side, after, steps in (("src", by_src, slice(None)), ("tgt_in", by_tgt, slice(2, None))):
        expect_seen(
            after[:, steps],
            before[:, steps],
            torch.ones(len(src), dtype=torch.bool),
            changed=f"tokens 0 and 1 of {side}, swapped; each row is made to begin with three different ones",
            because=f"attention alone knows no order: {side} needs positions",
        )


@exercise("Transformer", points=11)
@given(sizes=ODD_HEADS)
def test_heads_that_do_not_divide_the_size_of_a_transformer_are_refused(student, sizes):
    d_model, n_heads = sizes
    expect_value_error(lambda: student.Transformer(5, 6, d_model, n_heads, 4, 1, 8), "n_heads", n_heads)


@exercise("Transformer", points=11, seconds=240)
def test_it_learns_to_write_dates(student):
    DATES.check(student)


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases())
def test_a_step_reads_its_own_token_and_none_after_it(student, case):
    model = case.model(student)
    other = other_ids(case.tokens, case.at, case.vocab_size)
    before, after = model(case.tokens), model(other)
    before, after = case.expect_logits(before), case.expect_logits(after)
    _expect_causal(after, before, case.at, f"the token of step {case.at} in every row")


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases(min_steps=2))
def test_with_a_cache_the_rest_of_a_text_gets_the_logits_that_it_gets_in_one_pass(student, case):
    model, cut = case.model(student), max(1, case.at)
    cache = student.KVCache()
    first, rest = model(case.tokens[:, :cut], cache), model(case.tokens[:, cut:], cache)
    whole = case.expect_logits(model(case.tokens))
    for name, got, start, end in (("first", first, 0, cut), ("rest", rest, cut, case.tokens.shape[1])):
        assert_unchanged(
            case.expect_logits(got, end - start),
            whole[:, start:end],
            changed=f"the text, read with a cache in two parts, of which the second begins at {cut}",
            because="the cache holds what was read before",
            what=f"logits of the {name}",
        )


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases())
def test_one_parameter_is_the_embedding_and_the_output_weights(student, case):
    model = case.model(student)
    found = tables(model, case.vocab_size)
    if len(found) != 1:
        shapes = ", ".join(str(tuple(parameter.shape)) for parameter, _ in found) or "none"
        raise CheckFailure(
            ("expected", f"one parameter ({case.vocab_size}, {case.d_model}): vocab_size, d_model"),
            ("got", shapes),
            because="the output weights are the embedding itself, not a second parameter or a copy",
        )
    ((table, dim),) = found
    tokens = case.tokens[:1]
    read, unread = int(tokens[0, 0]), next(v for v in range(case.vocab_size) if not (tokens == v).any())
    before, after = model(tokens), {}
    for row in (read, unread):
        _scale_row(table, dim, row, -2.0)
        after[row] = model(tokens)
        _scale_row(table, dim, row, -0.5)
    every = torch.ones(case.vocab_size, dtype=torch.bool)
    own = torch.arange(case.vocab_size) == unread
    for row, told, expected in ((read, "read", every), (unread, "not read", own)):
        moved = ((after[row] - before)[0, 0].abs() > SEEN).detach()
        assert_close(
            moved,
            expected,
            what="whether the logit of each token at step 0 is another",
            dims="vocab_size",
            because=f"row {row} of the embedding was changed, of a token that is {told}, and logits = h Eᵀ",
        )


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases(min_steps=2), more=sizes(3))
def test_positions_are_learned_and_those_after_a_step_have_no_gradient_from_it(student, case, more):
    model, larger = case.model(student), student.GPT(*case.sizes[:-1], case.max_len + more)
    logits, time = case.expect_logits(model(case.tokens)), max(1, case.at)
    learned, with_more = (sum(p.numel() for p in m.parameters() if p.requires_grad) for m in (model, larger))
    if with_more <= learned:
        raise CheckFailure(
            ("changed", f"max_len from {case.max_len} to {case.max_len + more}"),
            ("expected", f"more than {learned} parameters that are trained"),
            ("got", str(with_more)),
            because="positions are learned: each has a vector of its own",
        )
    found = tables(model, case.max_len)
    grads = gradients(logits[:, :time], [table for table, _ in found]) if found else ()
    for grad, (_, dim) in zip(grads, found, strict=True):
        assert_close(
            grad.movedim(dim, 0).flatten(1).any(1).sum(),
            torch.tensor(time),
            what=f"the number of positions, of {case.max_len}, that have a gradient",
            because=f"it is that of the logits of steps 0 to {time - 1}, which see each other and none later",
        )


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases(), more=sizes(3))
def test_more_tokens_than_max_len_are_refused_with_and_without_a_cache(student, case, more):
    model, cache, total = case.model(student), student.KVCache(), case.max_len + more
    full, longer = (case.tokens[:, :1].repeat(1, time) for time in (case.max_len, total))
    whole, cached = model(full), model(full, cache)
    assert_unchanged(
        case.expect_logits(cached, case.max_len),
        case.expect_logits(whole, case.max_len),
        changed="nothing: the same text, with and without a cache",
        because=f"max_len={case.max_len} tokens are allowed",
        what="logits",
    )
    expect_too_long(lambda: model(longer), total, case.max_len)
    expect_too_long(lambda: model(longer[:, :more], cache), total, case.max_len)


@exercise("GPT", points=14)
def test_a_step_with_a_cache_computes_only_the_new_token(student):
    # Wide inside and of many words, so that what is done for each token is dearer than to look back at it.
    model = student.GPT(64, 4, 2, 512, 2, 129)
    tokens = torch.arange(129)[None] * 7 % 64

    def after(read):
        cache = student.KVCache()
        model(tokens[:, :read], cache)
        return tokens[:, read : read + 1], cache

    because = "layers compute the new token's part only, and keep the keys and values of the others"
    with torch.no_grad():
        check_cost_growth(model, after, 8, 128, of="tokens in the cache", growth="constant", because=because)


@exercise("GPT", points=14)
@given(sizes=ODD_HEADS)
def test_heads_that_do_not_divide_the_size_of_a_gpt_are_refused(student, sizes):
    d_model, n_heads = sizes
    expect_value_error(lambda: student.GPT(5, d_model, n_heads, 4, 1, 8), "n_heads", n_heads)


@exercise("GPT", points=14, seconds=240)
def test_it_learns_to_copy_and_to_reverse(student):
    ECHO.check(student)


@exercise("mask_tokens", points=6)
@given(case=masking_cases())
def test_only_chosen_tokens_are_changed_and_special_ones_never(student, case):
    case.expect_masked(student.mask_tokens(*case.arguments(), generator(case.seed)))


@exercise("mask_tokens", points=6)
@settings(max_examples=FEW)
@given(case=masking_cases(ps=(0.0, 1.0)))
def test_none_are_chosen_with_p_zero_and_all_but_special_ones_with_p_one(student, case):
    _, labels = case.expect_masked(student.mask_tokens(*case.arguments(), generator(case.seed)))
    expected = case.tokens.masked_fill(case.special | (case.p == 0), -100)
    because = f"p={case.p:g}, special_ids={list(case.special_ids)}"
    assert_close(labels, expected, what="labels", because=because)


@exercise("mask_tokens", points=6)
def test_of_the_chosen_eighty_percent_are_masked_ten_random_and_ten_kept(student):
    # Six bounds, each missed by chance less than once in 10⁸ times: by any of them, less than once in 10⁷.
    tokens, vocab_size, mask_id = torch.full((100, 100), 5), 50, 3
    got = student.mask_tokens(tokens.clone(), mask_id, vocab_size, [0, 1], 0.6, generator(1))
    inputs, labels = (assert_like(x, tokens) for x in expect_outputs(got, ("inputs", "labels")))
    chosen = labels != -100
    count, by_chance = int(chosen.sum()), 0.1 / vocab_size
    note(inputs, "inputs")
    expect_binomial(count, tokens.numel(), 0.6, "tokens chosen with p=0.6", 1e-8)
    for share, what, where in (
        (0.8 + by_chance, "chosen tokens masked (80 %, and those drawn at random)", inputs == mask_id),
        (0.1 + by_chance, "chosen tokens kept (10 %, and those drawn at random)", inputs == tokens),
    ):
        expect_binomial(int((where & chosen).sum()), count, share, what, 1e-8)


@exercise("mask_tokens", points=6)
@settings(max_examples=FEW)
@given(case=masking_cases(ps=(0.5,)))
def test_the_generator_decides_what_is_masked_and_nothing_else_does(student, case):
    if case.special.all():
        return  # nothing to draw
    many = case.tokens.repeat(8, 8)  # one token in twenty becomes a random id
    check_deterministic_under_generator(
        lambda generator: student.mask_tokens(*case.arguments(many.clone()), generator),
        case.seed,
        varies=True,
        names=("inputs", "labels"),
    )


@exercise("shift_right", points=2)
def test_two_targets_by_hand(student):
    got = student.shift_right(torch.tensor([[5, 6, 7], [8, 2, 0]]), 1)
    assert_close(got, torch.tensor([[1, 5, 6], [1, 8, 2]]), dims="batch time")


@exercise("shift_right", points=2)
@given(bos=sizes(9))
def test_of_one_token_only_bos_is_left(student, bos):
    tokens = torch.tensor([[4], [0]])
    got = student.shift_right(tokens, bos)
    assert_close(got, torch.full((2, 1), bos), dims="batch time")
    note(got)


def _scale_row(table, dim, row, factor):
    """Change one row of an embedding; `factor` and its inverse leave it as it was."""
    with torch.no_grad():
        table.select(dim, row).mul_(factor)


def _expect_causal(after, before, at, changed):
    """Logits before step `at` are the same, those from it on are others."""
    assert_unchanged(
        after[:, :at],
        before[:, :at],
        changed=changed,
        because="logits[:, t] depend on no token after step t",
        what="logits of earlier steps",
    )
    expect_seen(
        after[:, at:],
        before[:, at:],
        torch.ones(len(before), dtype=torch.bool),
        changed=changed,
        because="a step sees its own token and all before it",
    )


def _with_distinct_start(tokens, pad):
    """The tokens, but for the first three of each row: these are different ones now, and no pads."""
    start = torch.tensor([v for v in range(7) if v != pad][:3])
    return torch.cat([start.expand(len(tokens), -1), tokens[:, 3:]], dim=1)


def _swapped(tokens):
    return torch.cat([tokens[:, 1:2], tokens[:, :1], tokens[:, 2:]], dim=1)
