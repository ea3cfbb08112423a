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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()
