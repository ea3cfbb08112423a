"""Runs one operator as a CUDA device would: by its rules about devices, on the values of the host."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from autograder.simulated import log
from autograder.simulated.kernels import KERNELS
from autograder.simulated.rules import (
    COPIES,
    FILLS,
    HOST_RESULTS,
    INDEX_PUTS,
    breach,
    name_of,
    transfer_kind,
    written,
)
from autograder.simulated.tensor import HOST, DeviceTensor, is_cuda

# They change a tensor's shape in place, which a wrapper cannot follow.
_RESIZING = frozenset({torch.ops.aten.resize_.default, torch.ops.aten.resize_as_.default})
# What they return is their first argument, or lies where it does.
_FOLLOW_THE_FIRST = COPIES | FILLS.keys() | INDEX_PUTS | {torch.ops.aten.bernoulli_.Tensor}


class Dispatch(TorchDispatchMode):
    """While it is entered, operators that make tensors on "cuda" make `DeviceTensor`s."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else every operator pays for a wrapper against a compiler that never runs here

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return run(operator, args, kwargs or {})


def run(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of `operator`, on the device where CUDA would leave it.

    Raises `log.DeviceMismatch`, and notes it, where CUDA would raise for the devices of the arguments.
    """
    leaves = [*_leaves(args), *_leaves(kwargs.values())]
    device = kwargs.get("device")
    is_made_there = is_cuda(device)
    if not is_made_there and not any(isinstance(x, DeviceTensor) for x in leaves):
        return operator(*args, **kwargs)
    notes = log.current()
    if (message := breach(operator, args, kwargs, leaves)) is not None:
        raise notes.breach(name_of(operator), message)
    if (kind := transfer_kind(operator, args, kwargs)) is not None:
        floating = kind == "copy" and any(
            isinstance(x, DeviceTensor) and x.is_floating_point() for x in leaves
        )
        notes.transfer(name_of(operator), kind, is_of_numbers=floating)

    host_args, host_kwargs = _unwrapped(args), {k: _unwrapped(x) for k, x in kwargs.items()}
    if is_made_there:
        host_kwargs["device"] = HOST
    result = KERNELS.get(operator, operator)(*host_args, **host_kwargs)

    if not _lies_on_the_device(operator, args, kwargs, leaves):
        return result
    if operator in HOST_RESULTS:
        there = HOST_RESULTS[operator]
        return tuple(x if i == there else DeviceTensor(x) for i, x in enumerate(result))
    wrapped = _wrapped(result)
    if not _aliases(operator):
        return wrapped
    if not operator._schema.is_mutable:
        return return_and_correct_aliasing(operator, args, kwargs, wrapped)
    if operator in _RESIZING:
        raise log.NotSimulated(f"{name_of(operator)} on the simulated device")
    wrapped = return_and_correct_aliasing(operator, args, kwargs, wrapped)
    for x in written(operator, args, kwargs):
        if isinstance(x, DeviceTensor) and x.host.shape != x.shape:
            raise log.NotSimulated(f"{name_of(operator)} into a tensor of another shape")
    return wrapped


@functools.cache
def _aliases(operator: Any) -> bool:
    """Whether what it returns is, or lies in, one of its arguments."""
    schema = operator._schema
    return any(each.alias_info is not None for each in (*schema.arguments, *schema.returns))


def _leaves(arguments: Any) -> Iterator[Any]:
    """An operator's arguments, and what the lists among them hold: they are nested no deeper."""
    for x in arguments:
        if isinstance(x, (list, tuple)):
            yield from x
        else:
            yield x


def _unwrapped(x: Any) -> Any:
    if isinstance(x, DeviceTensor):
        return x.host
    return type(x)(map(_unwrapped, x)) if isinstance(x, (list, tuple)) else x


def _wrapped(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return DeviceTensor(x)
    return type(x)(map(_wrapped, x)) if isinstance(x, (list, tuple)) else x


def _lies_on_the_device(
    operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Any]
) -> bool:
    if kwargs.get("device") is not None:
        return is_cuda(kwargs["device"])
    if operator in _FOLLOW_THE_FIRST:
        return isinstance(args[0], DeviceTensor) or not isinstance(args[0], torch.Tensor)
    return any(isinstance(x, DeviceTensor) for x in leaves)
