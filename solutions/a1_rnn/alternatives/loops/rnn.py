"""A recurrent network, one row and one step at a time."""

import math

import torch
from torch import nn


def step_of_row(x, h, w_x, w_h, b):
    """One row: x (D,), h (H,) -> (H,)"""
    return torch.tanh(w_x @ x + w_h @ h + b)


def rnn_step(x, h, w_x, w_h, b):
    rows = []
    for i in range(x.shape[0]):
        rows.append(step_of_row(x[i], h[i], w_x, w_h, b))
    return torch.stack(rows)


def rnn_forward(x, h0, w_x, w_h, b, lengths=None):
    B, T, _ = x.shape
    hs = []
    h_last = []
    for i in range(B):
        # padding is never looked at, so nothing in it can do harm
        n = T if lengths is None else lengths[i].item()
        h = h0[i]
        states = []
        for t in range(n):
            h = step_of_row(x[i, t], h, w_x, w_h, b)
            states.append(h)
        h_last.append(h)
        while len(states) < T:
            states.append(torch.zeros_like(h))
        hs.append(torch.stack(states))
    return torch.stack(hs), torch.stack(h_last)


def uniform(*shape, bound):
    return nn.Parameter((torch.rand(*shape) * 2 - 1) * bound)


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, learn_initial_state=False):
        super().__init__()
        self.hidden_size = hidden_size
        self.learn_initial_state = learn_initial_state
        bound = 1 / math.sqrt(hidden_size)
        self.w_x = uniform(hidden_size, input_size, bound=bound)
        self.w_h = uniform(hidden_size, hidden_size, bound=bound)
        self.b = uniform(hidden_size, bound=bound)
        if learn_initial_state:
            self.h0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None, lengths=None):
        if h0 is None:
            if self.learn_initial_state:
                start = self.h0
            else:
                start = torch.zeros(self.hidden_size, dtype=x.dtype, device=x.device)
            h0 = [start] * x.shape[0]
        return rnn_forward(x, h0, self.w_x, self.w_h, self.b, lengths)
