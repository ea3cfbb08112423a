"""Public checks of blocks.py."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from assignments.a4_transformer.cases import HUGE, LARGE, block_cases, stack_cases
from autograder.checks import (
    CheckFailure,
    assert_close,
    check_causal,
    check_dropout,
    check_ignores,
    check_permutation_equivariance,
    exercise,
    expect_tensor,
    expect_value_error,
    fill_parameters,
    gradients,
    leaves,
    note,
)

FEW = 8  # each makes a module
DIMS = "batch time d_model"
RTOL = 1e-6  # room for another epsilon in the norms, where a token happens to vary little
SET = "attention without a mask takes its keys as a set"


# Here and not in cases.py: that stands among a student's own files, which may not call nn.Transformer*.
def torch_layers(case, with_bias=True):
    """PyTorch's own layers with the weights of the case and a last norm where one is due, as a function.

    Layers all have the same weights, so one serves for all.
    """
    weights, size = case.weights, case.d_model
    layer = (nn.TransformerDecoderLayer if case.decodes else nn.TransformerEncoderLayer)(
        size,
        case.n_heads,
        case.d_ff,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=case.norm_first,
        dtype=torch.float64,
    )
    state = {name: torch.zeros_like(value) for name, value in layer.state_dict().items()}
    look, value = weights.look.expand(2 * size, -1), weights.value.expand(size, -1)
    for attention in ("self_attn", "multihead_attn")[: len(case.inputs)]:
        state[f"{attention}.in_proj_weight"] = torch.cat([look, value])
        state[f"{attention}.out_proj.weight"] = weights.out[:, None].expand(-1, size)
    for i in range(case.norms_a_layer):
        state[f"norm{i + 1}.weight"] = weights.norm
    state["linear1.weight"], state["linear2.weight"] = weights.w_1, weights.w_2
    if with_bias:
        state["linear1.bias"] = weights.b_1
    layer.load_state_dict(state)
    masks = [_left_out(case, *pair) for pair in zip(case.masks, case.inputs, strict=True)]

    def run(*inputs):
        x, *memory = inputs
        for _ in range(case.n_layers):
            x = layer(x, *memory, *masks)
        return norm(case, x) if case.has_last_norm else x

    return run


def _left_out(case, mask, source):
    """PyTorch's masks are True for what is left out, and have one dimension for rows and heads."""
    if mask is None:
        return None
    return ~mask.expand(len(source), case.n_heads, case.x.shape[1], source.shape[1]).flatten(0, 1)


def norm(case, x):
    return F.layer_norm(x, (case.d_model,), case.weights.norm)


def check_equals_pytorch(student, case, by_gradient=False):
    """The output, and with `by_gradient` its slopes, are those of PyTorch's layers with the same weights."""
    module, with_bias = case.pinned(student)
    inputs, theirs = leaves(case.inputs), leaves(case.inputs)
    result = expect_tensor(case.run(module, *inputs))
    expected = torch_layers(case, with_bias)(*theirs)
    because = (
        f"that is nn.Transformer{case.name.removesuffix('Block')}Layer with the same weights"
        f" and norm_first={case.norm_first}"
    )
    assert_close(result, expected.detach(), because=because, dims=DIMS, rtol=RTOL)
    if by_gradient:
        pairs = zip(gradients(result, inputs), gradients(expected, theirs), strict=True)
        for name, (got, right) in zip(case.input_names, pairs, strict=True):
            assert_close(got, right, what=f"gradient of {name}", because=because, dims=DIMS, rtol=RTOL)


def check_residuals_and_norms(student, case):
    """Attention and feed-forward network give 0 where all weights but the norms' are 0."""
    result = case.run(case.cleared(student))
    expected, norms = case.x, case.n_layers * case.norms_a_layer
    if case.norm_first:
        norms = int(case.has_last_norm)
        because = "x + f(LN(x)) is x where f is 0" + (
            ", and one norm follows the last layer" if norms else ""
        )
    else:
        because = f"LN(x + f(x)) is LN(x) where f is 0, and there are {norms} of these"
    for _ in range(norms):
        expected = norm(case, expected)
    because = f"all weights but the norms' are 0 and norm_first={case.norm_first}: {because}"
    assert_close(result, expected, because=because, dims=DIMS)


def check_causal_mask(student, case):
    """What comes after a step is hidden from it, however large it is."""
    module = case.module(student)
    size = torch.where(torch.arange(case.x.shape[1]) < case.at, 1.0, HUGE).double()[:, None]
    check_causal(
        lambda x: case.run(module, x * size, *case.inputs[1:]),
        case.x,
        at=case.at,
        because="the mask is causal",
    )


def check_padding(student, case, of):
    """Padding of x or memory, which a mask hides from all queries, cannot matter, however large it is."""
    module, place = case.module(student), case.input_names.index(of)
    real = case.masks[place][:, 0, 0]
    size = torch.where(real, 1.0, HUGE).double()[:, :, None]

    def run(padded):
        inputs = list(case.inputs)
        inputs[place] = padded * size
        return case.run(module, *inputs)

    check_ignores(
        run,
        [case.inputs[place]],
        [~real],
        changed=f"{of} on padding, which the mask hides from all queries",
        because="what is masked out is not attended to, whatever its size",
        keep=[real if of == "x" else None],
        not_finite=False,
    )


def check_own_weights(student, case):
    """As many numbers take part as there are in the weights of all sub-layers, and in their norms."""
    module = case.make(student)
    parts = case.parts(module)
    fill_parameters(module, case.seed, scale=0.5)
    result = expect_tensor(case.run(module))
    note(result)
    matrices = [*parts.attention, *parts.w_1, *parts.w_2]
    grads = gradients(result, [*matrices, *parts.norms])
    rows = [row for grad in grads[: len(matrices)] for row in grad.flatten(0, -2)]
    size, attentions = case.d_model, case.norms_a_layer - 1
    layers = f"{case.n_layers} layer{'s' * (case.n_layers > 1)} of "
    for what, got, expected, text in (
        (
            "weight matrices",
            sum(len(row) for row in rows if row.any()),
            case.n_layers * (4 * attentions * size**2 + 2 * size * case.d_ff),
            f"{attentions} times 4 · d_model² for attention and 2 · d_model · d_ff for the network",
        ),
        (
            "weights of norms",
            size * sum(bool(grad.any()) for grad in grads[len(matrices) :]),
            size * (case.n_layers * case.norms_a_layer + case.has_last_norm),
            f"{case.norms_a_layer} times d_model" + ", and d_model for the last norm" * case.has_last_norm,
        ),
    ):
        if got != expected:
            raise CheckFailure(
                ("wrong", f"{got} numbers in {what} take part in the result"),
                ("expected", f"{expected}: {layers}{text}"),
                because="each layer and sub-layer has its own weights and its own norm",
            )


def check_block_dropout(student, case):
    module = case.module(student)
    check_dropout(module, lambda: case.run(module))


def check_heads(student, name, sizes):
    d_model, n_heads = sizes
    expect_value_error(lambda: getattr(student, name)(d_model, n_heads, 8), "n_heads", n_heads)


WHOLE = {"min_steps": 2, "lively": True}
INDIVISIBLE = st.sampled_from(((6, 4), (7, 3), (2, 5), (8, 3)))


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock", scale=LARGE))
def test_without_weights_only_residuals_and_norms_are_left(student, case):
    check_residuals_and_norms(student, case)


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock", scale=LARGE, mask="some"))
def test_it_is_pytorchs_encoder_layer(student, case):
    check_equals_pytorch(student, case)


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock"))
def test_without_a_mask_the_order_of_the_tokens_means_nothing(student, case):
    module = case.module(student)
    check_permutation_equivariance(lambda x: case.run(module, x), case.x, dim=1, perm=case.perm, because=SET)


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock", mask="causal", min_steps=2))
def test_under_a_causal_mask_no_token_sees_a_later_one(student, case):
    check_causal_mask(student, case)


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock", **WHOLE))
def test_each_sub_layer_of_an_encoder_block_has_weights_and_a_norm_of_its_own(student, case):
    check_own_weights(student, case)


@exercise("EncoderBlock", points=8)
@settings(max_examples=4)
@given(case=block_cases("EncoderBlock", dropout=0.5, min_steps=3))
def test_dropout_of_an_encoder_block_is_random_in_training_only(student, case):
    check_block_dropout(student, case)


@exercise("EncoderBlock", points=8)
@settings(max_examples=4)
@given(sizes=INDIVISIBLE)
def test_an_encoder_block_refuses_heads_that_do_not_divide_the_size(student, sizes):
    check_heads(student, "EncoderBlock", sizes)


@exercise("DecoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("DecoderBlock", scale=LARGE))
def test_without_weights_a_decoder_block_is_residuals_and_norms(student, case):
    check_residuals_and_norms(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=2 * FEW)
@given(case=block_cases("DecoderBlock", scale=LARGE, mask="some", memory_mask="some"))
def test_it_is_pytorchs_decoder_layer(student, case):
    check_equals_pytorch(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("DecoderBlock", mask="causal", min_steps=2))
def test_under_a_causal_self_mask_no_token_sees_a_later_one(student, case):
    check_causal_mask(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("DecoderBlock", memory_mask="padding", min_steps=2))
def test_memory_that_is_masked_out_cannot_matter(student, case):
    check_padding(student, case, of="memory")


@exercise("DecoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("DecoderBlock", **WHOLE))
def test_each_sub_layer_of_a_decoder_block_has_weights_and_a_norm_of_its_own(student, case):
    check_own_weights(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=4)
@given(case=block_cases("DecoderBlock", dropout=0.5, min_steps=3))
def test_dropout_of_a_decoder_block_is_random_in_training_only(student, case):
    check_block_dropout(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=4)
@given(sizes=INDIVISIBLE)
def test_a_decoder_block_refuses_heads_that_do_not_divide_the_size(student, sizes):
    check_heads(student, "DecoderBlock", sizes)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder", scale=LARGE))
def test_without_weights_an_encoder_is_residuals_and_norms(student, case):
    check_residuals_and_norms(student, case)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder", scale=LARGE, mask="some"))
def test_it_is_a_stack_of_pytorchs_encoder_layers(student, case):
    check_equals_pytorch(student, case)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder"))
def test_without_positions_and_mask_the_order_of_the_tokens_means_nothing(student, case):
    module = case.module(student)
    check_permutation_equivariance(lambda x: case.run(module, x), case.x, dim=1, perm=case.perm, because=SET)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder", **WHOLE))
def test_each_layer_of_an_encoder_has_weights_and_norms_of_its_own(student, case):
    check_own_weights(student, case)


@exercise("Encoder", points=5)
@settings(max_examples=4)
@given(case=stack_cases("Encoder", dropout=0.5, min_steps=3))
def test_dropout_of_an_encoder_is_random_in_training_only(student, case):
    check_block_dropout(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Decoder", scale=LARGE))
def test_without_weights_a_decoder_is_residuals_and_norms(student, case):
    check_residuals_and_norms(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=2 * FEW)
@given(case=stack_cases("Decoder", scale=LARGE, mask="some", memory_mask="some"))
def test_it_is_a_stack_of_pytorchs_decoder_layers(student, case):
    check_equals_pytorch(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Decoder", mask="causal", min_steps=2))
def test_under_a_causal_self_mask_no_layer_sees_a_later_token(student, case):
    check_causal_mask(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Decoder", **WHOLE))
def test_each_layer_of_a_decoder_has_weights_and_norms_of_its_own(student, case):
    check_own_weights(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=4)
@given(case=stack_cases("Decoder", dropout=0.5, min_steps=3))
def test_dropout_of_a_decoder_is_random_in_training_only(student, case):
    check_block_dropout(student, case)
