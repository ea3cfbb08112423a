import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    half = (d_model + 1) // 2
    frequency = 10000.0 ** (-2 * torch.arange(half, dtype=torch.float64) / d_model)
    angle = torch.arange(max_len)[:, None] * frequency
    pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)
    return pairs.reshape(max_len, 2 * half)[:, :d_model].to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.learned = nn.Parameter(torch.randn(max_len, d_model) / 10)

    def forward(self, x):
        max_len = self.learned.shape[0]
        if x.shape[1] > max_len:
            raise ValueError(f"x.shape[1]={x.shape[1]} > max_len={max_len}")
        return x + self.learned.narrow(0, 0, x.shape[1])
