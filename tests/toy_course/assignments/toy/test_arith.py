import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import assert_close, exercise, expect_value_error, gradients, leaf


@exercise("scale", points=3)
@given(n=st.integers(1, 5), factor=st.floats(0.5, 4.0))
def test_scales_every_element(student, n, factor):
    x = torch.arange(1.0, n + 1, dtype=torch.float64)
    expected = x * factor
    assert_close(student.scale(x, factor), expected)


@exercise("scale", points=3)
@given(n=st.integers(1, 5))
def test_gradient_is_the_factor(student, n):
    x = leaf(torch.arange(1.0, n + 1, dtype=torch.float64))
    (grad,) = gradients(student.scale(x, 3.0), [x], [torch.ones(n, dtype=torch.float64)])
    assert_close(grad, torch.full((n,), 3.0, dtype=torch.float64))


@exercise("scale", points=3)
def test_a_negative_factor_is_refused(student):
    expect_value_error(lambda: student.scale(torch.ones(2), -1.0), "factor", -1.0)


@exercise("noise", points=2)
@given(seed=st.integers(0, 9))
def test_noise_depends_on_the_generator_alone(student, seed):
    first = student.noise(3, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    again = student.noise(3, generator)
    assert_close(again, first)
    assert not torch.equal(student.noise(3, generator), again)
    assert first.isfinite().all()
