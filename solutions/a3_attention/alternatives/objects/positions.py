import math

import torch
from torch import nn


class Wave:
    """A pair of columns of the table: sin and cos of one wavelength."""

    def __init__(self, pair, d_model):
        self.frequency = math.exp(-math.log(10000) * 2 * pair / d_model)

    def columns(self, positions):
        angle = positions * self.frequency
        return [torch.sin(angle), torch.cos(angle)]


def sinusoidal_positions(max_len, d_model):
    positions = torch.arange(max_len, dtype=torch.float64)
    columns = []
    for pair in range((d_model + 1) // 2):
        columns += Wave(pair, d_model).columns(positions)
    # an odd width has no room for the last cosine
    return torch.stack(columns[:d_model], dim=1).to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.lookup = nn.Embedding(max_len, d_model)

    def forward(self, x):
        if x.size(1) > self.max_len:
            raise ValueError(f"x.shape[1] = {x.size(1)} is more than max_len = {self.max_len}")
        return x + self.lookup(torch.arange(x.size(1), device=x.device)).unsqueeze(0)
