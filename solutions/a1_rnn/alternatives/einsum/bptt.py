"""Gradients by hand: first the gradient at every step's sum (before the tanh), then one einsum a weight."""

import torch
from recurrence import states_before
from torch import Tensor

Gradients = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def gradients_from(delta: Tensor, x: Tensor, hs: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor) -> Gradients:
    """From `delta` (B, T, H), the loss's gradient at w_x x_t + w_h h_{t-1} + b."""
    return (
        torch.einsum("bth,hd->btd", delta, w_x),
        torch.einsum("bh,hg->bg", delta[:, 0], w_h),
        torch.einsum("bth,btd->hd", delta, x),
        torch.einsum("bth,btg->hg", delta, states_before(hs, h0)),
        torch.einsum("bth->h", delta),
    )


@torch.no_grad()
def rnn_backward(grad_hs: Tensor, x: Tensor, hs: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor) -> Gradients:
    delta = grad_hs.clone()
    slope = 1 - hs.square()
    last = hs.shape[1] - 1
    delta[:, last] *= slope[:, last]
    for t in range(last, 0, -1):
        delta[:, t - 1] += torch.einsum("bh,hg->bg", delta[:, t], w_h)
        delta[:, t - 1] *= slope[:, t - 1]
    return gradients_from(delta, x, hs, h0, w_x, w_h)


@torch.no_grad()
def truncated_bptt(
    grad_hs: Tensor, x: Tensor, hs: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, k: int
) -> Gradients:
    if k < 1:
        raise ValueError(f"k has to be >= 1 (k={k})")
    batch, steps, hidden = hs.shape
    # by_age[a]: the gradient that entered a steps later than the step that it has reached
    by_age = hs.new_zeros(min(k, steps), batch, hidden)
    delta = torch.zeros_like(hs)
    for t in reversed(range(steps)):
        by_age = by_age.roll(1, dims=0)  # the oldest has come to its end, and makes room
        by_age[0] = grad_hs[:, t]
        by_age *= 1 - hs[:, t].square()
        delta[:, t] = by_age.sum(0)
        by_age = torch.einsum("abh,hg->abg", by_age, w_h)
    return gradients_from(delta, x, hs, h0, w_x, w_h)


@torch.no_grad()
def state_gradient_norms(grad_last: Tensor, hs: Tensor, w_h: Tensor) -> Tensor:
    grads = torch.empty_like(hs)
    grads[:, -1] = grad_last
    for t in range(hs.shape[1] - 1, 0, -1):
        grads[:, t - 1] = torch.einsum("bh,bh,hg->bg", grads[:, t], 1 - hs[:, t].square(), w_h)
    return torch.linalg.vector_norm(grads, dim=(0, 2))


def clip_by_global_norm(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], Tensor]:
    norms = {i: torch.linalg.vector_norm(grad) for i, grad in enumerate(grads)}
    norm = torch.linalg.vector_norm(torch.stack([*norms.values()]))
    if not norm.isfinite():
        culprit = next((i for i in norms if not norms[i].isfinite()), None)
        raise ValueError(f"grads must be finite with a finite norm; norm={norm.item()}, first in {culprit}")
    scale = max_norm / norm if norm > max_norm else torch.ones_like(norm)
    return [torch.mul(grad, scale) for grad in grads], norm
