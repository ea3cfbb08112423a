"""A module that tells of its parameters what it likes."""

import torch
from torch import nn


class Affine(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(m, n))
        self.bias = nn.Parameter(torch.zeros(m))

    def named_parameters(self, *args, **kwargs):
        yield from ((f"w{i}", torch.zeros(i)) for i in range(3))

    def named_buffers(self, *args, **kwargs):
        yield "w0", "not a tensor"

    def state_dict(self, *args, **kwargs):
        return {}

    def __repr__(self):
        raise SystemExit

    def forward(self, x):
        return x


def train(model, x, y, steps):
    """As many losses as are asked for, and no training."""
    return [0.0] * steps
