import torch
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import assert_close, exercise, fresh


@exercise("Affine", points=4)
@given(n=st.integers(1, 4), m=st.integers(1, 4))
def test_affine_is_a_linear_layer(student, n, m):
    layer = student.Affine(n, m).double()
    oracle = torch.nn.Linear(n, m, dtype=torch.float64)
    with torch.no_grad():
        oracle.weight.copy_(torch.arange(n * m).view(m, n))
        oracle.bias.copy_(torch.arange(m))
    layer.load_state_dict(oracle.state_dict())
    x = torch.linspace(-1, 1, 3 * n, dtype=torch.float64).view(3, n)
    expected, got = oracle(x), layer(x)
    assert_close(got, expected)
    got.sum().backward()
    expected.sum().backward()
    assert_close(layer.weight.grad, oracle.weight.grad)
    assert_close(layer.bias.grad, oracle.bias.grad)


@exercise("train", points=1)
def test_training_reaches_the_line(student):
    x = torch.linspace(-1, 1, 8)[:, None]
    y = 2 * x + 1
    model = student.Affine(1, 1)
    losses = student.train(model, fresh(x), fresh(y), 200)
    assert len(losses) == 200
    assert_close(model(x), y, rtol=1e-2, atol=1e-2)
