"""Hidden checks of blocks.py."""

from hypothesis import given, settings

from assignments.a4_transformer.cases import LARGE, SEVERAL, WIDE, block_cases, stack_cases
from assignments.a4_transformer.test_blocks import (
    check_equals_pytorch,
    check_padding,
)
from autograder.checks import (
    check_batch_independence,
    check_dtype_and_device,
    check_layouts,
    check_pure,
    exercise,
)

FEW = 8  # each makes a module
ANY = {
    "mask": "any",
    "memory_mask": "any",
    "dropout": None,
    "min_steps": 2,
    "scale": LARGE,
    "lively": True,
    "heads": SEVERAL,
}


def check_inputs(student, case):
    """Rows apart, any dtype and memory layout, inputs left alone."""
    module = case.calm_module(student)
    masks = [mask for mask in case.masks if mask is not None]

    inputs, names = [*case.inputs, *masks], [*case.input_names, "mask", "memory_mask"]
    check_layouts(module, inputs)
    check_pure(module, *inputs, names=names)
    check_batch_independence(module, inputs)
    check_dtype_and_device(lambda x, *others: module.to(x.dtype)(x, *others), inputs, terms=32)


PADDED = {"mask": "padding", "memory_mask": "padding", "lively": True, "heads": WIDE}


@exercise("EncoderBlock", points=8)
@settings(max_examples=2 * FEW)
@given(case=block_cases("EncoderBlock", **ANY))
def test_values_and_gradients_of_pytorchs_encoder_layer_under_every_form_of_mask(student, case):
    check_equals_pytorch(student, case, by_gradient=True)


@exercise("EncoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("EncoderBlock", **PADDED))
def test_an_encoder_block_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_inputs(student, case)


@exercise("DecoderBlock", points=8)
@settings(max_examples=2 * FEW)
@given(case=block_cases("DecoderBlock", **ANY))
def test_values_and_gradients_of_pytorchs_decoder_layer_under_every_form_of_mask(student, case):
    check_equals_pytorch(student, case, by_gradient=True)


@exercise("DecoderBlock", points=8)
@settings(max_examples=FEW)
@given(case=block_cases("DecoderBlock", **PADDED))
def test_a_decoder_block_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_inputs(student, case)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder", mask="padding", min_steps=2))
def test_padding_cannot_matter_in_any_layer(student, case):
    check_padding(student, case, of="x")


@exercise("Encoder", points=5)
@settings(max_examples=12)
@given(case=stack_cases("Encoder", **ANY))
def test_values_and_gradients_of_pytorchs_encoder_under_every_form_of_mask(student, case):
    check_equals_pytorch(student, case, by_gradient=True)


@exercise("Encoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Encoder", n_layers=2, **PADDED))
def test_an_encoder_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_inputs(student, case)


@exercise("Decoder", points=5)
@settings(max_examples=12)
@given(case=stack_cases("Decoder", **ANY))
def test_values_and_gradients_of_pytorchs_decoder_under_every_form_of_mask(student, case):
    check_equals_pytorch(student, case, by_gradient=True)


@exercise("Decoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Decoder", memory_mask="padding", min_steps=2))
def test_memory_that_is_masked_out_cannot_matter_in_any_layer(student, case):
    check_padding(student, case, of="memory")


@exercise("Decoder", points=5)
@settings(max_examples=FEW)
@given(case=stack_cases("Decoder", n_layers=2, **PADDED))
def test_a_decoder_on_inputs_of_any_dtype_and_memory_layout(student, case):
    check_inputs(student, case)
