"""What a training function does, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks.compare import assert_close
from autograder.checks.describe import describe_type, describe_values
from autograder.checks.failure import CheckFailure
from autograder.checks.vacuity import note


def expect_losses(losses: Any, steps: int) -> None:
    """`losses` is a list of `steps` finite floats."""
    floats = isinstance(losses, list) and all(type(x) is float for x in losses)
    if not floats or len(losses) != steps:
        got = f"{len(losses)} floats: {describe_values(losses)}" if floats else describe_type(losses)
        wrong = "the losses are not one float a step, in a list"
        raise CheckFailure(("wrong", wrong), ("expected", f"a list of {steps} floats"), ("got", got[:200]))
    if not all(map(math.isfinite, losses)):
        raise CheckFailure(("expected", "finite losses"), ("got", describe_values(losses)[:200]))
    note(losses, "every loss")


def check_training_steps(
    model: nn.Module,
    losses: Any,
    reference: nn.Module,
    loss_of: Callable[[int], Tensor],
    steps: int,
    *,
    lr: float,
    weight_decay: float = 0.0,
    max_norm: float | None = None,
    because: str,
    rtol: float,
) -> None:
    """`losses`, and the parameters of the trained `model`, are those of `steps` steps of Adam.

    `reference` is the model before it was trained, and is trained here: `loss_of(step)` is its loss, and
    gradients are clipped to the global norm `max_norm` where one is given. Clipping may or may not add an
    epsilon to the norm: choose `rtol`, of the losses, to let that through. Parameters are ten times as free,
    since errors add up in them. Raises CheckFailure.
    """
    expect_losses(losses, steps)
    optimizer = torch.optim.Adam(reference.parameters(), lr=lr, weight_decay=weight_decay)
    for step in range(steps):
        loss = loss_of(step)
        got = torch.tensor(losses[step], dtype=torch.float64)
        assert_close(got, loss.detach(), what=f"loss of step {step}", because=because, rtol=rtol)
        optimizer.zero_grad()
        loss.backward()
        if max_norm is not None:
            nn.utils.clip_grad_norm_(reference.parameters(), max_norm)
        optimizer.step()
    for (name, trained), (_, expected) in zip(
        model.named_parameters(), reference.named_parameters(), strict=True
    ):
        what = f"{name} after {steps} step{'s' if steps > 1 else ''}"
        assert_close(
            trained.detach(),
            expected.detach(),
            what=what,
            because=f"it trains in place: {because}",
            rtol=10 * rtol,
        )
