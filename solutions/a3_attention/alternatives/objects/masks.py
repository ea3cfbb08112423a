import torch


def padding_mask(lengths, max_len):
    # step t (counted from 1) is real as long as t <= length
    steps = torch.ones(lengths.shape[0], max_len, dtype=torch.long, device=lengths.device).cumsum(dim=1)
    return torch.le(steps, lengths.view(-1, 1))


def causal_mask(size):
    return torch.ones(size, size).tril().bool()
