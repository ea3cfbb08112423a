import torch
import torch.nn as nn


def sinusoidal_positions(max_len, d_model):
    pos = torch.arange(max_len, dtype=torch.float64).unsqueeze(1)
    even = torch.arange(0, d_model, 2, dtype=torch.float64)
    angle = pos / torch.pow(torch.tensor(10000.0, dtype=torch.float64), even / d_model)
    table = torch.zeros(max_len, d_model)
    table[:, 0::2] = torch.sin(angle).to(table.dtype)
    table[:, 1::2] = torch.cos(angle)[:, : d_model // 2].to(table.dtype)
    return table


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.pos = nn.Parameter(torch.zeros(max_len, d_model))
        nn.init.normal_(self.pos, std=0.02)

    def forward(self, x):
        n = x.size(1)
        if n > self.pos.size(0):
            raise ValueError(f"x has length {n}, but max_len={self.pos.size(0)}")
        return x + self.pos[:n]
