import torch


def padding_mask(lengths, max_len):
    """True for real tokens."""
    pos = torch.arange(max_len, device=lengths.device)[None, :]
    return pos < lengths.unsqueeze(1)


def causal_mask(size):
    """True below the diagonal."""
    return torch.tril(torch.ones(size, size, dtype=torch.bool), diagonal=-1)
