"""Correct: gradients, functional transforms and optimisers."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.device_cases import DIM, correct


@correct("sequence")
def ensemble_by_vmap(x):
    weights = torch.randn(3, DIM, DIM, device=x.device)
    return torch.vmap(lambda weight: x @ weight)(weights)


@correct("sequence")
def gradients_by_vmap(x):
    return torch.func.vmap(torch.func.grad(lambda v: (v * v).sum()))(x)


@correct("sequence")
def jacobian_in_reverse(x):
    return torch.func.jacrev(lambda v: v.tanh())(x[0, 0])


@correct("sequence")
def functional_call_with_other_parameters(x):
    linear = nn.Linear(DIM, DIM, device=x.device)
    parameters = {name: value * 1 for name, value in linear.named_parameters()}
    return torch.func.functional_call(linear, parameters, (x,))


@correct("sequence")
class CheckpointedNonReentrant(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, x):
        return checkpoint(self.linear, x, use_reentrant=False)


@correct("sequence")
class CheckpointedReentrant(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, x):
        return checkpoint(self.linear, x, use_reentrant=True)


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x > 0)


@correct("sequence")
def relu_with_its_own_backward(x):
    return _Relu.apply(x)


@correct("sequence")
def gradient_penalty(x):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    ((gradient.norm() - 1) ** 2).backward()
    return x.grad


@correct("sequence")
def three_optimisers(x):
    total = 0
    for optimiser_class in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        torch.manual_seed(0)
        model = nn.Linear(DIM, 1).to(x.device)
        optimiser = optimiser_class(model.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            loss = model(x.detach()).pow(2).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        total = total + loss.detach()
    return total


@correct("sequence")
def gradients_as_one_vector(x):
    model = nn.Linear(DIM, DIM, device=x.device)
    model(x.detach()).sum().backward()
    vector = nn.utils.parameters_to_vector(model.parameters())
    return vector.detach() * 0 + nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@correct("sequence")
def denoised_step_by_step(x):
    torch.manual_seed(3)
    for t in reversed(range(3)):
        noise = torch.randn_like(x) if t > 0 else torch.zeros_like(x)
        x = x * 0.9 + noise * 0.1
    return x


@correct("logits")
def distributions(mean):
    torch.manual_seed(0)
    normal = torch.distributions.Normal(mean, torch.ones_like(mean))
    categorical = torch.distributions.Categorical(logits=mean)
    divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    return (
        normal.log_prob(normal.rsample()).sum()
        + categorical.entropy().sum()
        + categorical.log_prob(categorical.sample()).sum()
        + divergence.sum()
    )
