"""A recurrent network with einsum; the input's share of every step is computed at once."""

import torch
from recurrence import States, without_padding
from torch import Tensor, nn


def rnn_step(x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    return torch.einsum("bd,hd->bh", x, w_x).add_(torch.einsum("bg,hg->bh", h, w_h)).add_(b).tanh_()


def rnn_forward(
    x: Tensor, h0: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    states = States(h0, x.shape[1], lengths)
    drive = torch.einsum("btd,hd->bth", without_padding(x, states.keep), w_x) + b
    for t in range(x.shape[1]):
        states.record(t, torch.tanh(drive[:, t] + torch.einsum("bg,hg->bh", states.now, w_h)))
    return states.buffer, states.now


class RNN(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> None:
        super().__init__()
        shapes = {"w_x": (hidden_size, input_size), "w_h": (hidden_size, hidden_size), "b": (hidden_size,)}
        if learn_initial_state:
            shapes["h0"] = (hidden_size,)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        nn.init.xavier_uniform_(self.w_x)
        nn.init.orthogonal_(self.w_h)

    def forward(
        self, x: Tensor, h0: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        weights = dict(self.named_parameters())
        learned = weights.pop("h0", None)
        if h0 is None:
            h0 = x.new_zeros(self.b.shape) if learned is None else learned
            h0 = h0.expand(x.shape[0], -1)
        return rnn_forward(x, h0, **weights, lengths=lengths)
