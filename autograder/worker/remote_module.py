"""A submission's nn.Module, as the grader holds it: parameters and buffers are here, its code is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from autograder.worker import wire
from autograder.worker.values import Lifting, Lowering

_MAX_MODULE_TENSORS = 10_000


class Caller(Protocol):
    """Calls what lives in the worker."""

    def call(self, target: str | int, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any: ...


class _Part(nn.Module):
    """A submodule of a RemoteModule: it holds parameters, so that their names are right, and does nothing."""

    def forward(self, *args: object, **kwargs: object) -> None:
        raise TypeError("a part of a submission's module cannot be called on its own; call the whole module")


class RemoteModule(nn.Module):
    """A submission's nn.Module: parameters and buffers live here and travel when they changed."""

    def __init__(self, conversation: Caller, description: wire.ModuleDescription, lifting: Lifting) -> None:
        super().__init__()
        self.__dict__["_conversation"] = conversation
        self.__dict__["_handle"] = description.state.handle
        tensors = {name: lifting.raw(ref.index) for name, ref in description.state.tensors.items()}
        if len(tensors) + len(description.aliases) > _MAX_MODULE_TENSORS:
            raise wire.WireError(f"a module of more than {_MAX_MODULE_TENSORS} tensors")
        if sum(name.count(".") for name in (*tensors, *description.aliases)) > 10 * _MAX_MODULE_TENSORS:
            raise wire.WireError("a module whose parts lie too deep")
        frozen = set(description.frozen)
        for name in description.parameters:
            tensors[name] = nn.Parameter(tensors[name], requires_grad=name not in frozen)
        parameters: dict[str, nn.Parameter] = {}
        buffers: dict[
            str, tuple[nn.Module, str]
        ] = {}  # by owner: a change of dtype puts another tensor there
        for name in (*tensors, *description.aliases):
            owner, leaf = self._owner(name)
            tensor = tensors[description.aliases.get(name, name)]
            if isinstance(tensor, nn.Parameter):
                owner.register_parameter(leaf, tensor)
                if name in tensors:
                    parameters[name] = tensor
            else:
                owner.register_buffer(leaf, tensor, persistent=name not in description.transient)
                if name in tensors:
                    buffers[name] = owner, leaf
        # what named_parameters and named_buffers would find again and again
        self.__dict__["_own_parameters"] = parameters
        self.__dict__["_own_buffers"] = buffers
        self.train(description.state.training)
        self._remember()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._conversation.call(self._handle, "", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # nn.Module asks by hasattr whether a name is free while the parts are put together
            if name.startswith("_") or "_known" not in self.__dict__:
                raise
            return lambda *args, **kwargs: self._conversation.call(self._handle, name, args, kwargs)

    def trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters that require grad, by name."""
        return ((name, p) for name, p in self.__dict__["_own_parameters"].items() if p.requires_grad)

    def changes(self, lowering: Lowering) -> wire.ModuleState | None:
        """What the worker does not know yet, which it is taken to know from now on."""
        changed = {
            name: lowering.tensor(tensor.detach())
            for name, tensor in self._tensors()
            if not _is_same(tensor, self.__dict__["_known"].get(name))
        }
        if not changed and self.training == self.__dict__["_known_mode"]:
            return None
        self._remember()
        return wire.ModuleState(self._handle, self.training, changed)

    def take_over(self, state: wire.ModuleState, lifting: Lifting) -> None:
        """What a call changed in the worker."""
        mine = dict(self._tensors())
        for name, ref in state.tensors.items():
            new = lifting.raw(ref.index)
            if new.shape != mine[name].shape:
                raise wire.WireError(f"{name} changed its shape")
            mine[name].data = new
        if state.training != self.training:
            self.train(state.training)
        self._remember()

    def _remember(self) -> None:
        self.__dict__["_known"] = {name: _identity(tensor) for name, tensor in self._tensors()}
        self.__dict__["_known_mode"] = self.training

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.__dict__["_own_parameters"].items()
        for name, (owner, leaf) in self.__dict__["_own_buffers"].items():
            yield name, owner.get_buffer(leaf)

    def _owner(self, name: str) -> tuple[nn.Module, str]:
        *path, leaf = name.split(".")
        owner: nn.Module = self
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, _Part())
            owner = owner.get_submodule(part)
        return owner, leaf


def _identity(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """What tells later whether `tensor` has new values; it keeps the storage, and so its address."""
    return tensor.detach(), tensor._version


def _is_same(tensor: torch.Tensor, known: tuple[torch.Tensor, int] | None) -> bool:
    if known is None:
        return False
    was, version = known
    return (tensor.data_ptr(), tensor._version, tensor.dtype) == (was.data_ptr(), version, was.dtype)
