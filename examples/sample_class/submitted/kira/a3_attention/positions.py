import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    columns = []
    for c in range(d_model):
        angle = torch.arange(max_len).double() * 10000.0 ** (-2 * (c // 2) / d_model)
        columns.append([torch.sin, torch.cos][c % 2](angle))
    return torch.stack(columns, 1).to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.positions = nn.Embedding(max_len, d_model)
        self.register_buffer("index", torch.arange(max_len), persistent=False)

    def forward(self, x):
        if x.shape[1] > len(self.index):
            raise ValueError(f"x: {x.shape[1]} steps do not fit into max_len={len(self.index)}")
        return x + self.positions(self.index[: x.shape[1]])
