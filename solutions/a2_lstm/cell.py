"""One step of memory: the lecture's cell, the LSTM's cell, and the LSTM's gradients by hand."""

import torch
from jaxtyping import Float
from torch import Tensor


def memory_cell(
    x: Float[Tensor, "*shape"],
    c: Float[Tensor, "*shape"],
    write: Float[Tensor, "*#shape"],
    keep: Float[Tensor, "*#shape"],
    read: Float[Tensor, "*#shape"],
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Write to a memory, keep what it holds, read from it -> (y, c').

    c' = keep · c + write · x, y = read · c', elementwise.

    `c` is the old content, `c'` the new one. The gates are used as they come (0 shut, 1 open, and between
    the two), with no sigmoid; they broadcast to the shape of `x`, so that one gate may rule many cells.

    Trap: what is read is the new content, so a value can be written and read in the same step.
    """
    ### BEGIN SOLUTION
    c = keep * c + write * x
    return read * c, c
    ### END SOLUTION


def lstm_step(
    x: Float[Tensor, "batch input_size"],
    h: Float[Tensor, "batch hidden"],
    c: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "4*hidden input_size"],
    w_h: Float[Tensor, "4*hidden hidden"],
    b: Float[Tensor, "4*hidden"],
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
    """Take one step of an LSTM -> (h', c'), its new output and its new memory.

    a = x w_xᵀ + h w_hᵀ + b, cut into four blocks of `hidden` columns, in this order:
    i = σ(a_0), f = σ(a_1), g = tanh(a_2), o = σ(a_3);
    c' = f · c + i · g, h' = o · tanh(c').

    i, f and o are the gates write, keep and read, g is what is written.

    Traps: the order is i, f, g, o, as in `torch.nn.LSTM`; texts and other libraries have other ones. g is a
    tanh, not a gate. `h'` is read from the new memory, through a tanh.

    Source: Hochreiter and Schmidhuber 1997; the forget gate f is from Gers et al. 2000.
    """
    ### BEGIN SOLUTION
    i, f, g, o = (x @ w_x.T + h @ w_h.T + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c
    ### END SOLUTION


def lstm_step_backward(
    grad_h: Float[Tensor, "batch hidden"],
    grad_c: Float[Tensor, "batch hidden"],
    x: Float[Tensor, "batch input_size"],
    h: Float[Tensor, "batch hidden"],
    c: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "4*hidden input_size"],
    w_h: Float[Tensor, "4*hidden hidden"],
    b: Float[Tensor, "4*hidden"],
) -> tuple[
    Float[Tensor, "batch input_size"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "4*hidden input_size"],
    Float[Tensor, "4*hidden hidden"],
    Float[Tensor, "4*hidden"],
]:
    """Differentiate `lstm_step` by hand -> (grad_x, grad_h_prev, grad_c_prev, grad_w_x, grad_w_h, grad_b).

    `grad_h` and `grad_c` are the loss's gradients at the results h' and c' of
    `lstm_step(x, h, c, w_x, w_h, b)`, each as if the other were held fixed (what reaches c' through h' is
    yours to add); returned are its gradients at the step's six arguments, in their order.

    σ' = σ (1 - σ), tanh' = 1 - tanh². A weight's gradient is the sum over the rows of the batch.
    *By hand*: with algebra, without `torch.autograd` and `.backward()`.

    Trap: c' reaches the loss in two ways, directly (`grad_c`) and through h'.
    """
    ### BEGIN SOLUTION
    a_i, a_f, a_g, a_o = (x @ w_x.T + h @ w_h.T + b).chunk(4, dim=1)
    i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
    tanh_c = (f * c + i * g).tanh()

    grad_c = grad_c + grad_h * o * (1 - tanh_c**2)
    grad_a = torch.cat(
        [
            grad_c * g * i * (1 - i),
            grad_c * c * f * (1 - f),
            grad_c * i * (1 - g**2),
            grad_h * tanh_c * o * (1 - o),
        ],
        dim=1,
    )
    return grad_a @ w_x, grad_a @ w_h, grad_c * f, grad_a.T @ x, grad_a.T @ h, grad_a.sum(dim=0)
    ### END SOLUTION
