"""What the exercises of this unit compute: plain loops for autograd, differences, least squares."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from assignments.a1_rnn.cases import BackwardCase, torch_rnn
from autograder.checks import central_slopes, gradients, leaf, leaves


def step(x: Tensor, h: Tensor, w_x: Tensor, w_h: Tensor, b: Tensor) -> Tensor:
    """Row by row."""
    return torch.stack([torch.tanh(w_x.mv(one) + w_h.mv(state) + b) for one, state in zip(x, h, strict=True)])


def truncated(case: BackwardCase) -> tuple[Tensor, ...]:
    """By x, h0, w_x, w_h and b: autograd through `k` steps for the gradient that enters at each step."""
    x, h0, *weights = inputs = leaves(case.inputs)
    totals = [torch.zeros_like(value) for value in inputs]
    for t in range(case.steps):
        first = max(0, t - case.k + 1)
        state = h0 if first == 0 else case.hs[:, first - 1]
        for s in range(first, t + 1):
            state = step(x[:, s], state, *weights)
        for total, share in zip(totals, gradients(state, inputs, [case.grad_hs[:, t]]), strict=True):
            total += share
    return tuple(totals)


def slopes(case: BackwardCase) -> tuple[Tensor, ...]:
    """The slope of Σ grad_hs · hs along a direction of each of x, h0, w_x, w_h and b, by central differences.

    The directions are those of `weights_like`.
    """

    def loss(inputs: Sequence[Tensor]) -> Tensor:
        return (case.grad_hs * torch_rnn(*inputs)[0]).sum()

    return central_slopes(loss, case.inputs)


def norms_on_the_way_back(case: BackwardCase) -> Tensor:
    """Of the gradient at every state, which autograd keeps on its way through a plain loop."""
    states = [leaf(case.hs[:, 0])]
    for t in range(1, case.steps):
        states.append(step(case.x[:, t], states[-1], *case.inputs[2:]))
    return torch.stack([grad.norm() for grad in gradients(states[-1], states, [case.grad_last])])


def feed_back(state: Mapping[str, Tensor], x: Tensor, targets: Tensor | None = None) -> Tensor:
    """An output-recurrent network, with the output of a step, or the target, fed to the next."""
    fed, outputs = x.new_zeros(len(x), len(state["c"])), []
    for t in range(x.shape[1]):
        hidden = step(x[:, t], fed, state["w_x"], state["w_y"], state["b"])
        outputs.append(torch.einsum("oh,bh->bo", state["v"], hidden) + state["c"])
        fed = outputs[-1] if targets is None else targets[:, t]
    return torch.stack(outputs, dim=1)


def least_squares(states: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """The ridge as so many more observations, of 0, which leaves ordinary least squares."""
    n, out = states.shape[1], targets.shape[1]
    more = ridge**0.5 * torch.eye(n, dtype=states.dtype)
    observed = torch.cat([targets, targets.new_zeros(n, out)])
    return torch.linalg.lstsq(torch.cat([states, more]), observed, driver="gelsd").solution.mT
