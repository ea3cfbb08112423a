import torch


def padding_mask(lengths, max_len):
    return torch.tensor([[t < int(n) for t in range(max_len)] for n in lengths], device=lengths.device)


def causal_mask(size):
    return torch.tensor([[j <= i for j in range(size)] for i in range(size)])
