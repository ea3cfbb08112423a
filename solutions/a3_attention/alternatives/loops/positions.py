import math

import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    for position in range(max_len):
        for c in range(d_model):
            angle = position / 10000 ** (2 * (c // 2) / d_model)
            if c % 2 == 0:
                table[position, c] = math.sin(angle)
            else:
                table[position, c] = math.cos(angle)
    return table


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.vectors = nn.ParameterList([nn.Parameter(0.02 * torch.randn(d_model)) for _ in range(max_len)])

    def forward(self, x):
        T = x.shape[1]
        if self.max_len < T:
            raise ValueError(f"x has {T} positions, only max_len={self.max_len} are learned")
        steps = []
        for t in range(T):
            steps.append(x[:, t] + self.vectors[t])
        return torch.stack(steps, dim=1)
