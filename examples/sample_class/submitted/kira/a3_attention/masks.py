import torch


def padding_mask(lengths, max_len):
    grid = torch.arange(max_len, device=lengths.device).repeat(lengths.shape[0], 1)
    return grid < lengths.reshape(-1, 1)


def causal_mask(size):
    steps = torch.arange(size)
    return torch.ge(steps.reshape(-1, 1), steps)
