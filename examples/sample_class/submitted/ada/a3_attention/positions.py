import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    p = torch.arange(max_len, dtype=torch.float64)
    c = torch.arange(d_model)
    rate = 10000.0 ** (-(c - c % 2) / d_model).double()
    angles = torch.einsum("p,c->pc", p, rate)
    # cos(x) = sin(x + pi/2)
    return torch.sin(angles + (c % 2) * torch.pi / 2).to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model) * 0.1)

    def forward(self, x):
        if x.shape[1] > len(self.table):
            raise ValueError(f"x has {x.shape[1]} steps but max_len is {len(self.table)}")
        return x + self.table[: x.shape[1]]
