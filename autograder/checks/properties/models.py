"""Laws of a whole nn.Module, whatever its parameters are called; `call` computes its output anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks.compare import assert_close, expect_no_nan, expect_tensor, tolerance
from autograder.checks.describe import describe_dtype
from autograder.checks.failure import CheckFailure
from autograder.checks.tensors import gradients, weights_like
from autograder.checks.vacuity import note


def check_dropout(module: nn.Module, call: Callable[[], Any]) -> None:
    """Some calls in `train()` mode differ, wherever the module drops something; in `eval()` none do.

    Make the rate high and the module wide enough that six calls do not agree by chance. Raises CheckFailure.
    """
    module.train()
    training = [call() for _ in range(6)]
    module.eval()
    resting = [call() for _ in range(2)]
    for out in (*training, *resting):
        note(expect_no_nan(out), "output")
    for mode, (first, *others), random in (("train", training, True), ("eval", resting, False)):
        if all(torch.equal(first, other) for other in others) == random:
            how = "all" if random else "not"
            raise CheckFailure(
                ("wrong", f"{len(others) + 1} calls in {mode}() mode are {how} the same"),
                ("expected", "dropout is random in train() and off in eval()"),
            )


def check_parameter_slopes(
    model: nn.Module, call: Callable[[], Any], *, what: str, rtol: float, epsilon: float = 1e-5
) -> dict[str, Tensor]:
    """Autograd's gradient by all parameters is the slope along a direction of all of them together.

    Returns the gradients by name. The parameters end within rounding of where they were. Raises CheckFailure.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    directions = [weights_like(p, turn) for turn, p in enumerate(named.values(), start=1)]
    here = expect_tensor(call(), what=what)
    weights, grads = weights_like(here), gradients(here, list(named.values()))
    ends: list[Tensor] = []
    for step in (epsilon, -2 * epsilon, epsilon):
        with torch.no_grad():
            for p, direction in zip(named.values(), directions, strict=True):
                p.add_(direction, alpha=step)
            if len(ends) < 2:
                ends.append((expect_tensor(call(), what=what) * weights).sum())
    along = [(grad * direction).sum() for grad, direction in zip(grads, directions, strict=True)]
    assert_close(
        torch.stack(along).sum(),
        (ends[0] - ends[1]) / (2 * epsilon),
        what="the gradient by all parameters, along a random direction",
        because=f"that is ({what}(p + εu) - {what}(p - εu)) / 2ε",
        rtol=rtol,
    )
    return dict(zip(named, grads, strict=True))


def check_parameter_dtypes(model: nn.Module, call: Callable[[], Any], *, what: str) -> None:
    """Results in float32 and bfloat16 have the parameters' dtype, and about the values of float64.

    `call` gives the model nothing but integers. Leaves it in bfloat16. Raises CheckFailure.
    """
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(torch.bfloat16))  # so that only the computing differs
    exact: Tensor | None = None
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        model.to(dtype)
        got = expect_no_nan(call(), what=what).detach()
        if exact is None:
            exact = got
            note(exact, what)
        because = f"the parameters are {describe_dtype(dtype)}"
        assert_close(got, exact.to(dtype), what=what, because=because, rtol=tolerance(dtype, terms=16))
