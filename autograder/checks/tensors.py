"""Tensors that a check makes from its case: leaves, poison, cotangents, gradients."""

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import torch
from torch import Tensor, nn

Outputs: TypeAlias = Tensor | Sequence[Tensor]

# Finite, far above any score of a case, and with a square that is finite in float32 as in bfloat16.
LARGE: Final = 1e18
POISONS: Final = (math.nan, math.inf, -math.inf, LARGE)


def generator(seed: int) -> torch.Generator:
    """A generator of one's own; made in the body of a check, since a case is used more than once."""
    return torch.Generator().manual_seed(seed)


def fresh(x: Tensor) -> Tensor:
    """A copy that a student's function may do with as it likes."""
    return x.detach().clone()


def leaf(x: Tensor) -> Tensor:
    """A copy to take gradients by."""
    return x.detach().clone().requires_grad_()


def leaves(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Fresh copies; those of floating point are leaves."""
    return tuple(leaf(x) if x.is_floating_point() else fresh(x) for x in inputs)


def over_leading(where: Tensor, x: Tensor) -> Tensor:
    """A mask of the leading dimensions of `x` (broadcast), as one of its entries."""
    where = where.reshape(*where.shape, *[1] * (x.ndim - where.ndim))
    return where.expand(x.shape)


def poison_where(where: Tensor, *tensors: Tensor, values: Sequence[float] = POISONS) -> tuple[Tensor, ...]:
    """Copies that hold `values` in turn (NaN, inf, -inf and a large one) where the mask is True.

    `where` covers the leading dimensions of each tensor: `(batch, keys)` marks whole keys of
    `(batch, keys, d)`. The turn runs over marked entries, so that even one key meets several values.
    """
    return tuple(_poison(where, x, values) for x in tensors)


def _poison(where: Tensor, x: Tensor, values: Sequence[float]) -> Tensor:
    where = over_leading(where, x)
    out = fresh(x)
    turn = torch.arange(int(where.sum()), device=x.device) % len(values)
    out[where] = torch.tensor(values, dtype=x.dtype, device=x.device)[turn]
    return out


def other_where(where: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Copies that hold other ordinary values where the mask is True: what a finite change must not reach."""
    return tuple(
        torch.where(over_leading(where, x), 3 - 2 * x.detach().flip(-1), x.detach()) for x in tensors
    )


def weights_like(out: Tensor, turn: int = 0) -> Tensor:
    """Fixed cotangents, no two alike: with all ones, the gradient of a mix-up can equal the right one."""
    draw = generator(1000 * turn + out.numel())
    return torch.randn(out.shape, generator=draw, dtype=torch.float64).to(out.device, out.dtype)


def fill_parameters(module: nn.Module, seed: int, scale: float = 1.0, vectors: float | None = None) -> None:
    """Give every parameter normal values times `scale` (vectors: times `vectors`), in order of names.

    For modules whose parameters are free in name and start: whatever a student starts from (zeros, too),
    no term can hide behind a zero.
    """
    draw = generator(seed)
    with torch.no_grad():
        for _, parameter in sorted(module.named_parameters()):
            values = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
            parameter.copy_(values * (scale if vectors is None or parameter.ndim != 1 else vectors))


def as_tuple(outputs: Outputs) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def gradients(
    outputs: Outputs, inputs: Sequence[Tensor], cotangents: Sequence[Tensor] | None = None
) -> tuple[Tensor, ...]:
    """Gradients by `inputs` of Σ <output, cotangent>; zeros for an input that no output depends on."""
    results = as_tuple(outputs)
    if cotangents is None:
        cotangents = [weights_like(out, turn) for turn, out in enumerate(results)]
    pairs = [(out, c) for out, c in zip(results, cotangents, strict=True) if out.requires_grad]
    if not pairs:
        return tuple(torch.zeros_like(x) for x in inputs)
    outs, weights = zip(*pairs, strict=True)
    return torch.autograd.grad(outs, list(inputs), weights, allow_unused=True, materialize_grads=True)


def central_slopes(
    loss: Callable[[Sequence[Tensor]], Tensor], inputs: Sequence[Tensor], epsilon: float = 1e-5
) -> tuple[Tensor, ...]:
    """The slope of `loss` along the direction `weights_like(x)` of each input x, by central differences."""
    found = []
    for i, value in enumerate(inputs):
        step = epsilon * weights_like(value)
        before, after = ([*inputs[:i], value + end * step, *inputs[i + 1 :]] for end in (-1, 1))
        found.append((loss(after) - loss(before)) / (2 * epsilon))
    return tuple(found)
