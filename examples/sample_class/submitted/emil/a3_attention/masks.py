import torch


def padding_mask(lengths, max_len):
    return torch.stack([torch.arange(max_len, device=lengths.device) < n for n in lengths])


def causal_mask(size):
    return ~torch.ones(size, size, dtype=torch.bool).triu(diagonal=1)
