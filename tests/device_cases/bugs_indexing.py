"""Bugs: indices and what is written by them, on different devices."""

from __future__ import annotations

import torch

from tests.device_cases import BATCH, CLASSES, DIM, NODES, TIME, bug


@bug("sequence")
def gather_by_cpu_positions(x):
    return x.gather(1, torch.zeros(BATCH, 1, DIM, dtype=torch.long))


@bug("sequence")
def shuffled_by_index_select(x):
    return x.index_select(1, torch.randperm(x.size(1)))


@bug("sequence")
def scatter_of_cpu_ones(x):
    first = torch.zeros(BATCH, 1, DIM, dtype=torch.long, device=x.device)
    return x.scatter(1, first, torch.ones(BATCH, 1, DIM))


@bug("sequence")
def rows_written_by_position(x):
    x = x.clone()
    x[torch.tensor([0, 1])] = torch.zeros(2, TIME, DIM)
    return x


@bug("logits", "labels")
def one_hot_by_a_cpu_eye(logits, labels):
    return (logits * torch.eye(CLASSES)[labels]).sum()


@bug("labels")
def cpu_table_looked_up(labels):
    return torch.arange(10.0)[labels]


@bug("logits")
def beam_offsets(log_probability):
    _, best = log_probability.topk(2, -1)
    return best + torch.arange(BATCH)[:, None] * 10


@bug("nodes", "edges")
def messages_added_into_cpu_zeros(x, edges):
    return torch.zeros(NODES, DIM).index_add_(0, edges[1], x[edges[0]])


@bug("nodes", "edges")
def messages_scattered_into_cpu_zeros(x, edges):
    target = edges[1][:, None].expand(-1, DIM)
    return torch.zeros(NODES, DIM).scatter_add(0, target, x[edges[0]])
