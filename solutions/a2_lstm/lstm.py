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
        ### BEGIN SOLUTION
        self.hidden_size = hidden_size
        # One ending of the parameters' names for every layer and direction, in the order of h_n's rows.
        directions = ["", "_reverse"] if bidirectional else [""]
        self.layers = [[f"l{layer}{direction}" for direction in directions] for layer in range(num_layers)]
        bound = 1 / math.sqrt(hidden_size)
        for layer, names in enumerate(self.layers):
            size = len(directions) * hidden_size if layer else input_size
            for name in names:
                for kind, shape in (
                    ("weight_ih", (4 * hidden_size, size)),
                    ("weight_hh", (4 * hidden_size, hidden_size)),
                    ("bias_ih", (4 * hidden_size,)),
                    ("bias_hh", (4 * hidden_size,)),
                ):
                    parameter = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
                    self.register_parameter(f"{kind}_{name}", parameter)
        ### END SOLUTION

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
        ### BEGIN SOLUTION
        real = None
        if lengths is not None:
            # (batch, time, 1): True at real steps.
            real = (torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)).unsqueeze(2)
            x = x.where(real, 0.0)
        rows = sum(len(names) for names in self.layers)
        if state is None:
            zeros = x.new_zeros(rows, x.shape[0], self.hidden_size)
            state = zeros, zeros
        # Layer upon layer: what one puts out is what the next one reads.
        out, initial, final = x, zip(*state, strict=True), []
        for names in self.layers:
            runs = [self._run(name, out, *next(initial), real) for name in names]
            out = torch.cat([hs for hs, _, _ in runs], dim=2)
            final += [(h, c) for _, h, c in runs]
        h_n, c_n = zip(*final, strict=True)
        return out, (torch.stack(h_n), torch.stack(c_n))

    def _run(
        self, name: str, x: Tensor, h: Tensor, c: Tensor, real: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer in one direction -> (its h at every step, the last h, the last c)."""
        w_x, w_h, b_x, b_h = (
            self.get_parameter(f"{kind}_{name}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        # Only h must wait for the step before: the inputs' share of all gates is one product for all steps.
        from_x = (x @ w_x.T + (b_x + b_h)).unbind(dim=1)
        keep = [None] * len(from_x) if real is None else real.unbind(dim=1)
        w_h = w_h.T
        hs = [h] * len(from_x)
        steps = range(len(from_x))
        for t in reversed(steps) if name.endswith("_reverse") else steps:
            i, f, g, o = torch.addmm(from_x[t], h, w_h).chunk(4, dim=1)
            new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            new_h = o.sigmoid() * new_c.tanh()
            # On padding the state waits: after the last real step, or, backwards, for the first one.
            h = new_h if keep[t] is None else new_h.where(keep[t], h)
            c = new_c if keep[t] is None else new_c.where(keep[t], c)
            hs[t] = h
        out = torch.stack(hs, dim=1)
        return out if real is None else out.where(real, 0.0), h, c
        ### END SOLUTION


def set_forget_bias(lstm: LSTM, value: float) -> None:
    """Give every forget gate of `lstm` the total bias `value`, in place, and change nothing else.

    Every one: of all hidden units, in all layers and both directions. A gate's total bias is
    bias_ih + bias_hh; how `value` is split between the two is free.

    With `value` of 1 or more a fresh LSTM remembers before it has learned what to forget. The parameters
    stay parameters and go on learning.

    Source: Gers et al. 2000; Jozefowicz et al. 2015.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        for name, parameter in lstm.named_parameters():
            if name.startswith("bias"):
                forget = parameter.chunk(4)[1]
                forget.fill_(value if name.startswith("bias_ih") else 0.0)
    ### END SOLUTION


def last_valid(
    out: Float[Tensor, "batch time hidden"], lengths: Int[Tensor, "batch"]
) -> Float[Tensor, "batch hidden"]:
    """Pick every row's output at its last real step: out[b, lengths[b] - 1].

    What stands on padding, NaN included, reaches neither the result nor a gradient.

    Trap: the last column is the last real step only in rows of full length.
    """
    ### BEGIN SOLUTION
    return out[torch.arange(len(out), device=out.device), lengths - 1]
    ### END SOLUTION
