"""The recurrent network: one step, a whole sequence, and the module around it."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def rnn_step(
    x: Float[Tensor, "batch d"],
    h: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "hidden d"],
    w_h: Float[Tensor, "hidden hidden"],
    b: Float[Tensor, "hidden"],
) -> Float[Tensor, "batch hidden"]:
    """Go from one hidden state to the next.

    h' = tanh(x w_xᵀ + h w_hᵀ + b).

    Trap: weights lie (out, in), as in `nn.Linear`; a transposed w_h has the right shape and is wrong.

    Source: Elman 1990.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def rnn_forward(
    x: Float[Tensor, "batch time d"],
    h0: Float[Tensor, "batch hidden"],
    w_x: Float[Tensor, "hidden d"],
    w_h: Float[Tensor, "hidden hidden"],
    b: Float[Tensor, "hidden"],
    lengths: Int[Tensor, "batch"] | None = None,
) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "batch hidden"]]:
    """Unroll the network over time, with the same weights at every step -> (hs, h_last).

    h_t = tanh(x_t w_xᵀ + h_{t-1} w_hᵀ + b), starting from `h0`; hs[:, t] is the state *after* step t, and
    h_last the state after the last one.

    With `lengths`, steps t >= lengths[b] are padding: hs is exactly 0 there, and h_last[b] is the state at
    the row's last real step, lengths[b] - 1. What stands in padding, NaN and infinity included, reaches
    neither a result nor any gradient, those of the weights included; the gradient of `x` is 0 there.
    `lengths=None` means that every step is real.

    Traps: hs[:, -1] is the last real state only in the rows without padding. And 0 · NaN is NaN: a state that
    is thrown away later still poisons the gradient of the weights, which is a sum over all steps.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class RNN(nn.Module):
    """A recurrent layer over `rnn_forward`, one direction, tanh: what `nn.RNN` is with a single bias."""

    def __init__(self, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> None:
        """Make the parameters `w_x (hidden, input)`, `w_h (hidden, hidden)` and `b (hidden,)`.

        They are the whole state dict, together with `h0 (hidden,)` where the initial state is learned, and
        only there. Initial values are free; every one of them should let the network train (`nn.RNN` draws
        uniformly from ±1/√hidden_size).
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        x: Float[Tensor, "batch time input_size"],
        h0: Float[Tensor, "batch hidden_size"] | None = None,
        lengths: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch time hidden_size"], Float[Tensor, "batch hidden_size"]]:
        """Run over `x` from `h0` -> (hs, h_last), as `rnn_forward`; `lengths` and padding as there.

        `h0=None` means zeros, or the learned initial state, the same for every row. A state that is passed
        goes before a learned one.
        """
        # YOUR CODE HERE
        raise NotImplementedError()
