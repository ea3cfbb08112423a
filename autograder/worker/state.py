"""What a worker knows of a submission's modules: their tensors, and which of them a call changed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autograder.worker.values import same_bits, state_tensors


@dataclass(frozen=True)
class Snapshot:
    """A module's state before a call: clones, or what tells that a tensor was changed in place."""

    training: bool
    tensors: dict[str, torch.Tensor | tuple[int, int]]


class State:
    """A module's parameters and buffers, found once: looking them up costs more than a small forward pass."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self.tensors = state_tensors(module)

    def snapshot(self, *, by_value: bool) -> Snapshot:
        """`by_value` also tells what is changed behind autograd's back, as `p.data -= …` does: a module that
        is handed to a function may be trained there. A forward pass is taken not to do that to parameters;
        to buffers it is what it does: batch normalisation writes them without a trace."""

        def kept(tensor: torch.Tensor) -> torch.Tensor | tuple[int, int]:
            by_identity = not by_value and isinstance(tensor, torch.nn.Parameter)
            return _identity(tensor) if by_identity else tensor.detach().clone()

        return Snapshot(self.module.training, {name: kept(t) for name, t in self.tensors.items()})

    def changes_since(self, before: Snapshot) -> dict[str, torch.Tensor]:
        if any(isinstance(was, torch.Tensor) for was in before.tensors.values()):
            self.tensors = state_tensors(self.module)  # one may have been put in another's place

        def changed(name: str, tensor: torch.Tensor) -> bool:
            was = before.tensors.get(name)
            if was is None:
                return False  # a new name: the grader does not know it
            return not same_bits(tensor, was) if isinstance(was, torch.Tensor) else _identity(tensor) != was

        return {name: tensor for name, tensor in self.tensors.items() if changed(name, tensor)}


def _identity(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor._version
