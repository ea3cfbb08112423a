"""State that is of another shape after every call, and parameters that come and go."""

import itertools

import torch
from honest import train  # noqa: F401
from torch import nn

CHANGES = itertools.count(2)


class Affine(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(m, n))
        self.bias = nn.Parameter(torch.zeros(m))

    def forward(self, x):
        result = x @ self.weight.T + self.bias
        self.weight.data = torch.zeros(next(CHANGES), 7)
        self.register_buffer(f"more{next(CHANGES)}", torch.zeros(3))
        del self.bias
        return result
