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
    table = torch.zeros(max_len, d_model)
    p = torch.arange(max_len, dtype=torch.float64)
    for c in range(0, d_model, 2):
        angle = p / 10000 ** (c / d_model)
        table[:, c] = torch.sin(angle)
        if c + 1 < d_model:
            table[:, c + 1] = torch.cos(angle)
    return table


class LearnedPositions(nn.Module):
    """Add a vector of its own, learned, to every position: y[b, t] = x[b, t] + p[t]."""

    def __init__(self, max_len: int, d_model: int) -> None:
        """Hold `max_len` learnable vectors of size `d_model`; their names and initial values are free."""
        super().__init__()
        self.max_len = max_len
        self.embedding = nn.Embedding(max_len, d_model)

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """Return x plus the first `time` vectors, the same for every row.

        An input longer than `max_len` is a ValueError that names `max_len` and the input's length.
        """
        time = x.shape[1]
        if time > self.max_len:
            raise ValueError(f"x has {time} steps, but max_len is {self.max_len}")
        return x + self.embedding(torch.arange(time, device=x.device))
