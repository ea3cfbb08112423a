"""Public checks of attention.py."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from assignments.a3_attention.cases import (
    additive_cases,
    attention_cases,
    hard_cases,
    local_cases,
    luong_cases,
    softmax_cases,
)
from autograder.checks import (
    assert_close,
    assert_unchanged,
    assert_zero,
    check_deterministic_under_generator,
    check_gradients,
    check_ignores,
    check_permutation_invariance,
    exercise,
    expect_tuple,
    expect_value_error,
    generator,
)
from autograder.checks.strategies import seeds, tensor_from

OUTPUT = ("output", "weights")
CONTEXT = ("context", "weights")


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_without_a_mask_it_is_the_plain_softmax(student, case):
    assert_close(student.masked_softmax(case.scores, dim=case.dim), case.scores.softmax(case.dim))
    check_gradients(
        lambda scores: student.masked_softmax(scores, dim=case.dim),
        [case.scores],
        lambda scores: scores.softmax(case.dim),
        names=("scores",),
    )


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_kept_entries_share_out_one_and_masked_ones_get_nothing(student, case):
    weights = student.masked_softmax(case.scores, case.mask, case.dim)
    assert_close(weights, case.scores.new_zeros(case.scores.shape) + weights, what="weights")
    assert_zero(weights, where=~case.keep, what="weights", because="they are masked out")
    assert_close(
        weights.sum(case.dim),
        case.keep.any(case.dim).to(case.scores.dtype),
        what=f"sum of weights along dim={case.dim}",
        because="they sum to 1, or to 0 where nothing is kept",
    )


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_masked_scores_cannot_change_the_weights(student, case):
    check_ignores(
        lambda scores: student.masked_softmax(scores, case.mask, case.dim),
        [case.scores],
        [~case.keep],
        changed="scores that are masked out",
        because="the softmax is over kept entries",
        names=("weights",),
    )


@exercise("masked_softmax", points=10)
@given(case=softmax_cases(), shift=st.sampled_from((1e4, -1e4)))
def test_a_constant_added_to_all_scores_changes_nothing(student, case, shift):
    before = student.masked_softmax(case.scores, case.mask, case.dim)
    after = student.masked_softmax(case.scores + shift, case.mask, case.dim)
    assert_unchanged(after, before, changed=f"{shift:+g} on every score", because="it cancels in the ratio")


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases())
def test_without_a_mask_it_is_the_attention_of_pytorch(student, case):
    result = expect_tuple(student.scaled_dot_product_attention(case.q, case.k, case.v), 2, OUTPUT)
    for got, expected, name, dim in zip(result, case.library, OUTPUT, ("d_v", "keys"), strict=True):
        batch = " ".join(f"batch_{i}" for i in range(case.q.ndim - 2))
        assert_close(got, expected, what=name, dims=f"{batch} queries {dim}")


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_kept_keys_share_out_one_and_a_query_that_keeps_none_gets_zeros(student, case):
    output, weights = expect_tuple(
        student.scaled_dot_product_attention(case.q, case.k, case.v, case.mask), 2, OUTPUT
    )
    assert_close(weights, case.q.new_zeros(case.keep.shape) + weights, what="weights")
    assert_zero(weights, where=~case.keep, what="weights", because="these keys are masked out")
    assert_close(weights.sum(-1), (~case.lonely).double(), what="sum of weights over the keys")
    assert_zero(output, where=case.lonely.unsqueeze(-1), because="this query may attend to nothing")


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_a_key_masked_for_a_query_cannot_affect_it_whatever_others_see(student, case):
    hidden = ~case.keep[..., case.at, :]
    this_query = torch.zeros(case.q.shape[:-1], dtype=torch.bool)
    this_query[..., case.at] = True
    check_ignores(
        lambda k, v: student.scaled_dot_product_attention(case.q, k, v, case.mask),
        [case.k, case.v],
        [hidden, hidden],
        changed=f"keys and values that query {case.at} may not attend to",
        because=f"only what query {case.at} gets is compared",
        names=OUTPUT,
        keep=[this_query, this_query],
    )


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_the_order_of_keys_with_their_values_does_not_matter(student, case):
    check_permutation_invariance(
        lambda k, v, mask: student.scaled_dot_product_attention(case.q, k, v, mask)[0],
        [case.k, case.v, case.keep],
        dims=(-2, -2, -1),
        perm=case.perm,
        because="attention looks up by content: keys, values and mask were reordered together",
    )


@exercise("additive_attention", points=8)
def test_a_score_of_zero_against_one_of_log_three(student):
    one = torch.ones(1, 1, dtype=torch.float64)
    keys = torch.tensor([[[-1.0], [0.0]]], dtype=torch.float64)  # q + k is 0 and 1
    v = torch.tensor([math.log(3) / math.tanh(1)], dtype=torch.float64)
    context, weights = expect_tuple(student.additive_attention(one, keys, one, one, v), 2, CONTEXT)
    assert_close(
        weights, torch.tensor([[0.25, 0.75]], dtype=torch.float64), what="weights", dims="batch keys"
    )
    assert_close(context, torch.tensor([[-0.25]], dtype=torch.float64), what="context", dims="batch key_size")


@exercise("additive_attention", points=8)
@given(case=additive_cases(with_mask=True))
def test_masked_keys_cannot_change_context_or_weights(student, case):
    check_ignores(
        lambda keys: student.additive_attention(case.query, keys, case.w_q, case.w_k, case.v, case.mask),
        [case.keys],
        [~case.mask.expand(case.keys.shape[:2])],
        changed="keys that are masked out",
        because="the softmax is over kept keys",
        names=CONTEXT,
    )


@exercise("additive_attention", points=8)
@given(case=additive_cases())
def test_the_order_of_the_keys_does_not_matter_to_the_context(student, case):
    check_permutation_invariance(
        lambda keys: student.additive_attention(case.query, keys, case.w_q, case.w_k, case.v)[0],
        [case.keys],
        dims=(1,),
        perm=case.perm,
        because="the context is a sum over the keys",
    )


@exercise("luong_scores", points=7)
@given(case=luong_cases(kinds=("dot",)))
def test_dot_is_the_plain_inner_product(student, case):
    expected = torch.linalg.vecdot(case.keys, case.query.unsqueeze(1))
    assert_close(student.luong_scores(case.query, case.keys, "dot"), expected, dims="batch keys")


@exercise("luong_scores", points=7)
@given(case=luong_cases(kinds=("general",)))
def test_general_reads_w_row_by_query_and_column_by_key(student, case):
    rows, columns = case.w.shape
    unit_queries = torch.eye(rows, dtype=case.w.dtype)
    unit_keys = torch.eye(columns, dtype=case.w.dtype).repeat(rows, 1, 1)
    scores = student.luong_scores(unit_queries, unit_keys, "general", w=case.w)
    assert_close(scores, case.w, because="the score of unit vectors i and j is w[i, j]", dims="batch keys")


@exercise("luong_scores", points=7)
@given(case=luong_cases(kinds=("concat",)))
def test_concat_reads_the_query_by_the_first_columns_of_w(student, case):
    without_query = case.w.clone()
    without_query[:, : case.query.shape[1]] = 0
    before = student.luong_scores(case.query, case.keys, "concat", w=without_query, v=case.v)
    after = student.luong_scores(2 * case.query + 1, case.keys, "concat", w=without_query, v=case.v)
    assert_unchanged(after, before, changed="the query", because="the columns of w that belong to it are 0")


@exercise("luong_scores", points=7)
@given(kind=st.sampled_from(("cosine", "Dot", "generalised", "concatenation")))
def test_an_unknown_kind_is_refused(student, kind):
    query, keys = torch.ones(1, 2), torch.ones(1, 3, 2)
    expect_value_error(lambda: student.luong_scores(query, keys, kind), "kind", kind)


@exercise("local_attention", points=9)
def test_equal_scores_leave_only_the_gaussian(student):
    query = torch.zeros(1, 1, dtype=torch.float64)
    keys = torch.tensor([[[1.0], [0.0], [0.0], [0.0], [0.0], [5.0]]], dtype=torch.float64)
    centre = torch.tensor([2.0], dtype=torch.float64)
    context, weights = expect_tuple(student.local_attention(query, keys, centre, 2.0), 2, CONTEXT)
    near, far = math.exp(-0.5), math.exp(-2.0)
    expected = torch.tensor([[far, near, 1.0, near, far, 0.0]], dtype=torch.float64) / 5
    because = "five equal keys lie in the window, and σ = 1"
    assert_close(weights, expected, what="weights", because=because, dims="batch keys")
    assert_close(context, expected[:, :1], what="context", because=because, dims="batch d")


@exercise("local_attention", points=9)
@given(case=local_cases(with_mask=True))
def test_keys_outside_the_window_or_masked_cannot_matter(student, case):
    def attend(keys):
        return student.local_attention(case.query, keys, case.centre, case.window, case.mask)

    check_ignores(
        attend,
        [case.keys],
        [~case.keep],
        changed="keys outside the window or masked out",
        because="only keys s with abs(s - centre) <= window are kept",
        names=CONTEXT,
        not_finite=False,
    )
    if case.mask is not None:
        check_ignores(
            attend,
            [case.keys],
            [~case.mask.expand(case.keys.shape[:2])],
            changed="keys that are masked out",
            because="what is masked out cannot matter",
            names=CONTEXT,
            gradient=False,
        )


@exercise("local_attention", points=9)
@given(case=local_cases(with_mask=True))
def test_a_huge_window_is_plain_attention(student, case):
    context, _ = expect_tuple(student.local_attention(case.query, case.keys, case.centre, 1e9), 2, CONTEXT)
    scores = torch.linalg.vecdot(case.keys, case.query.unsqueeze(1))
    expected = torch.linalg.vecdot(case.keys.mT, scores.softmax(1).unsqueeze(1))
    assert_close(context, expected, what="context", because="the Gaussian is 1 everywhere", dims="batch d")


@exercise("local_attention", points=9)
@given(window=st.sampled_from((0, -1, -0.5)))
def test_a_window_that_is_not_positive_is_refused(student, window):
    query, keys, centre = torch.ones(1, 2), torch.ones(1, 3, 2), torch.ones(1)
    expect_value_error(lambda: student.local_attention(query, keys, centre, window), "window", window)


@exercise("hard_attention", points=8)
@given(seed=seeds())
def test_the_generator_decides_and_nothing_else(student, seed):
    weights = torch.full((6, 5), 0.2, dtype=torch.float64)
    values = torch.arange(60, dtype=torch.float64).reshape(6, 5, 2)
    check_deterministic_under_generator(
        lambda draw: student.hard_attention(weights, values, draw),
        seed,
        varies=True,
        names=("context", "log_prob"),
    )


@exercise("hard_attention", points=8)
@given(case=hard_cases(one_hot=True))
def test_a_certain_key_is_drawn_for_certain(student, case):
    names = ("context", "log_prob")
    context, log_prob = expect_tuple(
        student.hard_attention(case.weights, case.values, generator(case.seed)), 2, names
    )
    because = "one weight of the row is 1 and all others are 0"
    assert_close(context, case.values[case.weights == 1], what="context", because=because, dims="batch d")
    assert_close(log_prob, case.weights.new_zeros(len(case.weights)), what="log_prob", because=because)


@exercise("hard_attention", points=8)
@given(seed=seeds())
def test_keys_are_drawn_as_often_as_their_weights_say(student, seed):
    rows = 2000
    weights = tensor_from(seed + 1, (4,)).softmax(0)
    values = torch.eye(4, dtype=torch.float64).repeat(rows, 1, 1)
    context, _ = expect_tuple(
        student.hard_attention(weights.repeat(rows, 1), values, generator(seed)), 2, ("context", "log_prob")
    )
    # Six standard deviations of a binomial share: a sound sampler misses once in 10^8 draws or less.
    spread = float((6 * (weights * (1 - weights) / rows).sqrt()).max())
    because = f"{rows} rows with the same weights are {rows} independent draws"
    assert_close(context.mean(0), weights, what="share of draws", because=because, rtol=0, atol=spread)
