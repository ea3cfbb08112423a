"""Hidden checks of attention.py."""

import torch
from hypothesis import given

from assignments.a3_attention.cases import (
    additive_cases,
    attention_cases,
    hard_cases,
    local_cases,
    luong_cases,
    softmax_cases,
)
from autograder.checks import (
    CheckFailure,
    assert_close,
    assert_like,
    check_cost_growth,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    describe_values,
    exercise,
    expect_tuple,
    fresh,
    generator,
    gradients,
    leaf,
    weights_like,
)
from autograder.checks.strategies import tensor_from
from solutions.a3_attention import oracles

OUTPUT = ("output", "weights")
CONTEXT = ("context", "weights")
DRAW = ("context", "log_prob")
ROWS = "a row of a batch has nothing to do with the others"


def assert_both(result, expected, names, dims):
    for got, right, name, dim in zip(expect_tuple(result, 2, names), expected, names, dims, strict=True):
        assert_close(got, right, what=name, dims=dim)


@exercise("masked_softmax", points=10)
@given(case=softmax_cases(scale=4e3))
def test_it_is_the_softmax_of_the_kept_scores_however_large(student, case):
    expected = oracles.softmax_of_kept(case.scores, case.mask, case.dim)
    assert_close(student.masked_softmax(case.scores, case.mask, case.dim), expected, what="weights")


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_its_gradient_is_right_and_never_nan(student, case):
    check_gradients(
        lambda scores: student.masked_softmax(scores, case.mask, case.dim),
        [case.scores],
        lambda scores: oracles.softmax_of_kept(scores, case.mask, case.dim),
        names=("scores",),
    )


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_weights_have_the_dtype_and_device_of_the_scores(student, case):
    check_dtype_and_device(
        lambda scores: student.masked_softmax(scores, case.mask, case.dim), [case.scores], names=("weights",)
    )


@exercise("masked_softmax", points=10)
@given(case=softmax_cases())
def test_scores_and_mask_lie_in_memory_as_they_like_and_are_left_alone(student, case):
    def weights(scores, mask):
        return student.masked_softmax(scores, mask, case.dim)

    check_layouts(weights, [case.scores, case.mask], names=("weights",))
    check_pure(weights, case.scores, case.mask, names=("scores", "mask"))


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_masks_of_every_form_that_broadcasts(student, case):
    result = student.scaled_dot_product_attention(case.q, case.k, case.v, case.mask)
    batch = " ".join(f"batch_{i}" for i in range(case.q.ndim - 2))
    dims = (f"{batch} queries d_v", f"{batch} queries keys")
    assert_both(result, oracles.attend(case.q, case.k, case.v, case.mask), OUTPUT, dims)


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_gradients_of_queries_keys_and_values(student, case):
    check_gradients(
        lambda q, k, v: student.scaled_dot_product_attention(q, k, v, case.mask),
        [case.q, case.k, case.v],
        lambda q, k, v: oracles.attend(q, k, v, case.mask),
        names=("q", "k", "v"),
    )


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True))
def test_attention_in_any_dtype(student, case):
    check_dtype_and_device(
        lambda q, k, v: student.scaled_dot_product_attention(q, k, v, case.mask),
        [case.q, case.k, case.v],
        names=OUTPUT,
    )


@exercise("scaled_dot_product_attention", points=12)
@given(case=attention_cases(with_mask=True, max_batch_dims=1))
def test_attention_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    def attention(q, k, v, mask):
        return student.scaled_dot_product_attention(q, k, v, mask)

    inputs = case.q, case.k, case.v, case.keep
    check_layouts(lambda q, k, v: attention(q, k, v, case.mask), inputs[:3], names=OUTPUT)
    check_pure(attention, *inputs, names=("q", "k", "v", "mask"))


@exercise("additive_attention", points=8)
@given(case=additive_cases(with_mask=True))
def test_additive_attention_of_every_key(student, case):
    expected = oracles.attend_additively(*case.inputs, case.mask)
    dims = ("batch key_size", "batch keys")
    assert_both(student.additive_attention(*case.inputs, case.mask), expected, CONTEXT, dims)


@exercise("additive_attention", points=8)
@given(case=additive_cases(with_mask=True))
def test_gradients_of_query_keys_and_all_weights(student, case):
    check_gradients(
        lambda *inputs: student.additive_attention(*inputs, case.mask),
        case.inputs,
        lambda *inputs: oracles.attend_additively(*inputs, case.mask),
        names=("query", "keys", "w_q", "w_k", "v"),
    )


@exercise("additive_attention", points=8)
@given(case=additive_cases(with_mask=True))
def test_additive_attention_in_any_dtype(student, case):
    check_dtype_and_device(
        lambda *inputs: student.additive_attention(*inputs, case.mask), case.inputs, names=CONTEXT, terms=9
    )


@exercise("additive_attention", points=8)
@given(case=additive_cases(with_mask=True))
def test_additive_attention_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    check_layouts(
        lambda query, keys: student.additive_attention(query, keys, *case.inputs[2:], case.mask),
        case.inputs[:2],
        names=CONTEXT,
    )
    names = ("query", "keys", "w_q", "w_k", "v", "mask")
    check_pure(student.additive_attention, *case.inputs, case.mask, names=names)


@exercise("additive_attention", points=8)
def test_additive_attention_costs_in_proportion_to_the_rows(student):
    def batch(rows):
        shapes = ((rows, 3), (rows, 3, 4), (2, 3), (2, 4), (2,))
        return [tensor_from(seed, shape) for seed, shape in enumerate(shapes, 1)]

    check_cost_growth(student.additive_attention, batch, 16, 256, of="rows", because=ROWS)


@exercise("luong_scores", points=7)
@given(case=luong_cases())
def test_scores_of_every_kind(student, case):
    got = student.luong_scores(case.query, case.keys, case.kind, w=case.w, v=case.v)
    expected = oracles.score(case.query, case.keys, case.kind, case.w, case.v)
    assert_close(got, expected, what="scores", dims="batch keys")


@exercise("luong_scores", points=7)
@given(case=luong_cases())
def test_gradients_of_query_keys_and_weights(student, case):
    check_gradients(
        lambda query, keys, w=None, v=None: student.luong_scores(query, keys, case.kind, w=w, v=v),
        case.inputs,
        lambda query, keys, w=None, v=None: oracles.score(query, keys, case.kind, w, v),
        names=case.names,
    )


@exercise("luong_scores", points=7)
@given(case=luong_cases())
def test_scores_in_any_dtype(student, case):
    check_dtype_and_device(
        lambda query, keys, w=None, v=None: student.luong_scores(query, keys, case.kind, w=w, v=v),
        case.inputs,
        names=("scores",),
        terms=9,
    )


@exercise("luong_scores", points=7)
@given(case=luong_cases())
def test_scores_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    check_layouts(
        lambda query, keys: student.luong_scores(query, keys, case.kind, w=case.w, v=case.v),
        [case.query, case.keys],
        names=("scores",),
    )
    check_pure(
        lambda query, keys, w=None, v=None: student.luong_scores(query, keys, case.kind, w=w, v=v),
        *case.inputs,
        names=case.names,
    )


@exercise("luong_scores", points=7)
def test_scores_cost_in_proportion_to_the_rows(student):
    weights = {"dot": (), "general": ((3, 3),), "concat": ((2, 6), (2,))}
    for kind, shapes in weights.items():

        def batch(rows, kind=kind, shapes=shapes):
            query, keys, *own = (
                tensor_from(seed, shape) for seed, shape in enumerate(((rows, 3), (rows, 4, 3), *shapes), 1)
            )
            return query, keys, kind, *own

        check_cost_growth(student.luong_scores, batch, 16, 256, of=f"rows ({kind})", because=ROWS)


@exercise("local_attention", points=9)
@given(case=local_cases(with_mask=True))
def test_local_attention_around_any_centre(student, case):
    got = student.local_attention(case.query, case.keys, case.centre, case.window, case.mask)
    expected = oracles.attend_locally(case.query, case.keys, case.centre, case.window, case.keep)
    assert_both(got, expected, CONTEXT, ("batch d", "batch keys"))


@exercise("local_attention", points=9)
@given(case=local_cases(float_centre=True))
def test_gradients_of_query_keys_and_centre(student, case):
    check_gradients(
        lambda query, keys, centre: student.local_attention(query, keys, centre, case.window),
        [case.query, case.keys, case.centre],
        lambda query, keys, centre: oracles.attend_locally(query, keys, centre, case.window, case.keep),
        names=("query", "keys", "centre"),
    )


@exercise("local_attention", points=9)
@given(case=local_cases(with_mask=True))
def test_local_attention_in_any_dtype(student, case):
    check_dtype_and_device(
        lambda query, keys, centre: student.local_attention(query, keys, centre, case.window, case.mask),
        [case.query, case.keys, case.centre],
        names=CONTEXT,
        terms=9,
    )


@exercise("local_attention", points=9)
@given(case=local_cases())
def test_local_attention_of_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    def local(query, keys, centre):
        return student.local_attention(query, keys, centre, case.window)

    check_layouts(local, [case.query, case.keys, case.centre], names=CONTEXT)
    check_pure(local, case.query, case.keys, case.centre, names=("query", "keys", "centre"))


def drawn_keys(weights, values, result, because=None):
    """The key that each row of `result` drew; fails where the context is none, or one of weight 0."""
    context, log_prob = expect_tuple(result, 2, DRAW)
    assert_like(context, values[:, 0], what="context", because=because, dims="batch d")
    assert_like(log_prob, weights[:, 0], what="log_prob", because=because, dims="batch")
    index = []
    for row, (got, row_values, row_weights) in enumerate(zip(context.detach(), values, weights, strict=True)):
        found = (row_values == got).all(1)
        if not found.any() or row_weights[found] == 0:
            raise CheckFailure(
                ("wrong", f"context[{row}] is not a value that can be drawn"),
                ("expected", "one of the row's values, of a key with a weight above 0"),
                (
                    "got",
                    f"{describe_values(got)}, "
                    + (
                        f"the value of key {int(found.int().argmax())}, whose weight is 0"
                        if found.any()
                        else "which is the value of no key"
                    ),
                ),
            )
        index.append(int(found.int().argmax()))
    return torch.tensor(index)


@exercise("hard_attention", points=8)
@given(case=hard_cases())
def test_the_context_is_one_value_and_log_prob_the_log_of_its_weight(student, case):
    result = student.hard_attention(case.weights, case.values, generator(case.seed))
    index = drawn_keys(case.weights, case.values, result)
    expected = case.weights.gather(1, index[:, None]).squeeze(1).log()
    assert_close(result[1], expected, what="log_prob", because="it is the log of the weight of the key drawn")


@exercise("hard_attention", points=8)
@given(case=hard_cases())
def test_log_prob_is_differentiable_in_the_weights_and_context_in_the_values(student, case):
    weights, values = leaf(case.weights), leaf(case.values)
    result = student.hard_attention(weights, values, generator(case.seed))
    index = drawn_keys(case.weights, case.values, result)
    got = gradients(result, (weights, values))
    rows = torch.arange(len(index))
    expected = torch.zeros_like(case.weights), torch.zeros_like(case.values)
    expected[0][rows, index] = weights_like(result[1], 1) / case.weights[rows, index]
    expected[1][rows, index] = weights_like(result[0], 0)
    because = f"the keys drawn were {index.tolist()}"
    for name, mine, right in zip(("weights", "values"), got, expected, strict=True):
        assert_close(mine, right, what=f"gradient of {name}", because=because)


@exercise("hard_attention", points=8)
@given(case=hard_cases())
def test_draws_in_any_dtype(student, case):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        weights, values = case.weights.to(dtype), case.values.to(dtype)
        result = student.hard_attention(weights, fresh(values), generator(case.seed))
        drawn_keys(weights, values, result, because=f"the inputs are {dtype}")


@exercise("hard_attention", points=8)
@given(case=hard_cases(one_hot=True))
def test_draws_from_inputs_in_any_memory_layout_that_are_left_alone(student, case):
    # One weight of a row is 1: torch.multinomial itself draws differently where weights lie differently.
    def draw(weights, values):
        return student.hard_attention(weights, values, generator(case.seed))

    check_layouts(draw, [case.weights, case.values], names=DRAW)
    check_pure(draw, case.weights, case.values, names=("weights", "values"))


@exercise("hard_attention", points=8)
def test_a_draw_costs_in_proportion_to_the_rows(student):
    def batch(rows):
        return tensor_from(1, (rows, 3)).softmax(dim=1), tensor_from(2, (rows, 3, 4)), generator(3)

    check_cost_growth(student.hard_attention, batch, 16, 256, of="rows", because=ROWS)
