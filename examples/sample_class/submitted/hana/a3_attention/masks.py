import torch


def padding_mask(lengths, max_len):
    # one row of positions, compared with a column of lengths
    positions = torch.arange(max_len, device=lengths.device)
    return torch.lt(positions[None, :], lengths[:, None])


def causal_mask(size):
    future = torch.triu(torch.ones(size, size, dtype=torch.bool), diagonal=1)
    return torch.logical_not(future)
