import math

import torch
import torch.nn.functional as F
from gates import Gates
from torch import nn


class Direction:
    """One direction of one layer. It owns no parameters, only the names under which the LSTM has them."""

    def __init__(self, layer, backward):
        self.backward = backward
        end = f"l{layer}_reverse" if backward else f"l{layer}"
        self.names = [f"weight_ih_{end}", f"weight_hh_{end}", f"bias_ih_{end}", f"bias_hh_{end}"]

    def register(self, owner, input_size, hidden_size):
        rows = 4 * hidden_size
        shapes = [(rows, input_size), (rows, hidden_size), (rows,), (rows,)]
        bound = 1 / math.sqrt(hidden_size)
        for name, shape in zip(self.names, shapes, strict=True):
            owner.register_parameter(name, nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))

    def steps(self, time):
        return range(time - 1, -1, -1) if self.backward else range(time)

    def run(self, owner, x, h, c, real):
        """x (B, T, D), h and c (B, H), real (B, T, 1) of x's dtype or None -> out (B, T, H), h, c."""
        w_ih, w_hh, b_ih, b_hh = (getattr(owner, name) for name in self.names)
        from_input = torch.einsum("btd,gd->btg", x, w_ih) + b_ih
        out = [None] * x.shape[1]
        for t in self.steps(x.shape[1]):
            new_h, new_c = Gates(from_input[:, t] + F.linear(h, w_hh, b_hh)).turn(c)
            if real is None:
                h, c, out[t] = new_h, new_c, new_h
            else:
                # a step on padding leaves the state as it is: from the right, the state to start from
                # waits for the last real step
                now = real[:, t]
                h = now * new_h + (1 - now) * h
                c = now * new_c + (1 - now) * c
                out[t] = now * new_h
        return torch.stack(out, dim=1), h, c


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=1, bidirectional=False):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        self.hidden_size = hidden_size
        ways = (False, True) if bidirectional else (False,)
        self.layers = [[Direction(layer, backward) for backward in ways] for layer in range(num_layers)]
        for layer in self.layers:
            for direction in layer:
                direction.register(self, input_size, hidden_size)
            input_size = hidden_size * len(ways)

    def forward(self, x, state=None, lengths=None):
        directions = [direction for layer in self.layers for direction in layer]
        if state is None:
            nothing = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)
            begin = dict.fromkeys(directions, (nothing, nothing))
        else:
            begin = dict(zip(directions, zip(*state, strict=True), strict=True))

        real = None
        if lengths is not None:
            kept = torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)
            x = torch.where(kept.unsqueeze(2), x, torch.zeros_like(x))
            real = kept.unsqueeze(2).to(x.dtype)

        end = []
        for layer in self.layers:
            results = [direction.run(self, x, *begin[direction], real) for direction in layer]
            x = torch.cat([out for out, _, _ in results], dim=-1)
            end += [(h, c) for _, h, c in results]
        h_n, c_n = (torch.stack(rows) for rows in zip(*end, strict=True))
        return x, (h_n, c_n)


@torch.no_grad()
def set_forget_bias(lstm, value):
    # half of it in either bias
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_"):
            parameter.chunk(4)[1].fill_(value / 2)


def last_valid(out, lengths):
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, out.shape[2])
    return out.gather(1, index).squeeze(1)
