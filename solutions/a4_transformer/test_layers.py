"""Hidden checks of layers.py."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings

from assignments.a4_transformer.cases import feed_forward_cases, matrix_shape, norm_cases
from autograder.checks import (
    assert_close,
    check_batch_independence,
    check_dtype_and_device,
    check_gradients,
    check_layouts,
    check_pure,
    exercise,
    gradients,
    leaf,
)
from autograder.checks.strategies import tensors
from solutions.a4_transformer import oracles

FEW = 10  # each makes a module


@exercise("gelu", points=3)
@given(small=tensors((2, 1, 5)), large=tensors((4,), scale=1000.0))
def test_values_and_gradients_are_those_of_the_exact_gelu_however_large(student, small, large):
    for x in (small, large):
        assert_close(student.gelu(x), F.gelu(x), what="gelu(x)", terms=1)
        check_gradients(student.gelu, [x], F.gelu, names=("x",))


@exercise("gelu", points=3)
@given(x=tensors((3, 4)))
def test_gelu_of_any_dtype_and_memory_layout_with_its_input_left_alone(student, x):
    check_layouts(student.gelu, [x])
    check_pure(student.gelu, x, names=("x",))
    check_dtype_and_device(student.gelu, [x])


@exercise("LayerNorm", points=5)
@settings(max_examples=FEW)
@given(case=norm_cases())
def test_gradients_of_x_weight_and_bias_are_those_of_pytorchs_layer_norm(student, case):
    module, eps = case.module(student), 1e-5 if case.eps is None else case.eps
    library = torch.nn.LayerNorm(len(case.weight), eps=eps, dtype=torch.float64)
    library.load_state_dict({"weight": case.weight, "bias": case.bias})
    check_gradients(module, [case.x], library, names=("x",), modules=(module, library))


@exercise("LayerNorm", points=5)
@settings(max_examples=FEW)
@given(case=norm_cases(whole=True))
def test_tokens_apart_in_any_dtype_and_memory_layout_with_x_left_alone(student, case):
    module = case.module(student)
    check_layouts(module, [case.x])
    check_pure(module, case.x, names=("x",))
    if case.x.ndim > 1:
        check_batch_independence(module, [case.x])
    check_dtype_and_device(lambda x: module.to(x.dtype)(x), [case.x])


@exercise("FeedForward", points=4)
@settings(max_examples=FEW)
@given(case=feed_forward_cases())
def test_values_and_gradients_of_two_layers_with_a_gelu_between(student, case):
    module, x = case.module(student), leaf(case.x)
    mine = case.parameters(module)
    theirs = {name: leaf(p.reshape(matrix_shape(p))) for name, p in mine.items()}
    result = module(x)
    expected = oracles.feed_forward(case.x, theirs)
    assert_close(result, expected, because="y = w_2 gelu(w_1 x + b_1) + b_2", dims="batch time d_model")
    right_x = leaf(case.x)
    right = gradients(oracles.feed_forward(right_x, theirs), [right_x, *theirs.values()])
    for name, got, grad in zip(("x", *mine), gradients(result, [x, *mine.values()]), right, strict=True):
        assert_close(got.reshape(grad.shape), grad, what=f"gradient of {name}")


@exercise("FeedForward", points=4)
@settings(max_examples=FEW)
@given(case=feed_forward_cases())
def test_feed_forward_in_any_dtype_and_memory_layout_with_x_left_alone(student, case):
    module = case.module(student)
    check_layouts(module, [case.x])
    check_pure(module, case.x, names=("x",))
    check_dtype_and_device(lambda x: module.to(x.dtype)(x), [case.x], terms=16)
