"""Hidden checks of models.py."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assignments.a4_transformer.masking_cases import expect_coins, masking_cases
from assignments.a4_transformer.model_cases import (
    SEEN,
    expect_layers,
    expect_no_probabilities,
    expect_seen,
    gpt_cases,
    other_ids,
    tables,
    targets,
    transformer_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    assert_unchanged,
    check_batch_independence,
    check_layouts,
    check_parameter_dtypes,
    check_parameter_slopes,
    check_pure,
    exercise,
    expect_outputs,
    generator,
    note,
    weights_like,
)

FEW = 8  # each makes a model or two
LOGITS = ("logits",)


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases(), size=st.sampled_from((1.0, 1e2, 1e4)))
def test_what_a_pad_is_embedded_as_cannot_matter_wherever_it_stands(student, case, size):
    model = case.model(student)
    before = model(case.src, case.tgt_in)
    for table, dim in tables(model, case.src_vocab):
        with torch.no_grad():
            row = table.select(dim, case.pad)
            row.copy_(size * weights_like(row))
    after = model(case.src, case.tgt_in)
    assert_unchanged(
        after,
        case.expect_logits(before),
        changed=f"the source embedding of pad={case.pad}, to normal values times {size:g}",
        because="pads of src are never attended to, wherever they stand in a row",
        what="logits",
    )


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases(), position=st.integers(0, 4))
def test_every_real_source_token_matters_to_every_step(student, case, position):
    position %= case.src.shape[1]
    model, other = case.model(student), other_ids(case.src, position, case.src_vocab, avoid=case.pad)
    other = torch.where(case.real, other, case.src)
    before, after = (model(src, case.tgt_in) for src in (case.src, other))
    before, after = case.expect_logits(before), case.expect_logits(after)
    changed = f"the token of src at position {position}, where it is real"
    because = "every step attends to all real tokens of the source"
    expect_seen(after, before, case.real[:, position], changed=changed, because=because)


@exercise("Transformer", points=11)
@settings(max_examples=FEW)
@given(case=transformer_cases(lively=False))
def test_rows_of_a_batch_are_apart_and_tokens_left_alone(student, case):
    model, inputs = case.model(student), (case.src, case.tgt_in)
    before, after = model(*inputs), model.eval()(*inputs)
    expect_no_probabilities(case.expect_logits(before))
    assert_unchanged(after, before, changed="train() to eval()", because="there is no dropout", what="logits")
    check_batch_independence(model, inputs, names=LOGITS)
    check_pure(model, *inputs, names=("src", "tgt_in"))
    check_layouts(model, inputs, names=LOGITS)


@exercise("Transformer", points=11)
@settings(max_examples=5)
@given(case=transformer_cases(min_steps=3, padded=False))
def test_gradients_of_a_transformer_and_its_logits_in_any_dtype(student, case):
    model = case.model(student)
    case.expect_logits(model(case.src, case.tgt_in))
    expect_slopes(model, lambda: model(case.src, case.tgt_in), case)
    check_parameter_dtypes(model, lambda: model(case.src, case.tgt_in), what="logits")


@exercise("Transformer", points=11)
def test_every_layer_of_a_transformer_has_its_own_weights(student):
    src_vocab, tgt_vocab, d_model, d_ff, max_len = 6, 5, 16, 24, 4
    # Four projections and a feed-forward network on either side, and four for what looks at the source.
    per_layer = 12 * d_model**2 + 4 * d_model * d_ff
    expect_layers(
        lambda n: student.Transformer(src_vocab, tgt_vocab, d_model, 2, d_ff, n, max_len),
        per_layer,
        (src_vocab + 2 * tgt_vocab + 2 * max_len + 8) * d_model,
        because="each layer is an encoder and a decoder block with weights of their own",
    )


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases(min_steps=3))
def test_caches_are_apart_and_texts_may_come_in_chunks_of_any_sizes(student, case):
    model, other = case.model(student), (case.tokens[:1] + 1) % case.vocab_size
    one, two, chunks = student.KVCache(), student.KVCache(), []
    for start, end in case.chunks:
        mine = model(case.tokens[:, start:end], cache=one)
        between = model(other), model(other[:, start:end], cache=two)
        chunks.append((start, end, mine, *between))
    whole, others = case.expect_logits(model(case.tokens)), model(other)
    in_chunks = f"the text, read with a cache in chunks that end at {case.ends}"
    for start, end, mine, without, theirs in chunks:
        what, mine = f"logits of steps {start} to {end - 1}", case.expect_logits(mine, end - start)
        assert_unchanged(mine, whole[:, start:end], changed=in_chunks, what=what)
        assert_unchanged(theirs, others[:, start:end], changed=f"{in_chunks}, which is its own", what=what)
        between = "nothing: a text without a cache, between two calls with one"
        assert_unchanged(without, others, changed=between, what="logits")


@exercise("GPT", points=14)
@settings(max_examples=FEW)
@given(case=gpt_cases(lively=False))
def test_rows_of_texts_are_apart_and_left_alone(student, case):
    model = case.model(student)
    before, empty, after = (
        model(case.tokens),
        model(case.tokens, student.KVCache()),
        model.eval()(case.tokens),
    )
    expect_no_probabilities(case.expect_logits(before))
    assert_unchanged(empty, before, changed="nothing: an empty cache", what="logits")
    assert_unchanged(after, before, changed="train() to eval()", because="there is no dropout", what="logits")
    check_batch_independence(model, [case.tokens], row=case.at % len(case.tokens), names=LOGITS)
    check_pure(model, case.tokens, names=("tokens",))
    check_layouts(model, [case.tokens], names=LOGITS)


@exercise("GPT", points=14)
@settings(max_examples=5)
@given(case=gpt_cases(min_steps=3))
def test_gradients_of_a_gpt_and_its_logits_in_any_dtype(student, case):
    model = case.model(student)
    case.expect_logits(model(case.tokens))
    expect_slopes(model, lambda: model(case.tokens), case)
    check_parameter_dtypes(model, lambda: model(case.tokens), what="logits")


@exercise("GPT", points=14)
def test_every_layer_of_a_gpt_has_its_own_weights(student):
    vocab_size, d_model, d_ff, max_len = 5, 16, 24, 4
    expect_layers(
        lambda n: student.GPT(vocab_size, d_model, 2, d_ff, n, max_len),
        4 * d_model**2 + 2 * d_model * d_ff,
        (vocab_size + max_len + 3) * d_model,
        because="each layer is four projections and a feed-forward network of its own",
    )


@exercise("mask_tokens", points=6)
def test_every_token_is_drawn_by_itself_and_random_ids_are_of_the_whole_vocabulary(student):
    """Sound code fails one of the 210 exact tests (7 events in 5 batches, 6 each) 8.4e-7 of the time."""
    alpha, vocab_size, mask_id, token, special_ids = 4e-9, 6, 4, 2, [0, 1]
    results, seed = [], 0
    for p, rows, at_once in ((0.15, 100, 100), (0.7, 100, 100), (1.0, 100, 100), (0.5, 40, 1), (1.0, 40, 1)):
        tokens = torch.full((rows, 2 * rows), token)
        tokens[:, 0] = special_ids[0]
        calls = []
        for part in tokens.split(at_once):
            seed += 1
            drawn = student.mask_tokens(part.clone(), mask_id, vocab_size, special_ids, p, generator(seed))
            calls.append(drawn)
        results.append((p, at_once, tokens, calls))
    by_chance = 0.1 / vocab_size
    for p, at_once, tokens, calls in results:
        pairs = [expect_outputs(call, ("inputs", "labels")) for call in calls]
        inputs, labels = (assert_like(torch.cat(x), tokens)[:, 1:] for x in zip(*pairs, strict=True))
        note(inputs, "inputs")
        chosen = labels == token
        events = [
            ("chosen", chosen, p),
            ("chosen and masked", chosen & (inputs == mask_id), p * (0.8 + by_chance)),
            ("chosen and kept", chosen & (inputs == token), p * (0.1 + by_chance)),
        ]
        for v in sorted({*range(vocab_size)} - {mask_id, token}):
            events.append((f"of id {token} that became {v}", inputs == v, p * by_chance))
        for what, landed, share in events:
            expect_coins(landed, share, f"{what} (p={p:g}, rows in a call: {at_once})", alpha)


@exercise("mask_tokens", points=6)
@settings(max_examples=FEW)
@given(case=masking_cases())
def test_tokens_to_mask_are_left_alone_however_they_lie(student, case):
    def masked(tokens):
        return student.mask_tokens(*case.arguments(tokens), generator(case.seed))

    check_pure(masked, case.tokens, names=("tokens",))
    transposed, sliced = case.tokens.mT.contiguous().mT, torch.stack([case.tokens] * 2, dim=2)[..., 0]
    for got in [masked(tokens) for tokens in (transposed, sliced)]:
        case.expect_masked(got)


@exercise("shift_right", points=2)
@given(tokens=targets(), bos=st.integers(0, 9))
def test_every_target_moves_by_one_step(student, tokens, bos):
    for dtype in (torch.int64, torch.int32):
        expected = torch.full_like(tokens, bos, dtype=dtype)
        expected[:, 1:] = tokens[:, :-1]
        got = student.shift_right(tokens.to(dtype, copy=True), bos)
        note(got)
        assert_close(got, expected, dims="batch time", because=f"tokens are {dtype}")


@exercise("shift_right", points=2)
@given(tokens=targets())
def test_targets_are_left_alone_however_they_lie(student, tokens):
    check_pure(lambda x: student.shift_right(x, 1), tokens, names=("tokens",))
    check_layouts(lambda x: student.shift_right(x, 1), [tokens])


def expect_slopes(model, call, case):
    """Gradients by parameters are slopes, and every weight of a layer has a part in the logits."""
    shapes = {name: p.shape for name, p in model.named_parameters()}
    for name, grad in check_parameter_slopes(model, call, what="logits", rtol=1e-4).items():
        # What has no more than d_model numbers may be the bias of keys, which softmax takes away again, in
        # whatever shape; positions may be of another kind.
        if grad.numel() > case.d_model and case.max_len not in shapes[name] and not (grad.abs() > SEEN).any():
            raise CheckFailure(
                ("wrong", f"{name} has no part in the logits"),
                ("expected", "a gradient"),
                ("got", "zeros"),
                because="every layer and sub-layer is computed",
            )
