import torch
from torch import Tensor, nn


def sinusoidal_positions(max_len: int, d_model: int) -> Tensor:
    column = torch.arange(d_model)
    rate = 10000.0 ** -(2 * (column // 2) / d_model)
    angle = torch.outer(torch.arange(max_len, dtype=rate.dtype), rate)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())


class LearnedPositions(nn.Module):
    def __init__(self, max_len: int, d_model: int):
        super().__init__()
        self.table = nn.Parameter(torch.empty(max_len, d_model).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        length, max_len = x.shape[-2], self.table.shape[0]
        if length > max_len:
            raise ValueError(f"x is {length} long, the longest possible is max_len={max_len}")
        return x + self.table[:length]
