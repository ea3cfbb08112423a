import torch


def padding_mask(lengths, max_len):
    steps = torch.arange(max_len, device=lengths.device)
    return steps.expand(len(lengths), max_len) < lengths[:, None]


def causal_mask(size):
    query = torch.arange(size).reshape(size, 1)
    key = torch.arange(size).reshape(1, size)
    return key <= query
