"""The simulated GPU as a place to compute at."""

from __future__ import annotations

import linecache
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from autograder.device.place import Sighting, Watch
from autograder.simulated import SimulatedDevice, Transfer, Violation, is_on_device, to_device, to_host


class Simulation:
    """Computes on a simulated GPU. `files` are the submission's file names, as they stand in tracebacks.

    Values are the CPU's own, random ones too.
    """

    reports = True
    draws_alike = True

    def __init__(self, files: Collection[str]) -> None:
        self._files = files

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        return to_device(tensor)

    def bring_generator(self, generator: torch.Generator) -> torch.Generator:
        return to_device(generator)

    def settle(self, module: torch.nn.Module) -> None:
        to_device(module)

    def holds(self, tensor: torch.Tensor) -> bool:
        return is_on_device(tensor)

    def take_home(self, tensor: torch.Tensor) -> torch.Tensor:
        return to_host(tensor) if is_on_device(tensor) else tensor

    def replace(self, tensor: torch.Tensor, new: torch.Tensor) -> None:
        tensor.data = to_device(new) if is_on_device(tensor) else new

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        seen = Watch()
        with SimulatedDevice(student_files=frozenset(self._files)) as device:
            yield seen
        for violation in device.violations:
            seen.breaches.append(_sighting(f"{violation.message} (in {violation.operator})", violation))
        for transfer in device.transfers:
            # What is done here to compare is no deed of the student's, and a value that decides what to do
            # next has to be read; a whole tensor of numbers need not be copied.
            if transfer.file and transfer.kind == "copy" and transfer.is_of_numbers:
                seen.transfers.append(_sighting("copies a tensor to the CPU", transfer))


def _sighting(what: str, seen: Violation | Transfer) -> Sighting:
    code = linecache.getline(seen.file, seen.line).strip()
    return Sighting(what, os.path.basename(seen.file), seen.line, seen.function, code)
