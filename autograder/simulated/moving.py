"""Takes what a submission is given to the simulated device, and what it answers back."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_map

from autograder.simulated import log
from autograder.simulated.dispatch import Dispatch
from autograder.simulated.functions import Functions
from autograder.simulated.generator import DeviceGenerator, HostGenerator, continued
from autograder.simulated.tensor import DeviceTensor, wrapped_like


def is_on_device(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, DeviceTensor)


def to_device(x: Any) -> Any:
    """`x` on the simulated device: tensors, generators, modules, and lists, tuples and dicts of them.

    A leaf becomes a leaf with the same `requires_grad`; what has a graph becomes a differentiable copy. A
    tensor that stands in several places stays one tensor. A generator's copy goes on where it stands. A
    module is moved in place. What has a `to` of its own (a PackedSequence, a graph of PyG) is asked; all else
    is returned as it is. Raises RuntimeError outside a `SimulatedDevice`.
    """
    if not log.is_entered():
        raise RuntimeError("to_device: no simulated device is entered")
    moved: dict[int, Any] = {}

    def move(x: Any) -> Any:
        if id(x) not in moved:
            moved[id(x)] = _to_device(x)
        return moved[id(x)]

    return tree_map(move, x, is_leaf=_has_own_to)


def to_host(x: Any) -> Any:
    """The reverse of `to_device`, also after the device was left; tensors come back detached from graphs."""
    return tree_map(_to_host, x, is_leaf=_has_own_to)


def _has_own_to(x: Any) -> bool:
    return isinstance(x, torch.nn.utils.rnn.PackedSequence)


def _to_device(x: Any) -> Any:
    if isinstance(x, DeviceTensor):
        return x
    if isinstance(x, torch.Tensor):
        return wrapped_like(x, x.detach().clone()) if x.is_leaf else x.to("cuda")
    if isinstance(x, HostGenerator):
        return x if isinstance(x, DeviceGenerator) else continued(x, on_device=True)
    return x.to("cuda") if hasattr(x, "to") and not isinstance(x, type) else x


def _to_host(x: Any) -> Any:
    if isinstance(x, DeviceTensor):
        host = x.host.detach().clone()
        if isinstance(x, torch.nn.Parameter):
            return torch.nn.Parameter(host, x.requires_grad)
        return host.requires_grad_(x.requires_grad and x.is_leaf)
    if isinstance(x, DeviceGenerator):
        return continued(x, on_device=False)
    if isinstance(x, torch.Tensor) or not hasattr(x, "to") or isinstance(x, type):
        return x
    with Functions(), Dispatch():
        return x.to("cpu")
