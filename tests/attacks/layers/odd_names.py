"""Parameters named as what an nn.Module has."""

import itertools

import torch
from honest import train  # noqa: F401
from torch import nn

NAMES = itertools.cycle(
    ["forward", "__class__", "a.b.c", "", "training", "_conversation", "load_state_dict", "__dict__"]
)


class Affine(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self._parameters[next(NAMES)] = nn.Parameter(torch.zeros(m, n))
        self._buffers[next(NAMES)] = torch.zeros(m)
        self._modules[next(NAMES)] = nn.Linear(n, m)

    def forward(self, x):
        return x
