"""What is to be written by hand has no way to autograd, and the failure names the one that was tried."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad

from autograder.forbidden import ForbiddenCall, without_autograd


def square(x: torch.Tensor) -> torch.Tensor:
    return (x * x).sum()


def dual() -> torch.Tensor:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(square(forward_ad.make_dual(torch.ones(2), torch.ones(2)))).tangent


WAYS = {
    "torch.Tensor.backward": lambda x: square(x).backward(),
    "torch.autograd.backward": lambda x: torch.autograd.backward(square(x)),
    "torch.autograd.grad": lambda x: torch.autograd.grad(square(x), x),
    "grad": lambda x: torch.func.grad(square)(x),
    "vjp": lambda x: torch.func.vjp(square, x)[1](torch.tensor(1.0)),
    "jvp": lambda x: torch.func.jvp(square, (x,), (x,)),
    "jacrev": lambda x: torch.func.jacrev(square)(x),
    "jacfwd": lambda x: torch.func.jacfwd(square)(x),
    "": lambda x: torch.func.hessian(square)(x),  # called as two others in one
    "linearize": lambda x: torch.func.linearize(square, x),
    "torch.autograd.functional.jacobian": lambda x: torch.autograd.functional.jacobian(square, x),
    "torch.autograd.functional.vjp": lambda x: torch.autograd.functional.vjp(square, x),
    "torch.autograd.forward_ad": lambda x: dual(),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_into_autograd_is_closed_and_named(name):
    x = torch.ones(2, requires_grad=True)
    with without_autograd("bptt.rnn_backward"), pytest.raises(ForbiddenCall) as raised:
        WAYS[name](x)
    assert name in str(raised.value)
    assert "rnn_backward is to be written by hand" in str(raised.value)
    WAYS[name](x)  # open again


def test_the_graph_of_others_may_still_be_built():
    x = torch.ones(2, requires_grad=True)
    with without_autograd("bptt.rnn_backward"):
        y = square(x)
    assert torch.equal(torch.autograd.grad(y, x)[0], 2 * torch.ones(2))
