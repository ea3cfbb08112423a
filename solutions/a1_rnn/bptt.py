"""Back-propagation through time, by hand: the gradient on its way back, cut short, measured, clipped."""

import torch
from jaxtyping import Float
from torch import Tensor


def rnn_backward(
    grad_hs: Float[Tensor, "batch time hidden"],
    x: Float[Tensor, "batch time d"],
    hs: Float[Tensor, "batch time hidden"],
    h0: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "hidden d"],
    w_h: Float[Tensor, "hidden hidden"],
) -> tuple[
    Float[Tensor, "batch time d"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "hidden d"],
    Float[Tensor, "hidden hidden"],
    Float[Tensor, "hidden"],
]:
    """Run the network backwards -> (grad_x, grad_h0, grad_w_x, grad_w_h, grad_b). *By hand.*

    `hs` are the states that `rnn_forward` computed from `x` and `h0`, all steps real, and grad_hs[:, t] is
    what the loss asks of hs[:, t] directly, as the output of step t. With a_t = x_t w_xᵀ + h_{t-1} w_hᵀ + b
    and δ_t = ∂loss/∂a_t,

        δ_t = (grad_hs_t + δ_{t+1} w_h) ⊙ (1 - h_t²),   δ_T = 0 after the last step,

    and a weight, which is the same at every step, gets the **sum** over steps and rows:
    grad_w_h = Σ_t δ_tᵀ h_{t-1}.

    No autograd: only algebra.

    Traps: the state that w_h multiplied at step t is h_{t-1}, which is h0 at the first step. Neither sum is a
    mean. On the way back it is w_h, not its transpose.

    Source: Werbos 1990.
    """
    ### BEGIN SOLUTION
    grad_h = torch.zeros_like(h0)  # what comes back from the step after
    deltas = []
    for t in reversed(range(x.shape[1])):
        delta = (grad_hs[:, t] + grad_h) * (1 - hs[:, t] ** 2)
        grad_h = delta @ w_h
        deltas.append(delta)
    deltas = torch.stack(deltas[::-1], dim=1)
    previous = torch.cat([h0.unsqueeze(1), hs[:, :-1]], dim=1)
    grad_w_x = torch.einsum("bth,btd->hd", deltas, x)
    grad_w_h = torch.einsum("bth,btg->hg", deltas, previous)
    return deltas @ w_x, grad_h, grad_w_x, grad_w_h, deltas.sum(dim=(0, 1))
    ### END SOLUTION


def truncated_bptt(
    grad_hs: Float[Tensor, "batch time hidden"],
    x: Float[Tensor, "batch time d"],
    hs: Float[Tensor, "batch time hidden"],
    h0: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "hidden d"],
    w_h: Float[Tensor, "hidden hidden"],
    k: int,
) -> tuple[
    Float[Tensor, "batch time d"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "hidden d"],
    Float[Tensor, "hidden hidden"],
    Float[Tensor, "hidden"],
]:
    """Let every gradient run back through `k` steps at most; else as `rnn_backward`. *By hand.*

    What enters at step t, grad_hs[:, t], reaches the steps t, t-1, …, t-k+1: their inputs, and the weights as
    used there. It reaches `h0` only if t < k, counting from 0. The state before the last step that it reaches
    is taken as a constant. `k=1` stays within the step; `k >= time` is the full gradient.
    `k < 1` is a ValueError that names `k` and its value.

    No autograd: only algebra.

    Trap: this is a window that slides, one for every t; cutting the sequence into chunks of k steps lets some
    gradients run k steps and others only one.

    Source: Williams and Peng 1990, h = k, at every step.
    """
    ### BEGIN SOLUTION
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    grad_x, grad_h0 = torch.zeros_like(x), torch.zeros_like(h0)
    grad_weights = [torch.zeros_like(w_x), torch.zeros_like(w_h), torch.zeros_like(w_h[0])]
    for t in range(x.shape[1]):
        start = max(0, t - k + 1)
        window = slice(start, t + 1)
        entering = torch.zeros_like(hs[:, window])
        entering[:, -1] = grad_hs[:, t]
        before = h0 if start == 0 else hs[:, start - 1]
        shares = rnn_backward(entering, x[:, window], hs[:, window], before, w_x, w_h)
        into_x, into_before, *into_weights = shares
        grad_x[:, window] += into_x
        if start == 0:
            grad_h0 += into_before
        for total, share in zip(grad_weights, into_weights, strict=True):
            total += share
    return grad_x, grad_h0, *grad_weights
    ### END SOLUTION


def state_gradient_norms(
    grad_last: Float[Tensor, "batch hidden"],
    hs: Float[Tensor, "batch time hidden"],
    w_h: Float[Tensor, "hidden hidden"],
) -> Float[Tensor, "time"]:
    """Measure how much of a gradient is left, step by step on its way back. *By hand.*

    Entry t is the Frobenius norm (over batch and hidden together) of the gradient of Σ grad_last ⊙ h_T at
    hs[:, t]. The last entry is that of `grad_last` itself, and one step further back

        g_{t-1} = (g_t ⊙ (1 - h_t²)) w_h.

    Norms that shrink towards the front are the vanishing gradient, norms that grow the exploding one.

    No autograd: only algebra.

    Trap: the slope belongs to the state that the gradient leaves, h_t, not to the one that it enters.

    Source: Hochreiter 1991; Bengio, Simard, Frasconi 1994.
    """
    ### BEGIN SOLUTION
    g = grad_last
    norms = [torch.linalg.vector_norm(g)]
    for t in reversed(range(1, hs.shape[1])):
        g = (g * (1 - hs[:, t] ** 2)) @ w_h
        norms.append(torch.linalg.vector_norm(g))
    return torch.stack(norms[::-1])
    ### END SOLUTION


def clip_by_global_norm(
    grads: list[Float[Tensor, "..."]], max_norm: float
) -> tuple[list[Float[Tensor, "..."]], Float[Tensor, ""]]:
    """Shorten a gradient that is too long, and keep its direction -> (clipped, norm).

    norm = √(Σ g²) over all entries of all tensors together, from before clipping, a 0-d tensor. Where
    norm > max_norm, every tensor is multiplied by exactly max_norm / norm (no epsilon); elsewhere all stay as
    they are. The result is a new list; it may hold the inputs themselves where nothing is clipped, but a
    tensor passed in is never changed.

    `grads` is not empty, `max_norm` is positive. A gradient or a norm that is not finite is a ValueError that
    names `grads` and the norm: scaling by 1/∞ would turn the gradients into zeros and NaN.

    Trap: one norm for all of them. Clipping each tensor by its own norm changes the direction.

    Source: Pascanu, Mikolov, Bengio 2013, algorithm 1.
    """
    ### BEGIN SOLUTION
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
    if not norm.isfinite():
        raise ValueError(f"grads must be finite and have a finite norm, got a norm of {norm.item()}")
    if norm > max_norm:
        return [g * (max_norm / norm).to(g.dtype) for g in grads], norm
    return list(grads), norm
    ### END SOLUTION
