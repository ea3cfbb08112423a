import torch


def padding_mask(lengths, max_len):
    t = torch.arange(1, max_len + 1, device=lengths.device)
    return t[None] <= lengths[:, None]


def causal_mask(size):
    return torch.ones((size, size), dtype=torch.bool).triu().T
