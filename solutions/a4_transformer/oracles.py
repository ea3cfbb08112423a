"""What the exercises of layers.py compute, by other means; blocks are compared with PyTorch's own."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def feed_forward(x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    """Token by token, as many biases as there are; Φ(a) is erfc(-a/√2) / 2."""
    zero = x.new_zeros(())
    tokens = []
    for token in x.reshape(-1, x.shape[-1]):
        inner = parameters["w_1"].mv(token) + parameters.get("b_1", zero)
        inner = inner * torch.erfc(-inner / math.sqrt(2)) / 2
        tokens.append(parameters["w_2"].mv(inner) + parameters.get("b_2", zero))
    return torch.stack(tokens).reshape(x.shape)
