import math

import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    rows = []
    for pos in range(max_len):
        row = []
        for c in range(d_model):
            x = pos / 10000 ** (2 * (c // 2) / d_model)
            row.append(math.cos(x) if c % 2 else math.sin(x))
        rows.append(row)
    return torch.tensor(rows)


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.emb = nn.Embedding(max_len, d_model)

    def forward(self, x):
        T = x.shape[1]
        if T > self.max_len:
            raise ValueError(f"input x of length {T} longer than {self.max_len}")
        return x + self.emb(torch.arange(T, device=x.device))
