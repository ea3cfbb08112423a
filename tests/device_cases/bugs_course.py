"""Bugs of this course's exercises, written after the simulation and not used to make it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.device_cases import CLASSES, DIM, NODES, TIME, WORDS, bug


@bug("sequence")
class StartStateMadeInTheConstructor(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_hidden = nn.Linear(2 * DIM, DIM)
        self.start = torch.zeros(1, DIM)

    def forward(self, x):
        state = self.start.expand(x.size(0), -1)
        for t in range(x.size(1)):
            state = torch.tanh(self.to_hidden(torch.cat([x[:, t], state], -1)))
        return state


@bug("sequence")
class CellStateOfAnLSTMCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(DIM, DIM)

    def forward(self, x):
        hidden = x.new_zeros(x.size(0), DIM)
        memory = torch.zeros(x.size(0), DIM)
        for t in range(x.size(1)):
            hidden, memory = self.cell(x[:, t], (hidden, memory))
        return hidden


@bug("sequence", "lengths")
def mask_of_lengths_by_a_cpu_arange(x, lengths):
    mask = torch.arange(x.size(1)) < lengths[:, None]
    return x * mask[..., None]


@bug("sequence", "lengths")
def last_steps_by_cpu_rows(x, lengths):
    rows = torch.arange(x.size(0)).view(-1, 1, 1)
    last = (lengths - 1).view(-1, 1, 1)
    return torch.take_along_dim(x, (last + 0 * rows).expand(-1, 1, DIM), 1)


@bug("sequence")
class SinusoidsBuiltOnDemand(nn.Module):
    def forward(self, x):
        position = torch.arange(x.size(1)).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, DIM, 2) * (-math.log(1e4) / DIM))
        encoding = torch.zeros(x.size(1), DIM)
        encoding[:, 0::2] = torch.sin(position * frequency)
        encoding[:, 1::2] = torch.cos(position * frequency)
        return x + encoding


@bug("query", "key", "value")
class KeyCacheOnTheCPU(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys = torch.empty(2, 0, DIM)
        self.values = torch.empty(2, 0, DIM)

    def forward(self, query, key, value):
        self.keys = torch.cat([self.keys, key], 1)
        self.values = torch.cat([self.values, value], 1)
        return (query @ self.keys.mT).softmax(-1) @ self.values


@bug("logits")
def beam_scores_kept_on_the_cpu(logits):
    scores = torch.zeros(logits.size(0), 1)
    return (scores + logits.log_softmax(-1)).flatten().topk(3).values


@bug("logits")
def finished_beams_on_the_cpu(logits):
    finished = torch.tensor([True, False])
    return torch.where(finished[:, None], float("-inf"), logits)


@bug("logits", "generator")
def cpu_draws_for_a_device_generator(logits, generator):
    noise = torch.rand(logits.shape, generator=generator)
    return (logits + noise.to(logits.device)).argmax(-1)


@bug("nodes", "edges")
def degrees_counted_on_the_cpu(x, edges):
    degree = torch.zeros(NODES).scatter_add_(0, edges[1].cpu(), torch.ones(edges.size(1)))
    return x / degree.clamp(min=1)[:, None]


@bug("nodes", "edges")
def maximum_of_messages_into_the_cpu(x, edges):
    target = edges[1][:, None].expand(-1, DIM)
    return torch.full((NODES, DIM), -1e9).scatter_reduce(0, target, x[edges[0]], "amax")


@bug("nodes", "edges")
def adjacency_put_together_on_the_cpu(x, edges):
    adjacency = torch.zeros(NODES, NODES)
    adjacency.index_put_((edges[0], edges[1]), torch.ones(edges.size(1)))
    return adjacency @ x


@bug("nodes", "edges")
def normalised_adjacency_with_a_cpu_diagonal(x, edges):
    adjacency = x.new_zeros(NODES, NODES)
    adjacency[edges[0], edges[1]] = 1
    scale = torch.diag(torch.ones(NODES) / math.sqrt(2))
    return scale @ adjacency @ x


@bug("nodes", "graph_of_node")
def pooling_into_a_cpu_tensor(x, graph_of_node):
    pooled = torch.zeros(2, DIM)
    for graph in range(2):
        pooled[graph] = x[graph_of_node == graph].mean(0)
    return pooled


class _SquareWithACPUFactor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * x * torch.tensor([2.0])


@bug("sequence")
def backward_with_a_factor_of_one_element(x):
    return _SquareWithACPUFactor.apply(x)


class _GradientBroughtToTheCPU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.cpu().clamp(-1, 1)


@bug("sequence")
def backward_that_returns_to_the_cpu(x):
    return _GradientBroughtToTheCPU.apply(x)


@bug("sequence")
def back_propagation_by_hand_through_a_cpu_buffer(x):
    x = x.detach()
    gradient = torch.zeros(x.size(0), DIM)
    for t in reversed(range(x.size(1))):
        gradient = gradient + x[:, t]
    return gradient


@bug("sequence")
def momentum_kept_on_the_cpu(x):
    weight = torch.ones(DIM, device=x.device, requires_grad=True)
    velocity = torch.zeros(DIM)
    (x.detach() * weight).sum().backward()
    velocity.mul_(0.9).add_(weight.grad)
    return weight.detach() - velocity


@bug("sequence")
def bins_searched_on_the_cpu(x):
    return torch.searchsorted(torch.linspace(-1, 1, 5), x.detach())


@bug("sequence")
def clamped_by_bounds_in_tensors(x):
    return torch.clamp(x, torch.tensor(-1.0), torch.tensor(1.0))


@bug("ids")
def one_hot_of_all_words_looked_up(ids):
    return F.embedding(ids, torch.eye(WORDS))


@bug("logits", "labels")
def smoothed_targets_on_the_cpu(logits, labels):
    targets = torch.full((labels.size(0), CLASSES), 0.1 / (CLASSES - 1))
    targets.scatter_(1, labels[:, None], 0.9)
    return -(targets * logits.log_softmax(-1)).sum()


@bug("query", "key")
def distances_as_a_cpu_bias(query, key):
    steps = torch.arange(TIME)
    bias = -(steps[:, None] - steps).abs()
    return (query @ key.mT + bias).softmax(-1)


@bug("sequence")
def moved_but_not_kept(x):
    mask = torch.ones(TIME, 1)
    mask.to(x.device)
    return x * mask


@bug("sequence")
def legacy_type_takes_it_to_the_cpu(x):
    return (x > 0).type(torch.LongTensor).sum(-1)
