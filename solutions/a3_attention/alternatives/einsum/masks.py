import torch
from torch import Tensor


def padding_mask(lengths: Tensor, max_len: int) -> Tensor:
    return torch.arange(max_len, device=lengths.device) < lengths.unsqueeze(-1)


def causal_mask(size: int) -> Tensor:
    i = torch.arange(size)
    return i[:, None] >= i
