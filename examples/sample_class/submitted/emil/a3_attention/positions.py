import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    positions = torch.arange(1, max_len + 1).double()
    table = torch.empty(max_len, d_model)
    for c in range(d_model):
        angle = positions / 10000 ** ((c - c % 2) / d_model)
        table[:, c] = angle.cos() if c % 2 else angle.sin()
    return table


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.vectors = nn.Embedding(max_len, d_model)

    def forward(self, x):
        if x.size(1) > self.max_len:
            raise ValueError(f"x too long: {x.size(1)} > {self.max_len}")
        return x + self.vectors.weight[: x.size(1)][None]
