"""Masks, one entry at a time."""

import torch


def padding_mask(lengths, max_len):
    rows = []
    for n in lengths.tolist():
        rows.append([t < n for t in range(max_len)])
    return torch.tensor(rows, dtype=torch.bool, device=lengths.device)


def causal_mask(size):
    mask = torch.zeros(size, size, dtype=torch.bool)
    for i in range(size):
        for j in range(i + 1):
            mask[i, j] = True
    return mask
