"""Where a case's calls are computed, as whoever makes them sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch


@dataclass(frozen=True)
class Sighting:
    """Something that a call did with a device, and the submission's line that did it, if it is known."""

    what: str
    file: str = ""
    line: int = 0
    function: str = ""
    code: str = ""


@dataclass
class Watch:
    """What was seen while code of a submission ran on a device.

    `breaches` are uses of tensors of two devices where a GPU allows none, also where the error was swallowed,
    `transfers` copies to the CPU. `is_random`: random numbers were drawn that are not those of the CPU.
    """

    breaches: list[Sighting] = field(default_factory=list)
    transfers: list[Sighting] = field(default_factory=list)
    is_random: bool = False


class Place(Protocol):
    """A device that tensors are brought to and taken home from.

    `reports` says whether there is anything to tell of what was seen, `draws_alike` whether random numbers
    are those that the CPU draws.
    """

    reports: bool
    draws_alike: bool

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of the CPU, with no history, on the device."""
        ...

    def bring_generator(self, generator: torch.Generator) -> torch.Generator:
        """A generator of the device that draws the same numbers, or as good ones, as one of the CPU."""
        ...

    def settle(self, module: torch.nn.Module) -> None:
        """Move a module there, in place, as a user does with `.to(device)`."""
        ...

    def holds(self, tensor: torch.Tensor) -> bool: ...

    def take_home(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor on the CPU; one that is there already comes back as it is."""
        ...

    def replace(self, tensor: torch.Tensor, new: torch.Tensor) -> None:
        """Give a parameter or buffer that lies there the values of `new`, a tensor of the CPU."""
        ...

    def watch(self) -> AbstractContextManager[Watch]:
        """Around everything that is done with what lies there."""
        ...


class Host:
    """The CPU itself: nothing is moved, nothing is told."""

    reports = False
    draws_alike = True

    def bring(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def bring_generator(self, generator: torch.Generator) -> torch.Generator:
        return generator

    def settle(self, module: torch.nn.Module) -> None:
        pass

    def holds(self, tensor: torch.Tensor) -> bool:
        return tensor.device.type == "cpu"

    def take_home(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def replace(self, tensor: torch.Tensor, new: torch.Tensor) -> None:
        tensor.data = new

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        yield Watch()


HOST = Host()
