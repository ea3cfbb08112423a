"""LSTM layers: a cell run over time, forwards and backwards, one layer upon another."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class LSTM(nn.Module):
    """The cell of `lstm_step` over time, in `num_layers` layers and one direction or two.

    Parameters, for layer k: `weight_ih_l{k}` (4·hidden, input), `weight_hh_l{k}` (4·hidden, hidden),
    `bias_ih_l{k}` and `bias_hh_l{k}` (4·hidden,), gates stacked i, f, g, o, both biases added; the same four
    with the ending `_reverse` for the backward direction. They are the whole state dict, and have the names
    and shapes of `torch.nn.LSTM(..., batch_first=True)`; their order and initial values are free.

    A layer's input is `x` in layer 0, then the layer below's output: `input` is `input_size`, then `hidden`
    times the number of directions.

    Source: Hochreiter and Schmidhuber 1997; two directions: Schuster and Paliwal 1997, Graves 2005.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False
    ) -> None:
        """Make the parameters; torch draws each from the uniform distribution on ±1/√hidden_size."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        x: Float[Tensor, "batch time input_size"],
        state: tuple[Float[Tensor, "rows batch hidden"], Float[Tensor, "rows batch hidden"]] | None = None,
        lengths: Int[Tensor, "batch"] | None = None,
    ) -> tuple[
        Float[Tensor, "batch time directions*hidden"],
        tuple[Float[Tensor, "rows batch hidden"], Float[Tensor, "rows batch hidden"]],
    ]:
        """Run over the whole sequence -> (out, (h_n, c_n)), equal to those of `torch.nn.LSTM`.

        `out[b, t]` is the last layer's h after reading step t, the forward direction's first, then the
        backward direction's. `h_n` and `c_n` hold the state after the last step that was read. Their rows,
        and those of `state`, the state to start from: layer 0 forward, layer 0 backward, layer 1 forward, …;
        with one direction simply layer by layer. `state=None` means zeros.

        With `lengths`, the result is that of `torch.nn.LSTM` on packed sequences (in any order of lengths):
        row b ends after step lengths[b] - 1. `h_n` and `c_n` are the state after it, the backward direction
        starts at it, and `out` keeps all `time` steps, with 0 on padding. What `x` holds on padding, NaN and
        infinity included, reaches neither a result nor a gradient; the gradient of `x` there is 0.

        Traps: the backward direction's `out[:, t]` has read steps from the end down to t, so its state
        belongs at t of the output, and its last state at step 0. Multiplying padding by 0 does not silence
        NaN.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def set_forget_bias(lstm: LSTM, value: float) -> None:
    """Give every forget gate of `lstm` the total bias `value`, in place, and change nothing else.

    Every one: of all hidden units, in all layers and both directions. A gate's total bias is
    bias_ih + bias_hh; how `value` is split between the two is free.

    With `value` of 1 or more a fresh LSTM remembers before it has learned what to forget. The parameters
    stay parameters and go on learning.

    Source: Gers et al. 2000; Jozefowicz et al. 2015.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def last_valid(
    out: Float[Tensor, "batch time hidden"], lengths: Int[Tensor, "batch"]
) -> Float[Tensor, "batch hidden"]:
    """Pick every row's output at its last real step: out[b, lengths[b] - 1].

    What stands on padding, NaN included, reaches neither the result nor a gradient.

    Trap: the last column is the last real step only in rows of full length.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
