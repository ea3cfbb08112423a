"""States of generators that would have torch read beyond their words."""

import struct
import sys

import torch
from honest import scale  # noqa: F401

values = sys.modules["autograder.worker.values"]
position = values.Lowering._position


def forged(self, key, tensor):
    if tensor.dtype is torch.uint8 and tensor.numel() == 5056:
        tensor = tensor.clone()
        tensor[8:24] = torch.tensor(list(struct.pack("=iiQ", 624, 1, 624)), dtype=torch.uint8)
    return position(self, key, tensor)


values.Lowering._position = forged


def noise(n, generator):
    return torch.randn(n, generator=generator)
