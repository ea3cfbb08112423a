"""Positions: attention alone cannot tell "dog bites man" from "man bites dog"."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal_positions(max_len: int, d_model: int) -> Float[Tensor, "max_len d_model"]:
    """Give every position a vector of sines and cosines of falling frequency.

    Column c of row p holds the sine (even c) or cosine (odd c) of p / 10000^(2⌊c/2⌋ / d_model).

    Positions count from 0. Any `d_model >= 1` works, also an odd one: the last column is then a sine
    without its cosine. The result has torch's default float dtype.

    Source: Vaswani et al. 2017, section 3.5.
    """
    ### BEGIN SOLUTION
    position = torch.arange(max_len, dtype=torch.float64).unsqueeze(1)
    column = torch.arange(d_model)
    # In float32 a late position's angle has few digits left after the period: round only at the end.
    angle = position / 10000 ** (2 * (column // 2).double() / d_model)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).to(torch.get_default_dtype())
    ### END SOLUTION


class LearnedPositions(nn.Module):
    """Add a vector of its own, learned, to every position: y[b, t] = x[b, t] + p[t]."""

    def __init__(self, max_len: int, d_model: int) -> None:
        """Hold `max_len` learnable vectors of size `d_model`; their names and initial values are free."""
        super().__init__()
        ### BEGIN SOLUTION
        self.positions = nn.init.normal_(nn.Parameter(torch.empty(max_len, d_model)), std=0.02)
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """Return x plus the first `time` vectors, the same for every row.

        An input longer than `max_len` is a ValueError that names `max_len` and the input's length.
        """
        ### BEGIN SOLUTION
        max_len, time = len(self.positions), x.shape[1]
        if time > max_len:
            raise ValueError(f"x must not be longer than max_len={max_len}, got {time} steps")
        return x + self.positions[:time]
        ### END SOLUTION
