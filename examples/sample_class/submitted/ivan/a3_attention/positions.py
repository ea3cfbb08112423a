import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    table = torch.zeros(max_len, d_model)
    positions = torch.arange(max_len, dtype=torch.float64)
    c = 0
    while c < d_model:
        angle = positions / 10000 ** (c / d_model)
        table[:, c] = torch.sin(angle)
        if c + 1 < d_model:
            table[:, c + 1] = torch.cos(angle)
    return table


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(max_len, d_model) - 0.5)

    def forward(self, x):
        if x.shape[1] > self.weight.shape[0]:
            raise ValueError(f"length of x is {x.shape[1]}, more than max_len {self.weight.shape[0]}")
        return x + self.weight[: x.shape[1]]
