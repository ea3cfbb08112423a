"""A gradient lies where its tensor does: the engine's check, which it spares subclasses of tensors.

A number on the wrong device is taken to the right one, all else is refused: `validate_outputs`, engine.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import torch

from autograder.simulated import log
from autograder.simulated.tensor import CUDA, HOST, is_cuda


def checked_first_gradients(make: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.autograd._make_grads`, where `backward` and `grad` take the gradients of the outputs from."""

    def checked(outputs: Any, gradients: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        made = make(outputs, gradients, *args, **kwargs)
        return tuple(
            _checked(gradient, output.device, f"invalid gradient at index {i}")
            if isinstance(output, torch.Tensor)
            else gradient
            for i, (output, gradient) in enumerate(zip(outputs, made, strict=True))
        )

    return checked


def checked_gradients(apply: Callable[..., Any]) -> Callable[..., Any]:
    """`BackwardCFunction.apply`, which calls the backward of an autograd.Function."""

    def checked(self: Any, *args: Any) -> Any:
        result = apply(self, *args)
        gradients = list(result) if isinstance(result, tuple) else [result]
        # One node for every input that wants a gradient, in their order.
        wanted = [i for i, is_wanted in enumerate(self.needs_input_grad) if is_wanted]
        nodes = [(node, index) for node, index in self.next_functions if node is not None]
        backward = getattr(self._forward_cls, "backward", None)
        for i, (node, index) in zip(wanted, nodes, strict=False):
            if i < len(gradients):
                said = f"Function {type(self).__name__} returned an invalid gradient at index {i}"
                device = node._input_metadata[index].device
                gradients[i] = _checked(gradients[i], device, said, getattr(backward, "__code__", None))
        return tuple(gradients) if isinstance(result, tuple) else gradients[0]

    return checked


def _checked(gradient: Any, device: torch.device, said: str, code: CodeType | None = None) -> Any:
    """`gradient` on `device`; raises, and notes, DeviceMismatch."""
    # Asked for its device, since a transform (torch.func) wraps tensors of the device in others.
    if not isinstance(gradient, torch.Tensor) or is_cuda(gradient.device) == is_cuda(device):
        return gradient
    if gradient.dim() == 0:
        return gradient.to(CUDA if is_cuda(device) else HOST)
    expected, got = ("cuda:0", "cpu") if is_cuda(device) else ("cpu", "cuda:0")
    raise log.current().breach("backward", f"{said} - expected device {expected} but got {got}", code)
