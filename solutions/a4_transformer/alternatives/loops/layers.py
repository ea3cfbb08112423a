"""Layers on bare parameters."""

import torch
from torch import nn


def gelu(x):
    return 0.5 * x * torch.erfc(-x * 0.5**0.5)


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.full((d_model,), 1.0))
        self.bias = nn.Parameter(torch.full((d_model,), 0.0))
        self.eps = eps

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        std = (torch.einsum("...d,...d->...", centred, centred) / x.shape[-1] + self.eps).sqrt()
        return self.weight * (centred / std[..., None]) + self.bias


def weight(out_size, in_size):
    """A weight (out, in) that keeps the size of what it is given."""
    return nn.Parameter(torch.randn(out_size, in_size) / in_size**0.5)


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.0):
        super().__init__()
        self.w_up, self.b_up = weight(d_ff, d_model), nn.Parameter(torch.zeros(d_ff))
        self.w_down, self.b_down = weight(d_model, d_ff), nn.Parameter(torch.zeros(d_model))
        self.dropout = dropout

    def forward(self, x):
        hidden = gelu(x @ self.w_up.T + self.b_up)
        out = hidden @ self.w_down.T + self.b_down
        return nn.functional.dropout(out, self.dropout, self.training)
