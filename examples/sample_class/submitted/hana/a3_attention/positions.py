import torch
from torch import nn


def sinusoidal_positions(max_len, d_model):
    position = torch.arange(max_len, dtype=torch.float64)[:, None]
    column = torch.arange(d_model)
    angle = position / 10000.0 ** (2 * torch.div(column, 2, rounding_mode="floor") / d_model)
    table = angle.sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table.to(torch.get_default_dtype())


class LearnedPositions(nn.Module):
    def __init__(self, max_len, d_model):
        super().__init__()
        self.max_len = max_len
        self.p = nn.Parameter(0.01 * torch.randn(1, max_len, d_model))

    def forward(self, x)
        steps = x.shape[1]
        if steps > self.max_len:
            raise ValueError(f"x is too long ({steps} steps, max_len is {self.max_len})")
        return x + self.p[:, :steps]
