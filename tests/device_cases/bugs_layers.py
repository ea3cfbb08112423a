"""Bugs: state of a module that `.to(device)` does not find, and gradients made on the CPU."""

from __future__ import annotations

import torch
from torch import nn

from tests.device_cases import DIM, NODES, TIME, bug


@bug("sequence")
class EncodingAsAPlainAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoding = torch.randn(16, DIM)
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, x):
        return self.linear(x + self.encoding[: x.size(1)])


@bug("sequence")
class MaskAsAPlainAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = torch.triu(torch.ones(TIME, TIME, dtype=torch.bool), 1)

    def forward(self, x):
        scores = x @ x.transpose(1, 2)
        scores.masked_fill_(self.mask, -1e9)
        return scores.softmax(-1)


@bug("sequence")
class WeightsInADict(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = {"scale": torch.ones(DIM)}

    def forward(self, x):
        return x * self.weights["scale"]


@bug("sequence")
class LayersInAList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(DIM, DIM) for _ in range(2)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@bug("sequence")
class WeightAsAPlainTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.randn(DIM, DIM, requires_grad=True)

    def forward(self, x):
        return x @ self.weight


@bug("sequence")
class RunningMeanAsAPlainAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)
        self.mean = torch.zeros(DIM)

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean((0, 1))
        return self.linear(x) - self.mean


@bug("sequence", "steps")
class NoiseScheduleAsAPlainAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.schedule = torch.linspace(0.9, 0.1, 10)

    def forward(self, x, steps):
        return self.schedule[steps].view(-1, 1, 1) * x


class _ReluWithAMaskOnTheCPU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        mask = torch.zeros(x.shape)
        mask[x.cpu() > 0] = 1
        return gradient * mask


@bug("sequence")
def backward_that_makes_its_mask_on_the_cpu(x):
    return _ReluWithAMaskOnTheCPU.apply(x)


@bug("sequence")
def hook_that_multiplies_by_ones(x):
    y = x * 2
    y.register_hook(lambda gradient: gradient * torch.ones(gradient.shape))
    return y


@bug("nodes", "edges", needs="torch_geometric")
def edge_weights_of_message_passing(x, edges):
    from torch_geometric.nn import MessagePassing

    class Weighted(MessagePassing):
        def forward(self, x, edges):
            return self.propagate(edges, x=x, weight=torch.ones(edges.size(1)))

        def message(self, x_j, weight):
            return weight[:, None] * x_j

    return Weighted(aggr="add")(x, edges)


@bug("sequence")
def mismatch_swallowed(x):
    try:
        return x + torch.zeros(DIM)
    except RuntimeError:
        return (x.cpu() + torch.zeros(DIM)).to(x.device)


@bug("nodes")
class ReservoirAsAPlainAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.reservoir = torch.rand(DIM, DIM) / DIM
        self.readout = nn.Linear(DIM, 3)

    def forward(self, x):
        state = x.new_zeros(DIM)
        for row in x[:NODES]:
            state = torch.tanh(self.reservoir @ state + row)
        return self.readout(state)
