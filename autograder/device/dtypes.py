"""The CPU in another floating dtype, as a place to compute at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autograder.device.place import Watch


class Converted:
    """What has a floating dtype comes here as `dtype`; what leaves keeps the dtype that it has."""

    reports = True
    draws_alike = False  # as many random numbers, but others

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.is_floating_point():
            return tensor
        brought = tensor.detach().to(self._dtype)
        return brought.requires_grad_() if tensor.requires_grad else brought

    def bring_generator(self, generator: torch.Generator) -> torch.Generator:
        return generator

    def settle(self, module: torch.nn.Module) -> None:
        module.to(self._dtype)

    def holds(self, tensor: torch.Tensor) -> bool:
        return True

    def take_home(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def replace(self, tensor: torch.Tensor, new: torch.Tensor) -> None:
        tensor.data = self.bring(new.detach())

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        seen = Watch()
        try:
            yield seen
        finally:
            seeded = torch.Generator().manual_seed(torch.initial_seed())  # as it was before the call
            seen.is_random = not torch.equal(seeded.get_state(), torch.get_rng_state())


class Autocast(Converted):
    """float32 under `torch.autocast`, which computes products in bfloat16."""

    def __init__(self) -> None:
        super().__init__(torch.float32)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        with super().watch() as seen, torch.autocast("cpu", dtype=torch.bfloat16):
            yield seen
