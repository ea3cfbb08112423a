"""A real accelerator: CUDA, Apple's mps, or whatever else torch.accelerator finds."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from autograder.device.place import Sighting, Watch

_SYNCHRONISES = re.compile("synchroniz", re.IGNORECASE)


def found() -> torch.device | None:
    """The machine's accelerator, or None."""
    if not torch.accelerator.is_available():
        return None
    device = torch.accelerator.current_accelerator()
    assert device is not None  # it says that there is one
    return torch.device(device.type, torch.accelerator.current_device_index())


class Accelerator:
    """Computes on `device`. `files` are the submission's file names, as they stand in tracebacks.

    Apple's mps knows no float64: such tensors are brought there as float32, and compared as that.
    """

    reports = True
    draws_alike = False

    def __init__(self, device: torch.device, files: Collection[str]) -> None:
        self._device = device
        self._files = files
        self._is_narrow = device.type == "mps"

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._is_narrow and tensor.dtype is torch.float64:
            tensor = tensor.float()
        brought = tensor.detach().to(self._device)
        return brought.requires_grad_() if tensor.requires_grad else brought

    def bring_generator(self, generator: torch.Generator) -> torch.Generator:
        # Another algorithm, so other numbers: a call that draws some is compared by its devices only.
        return torch.Generator(self._device).manual_seed(generator.initial_seed())

    def settle(self, module: torch.nn.Module) -> None:
        if self._is_narrow and any(p.dtype is torch.float64 for p in module.parameters()):
            module.float()
        module.to(self._device)

    def holds(self, tensor: torch.Tensor) -> bool:
        return tensor.device == self._device

    def take_home(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.cpu()

    def replace(self, tensor: torch.Tensor, new: torch.Tensor) -> None:
        tensor.data = self.bring(new)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        seen = Watch()
        with _without_tf32(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            random_before = self._random_state()
            try:
                with self._synchronisation_warned_of():
                    yield seen
            finally:
                seen.is_random = not torch.equal(random_before, self._random_state())
        for warning in caught:
            if warning.filename in self._files and _SYNCHRONISES.search(str(warning.message)):
                seen.transfers.append(
                    Sighting("waits for the GPU, to read or copy a value", warning.filename, warning.lineno)
                )

    def _random_state(self) -> torch.Tensor:
        state: torch.Tensor = copy.copy(torch.get_device_module(self._device).get_rng_state())
        return state

    @contextmanager
    def _synchronisation_warned_of(self) -> Iterator[None]:
        if self._device.type != "cuda":
            yield
            return
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Products in full float32: TF32 keeps ten bits of a number, and would hide what is compared here."""
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
