"""`torch.Generator` where "cuda" is simulated: a generator of the device draws what the CPU's would."""

from __future__ import annotations

from typing import Any

import torch

from autograder.simulated.tensor import CUDA, is_cuda

HostGenerator = torch.Generator


class DeviceGenerator(HostGenerator):
    """A CPU generator that says `cuda:0`."""

    def __new__(cls) -> DeviceGenerator:
        return super().__new__(cls)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CUDA


class _EitherKind(type):
    def __call__(cls, device: Any = "cpu") -> HostGenerator:
        return DeviceGenerator() if is_cuda(device) else HostGenerator(device)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, HostGenerator)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, HostGenerator)


class Generator(metaclass=_EitherKind):
    """Takes the place of `torch.Generator`: makes the one or the other, and is the class of both."""


def continued(generator: HostGenerator, *, on_device: bool) -> HostGenerator:
    """A generator that goes on where `generator` stands."""
    new = DeviceGenerator() if on_device else HostGenerator()
    new.set_state(generator.get_state())
    return new
