"""Operators that a device takes in place of the CPU's, computed as the CPU computes the same thing.

PyTorch draws dropout's mask in another operator on a device than on the CPU, and multiplies in another order;
written as the CPU's does, the same seed gives the same bits (for p = 0.15, say, it does not otherwise).
Source: Dropout.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def native_dropout(
    x: torch.Tensor, probability: float, is_training: bool | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The output, and the mask (bool) of what was kept."""
    if is_training is False or probability == 0:
        return x.clone(), torch.ones_like(x, dtype=torch.bool)
    noise = torch.empty_like(x).bernoulli_(1 - probability)
    kept = noise != 0
    return x * noise.div_(1 - probability), kept


def native_dropout_backward(gradient: torch.Tensor, kept: torch.Tensor, scale: float) -> torch.Tensor:
    """`scale` is 1 / (1 - probability)."""
    if scale == 0:  # everything was dropped
        return torch.zeros_like(gradient)
    return gradient * kept.to(gradient.dtype).div_(1 / scale)


KERNELS: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.native_dropout.default: native_dropout,
    torch.ops.aten.native_dropout_backward.default: native_dropout_backward,
}
