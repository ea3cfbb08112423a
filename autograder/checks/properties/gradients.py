"""Gradients of inputs and parameters."""

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.gradcheck import GradcheckError

from autograder.checks.compare import assert_close, expect_outputs
from autograder.checks.describe import describe_number
from autograder.checks.failure import CheckFailure
from autograder.checks.tensors import Outputs, gradients, leaves


def check_gradients(
    f: Callable[..., Outputs],
    inputs: Sequence[Tensor],
    oracle: Callable[..., Outputs] | Sequence[Tensor],
    *,
    names: Sequence[str],
    modules: tuple[nn.Module, nn.Module] | None = None,
    because: str = "that is autograd's for Σ r · output, with the right formula and fixed random numbers r",
    terms: int = 64,
) -> None:
    """The gradient of every input of floating point, and of every parameter, equals the oracle's.

    `oracle` is a function like `f`, or its gradients by `weights_like` cotangents where a case has them
    already. `modules` are the student's and the oracle's, with parameters of the same names and values.
    """
    got_inputs, expected_inputs = leaves(inputs), leaves(inputs)
    names = [name for name, x in zip(names, inputs, strict=True) if x.is_floating_point()]
    got_leaves = [x for x in got_inputs if x.is_floating_point()]
    expected_leaves = [x for x in expected_inputs if x.is_floating_point()]
    if modules is not None:
        mine, theirs = (dict(module.named_parameters()) for module in modules)
        missing = [name for name in theirs if name not in mine]
        if missing:
            raise CheckFailure(
                ("wrong", f"not among the parameters of the module: {', '.join(missing)}"),
                ("expected", ", ".join(theirs)),
                ("got", ", ".join(mine) or "none"),
            )
        names += list(theirs)
        got_leaves += [mine[name] for name in theirs]
        expected_leaves += list(theirs.values())
    got = gradients(expect_outputs(f(*got_inputs)), got_leaves)
    expected = gradients(oracle(*expected_inputs), expected_leaves) if callable(oracle) else tuple(oracle)
    if not any(grad.any() for grad in got) and any(grad.any() for grad in expected):
        raise CheckFailure(
            ("wrong", f"the gradient of {', '.join(names)} is 0 everywhere"),
            (
                "advice",
                "is the function flat here, or is there a detach, no_grad, .item(), .data or "
                "torch.tensor(...) between them and the output?",
            ),
            because=because,
        )
    for name, mine_grad, their_grad in zip(names, got, expected, strict=True):
        assert_close(mine_grad, their_grad, what=f"gradient of {name}", because=because, terms=terms)


def check_gradcheck(
    f: Callable[..., Outputs], inputs: Sequence[Tensor], *, because: str | None = None
) -> None:
    """Autograd through `f` agrees with finite differences, along random directions (float64)."""
    try:
        torch.autograd.gradcheck(
            f, leaves(inputs), fast_mode=True, check_undefined_grad=False, nondet_tol=1e-12
        )
    except GradcheckError as error:
        if "not reentrant" in str(error):
            wrong = "the same inputs gave two different gradients"
        elif "expected to be zero" in str(error):
            wrong = "no output depends on the inputs as far as autograd can see"
        else:
            wrong = "the gradient is not the slope of the output"
        raise CheckFailure(
            ("wrong", wrong),
            ("expected", f"the slope (f(x + εu) - f(x - εu)) / 2ε{_figure('numerical', str(error))}"),
            ("got", f"the gradient along u{_figure('analytical', str(error))}"),
            because=because or "autograd must see every operation from the inputs to the output",
        ) from None


def _figure(name: str, report: str) -> str:
    """One of gradcheck's two figures, without its advice on its own options."""
    found = re.search(rf"{name}:(?:tensor\()?([-+.\de]+|nan|[-+]?inf)\b", report)
    return f" = {describe_number(float(found[1]))}" if found else ""
