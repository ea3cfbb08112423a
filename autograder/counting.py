"""Counts what a computation costs: no clock, so the same numbers on every machine.

The work is the elements of the floating-point tensors that operations make. A view makes none. Indices and
masks are counted apart: a Python loop that selects by a mask is slow, but does no more arithmetic. So are
operations: a loop dispatches more of them than one product, for the same work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Counter(TorchDispatchMode):
    """While it is entered, it counts what is made.

    `elements` are those of floating-point tensors, `discrete` those of integers and booleans (indices and
    masks), `operations` the dispatched operations, views too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0
        self.discrete = 0
        self.operations = 0
        self.is_paused = False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not self.is_paused:
            self.operations += 1
            there = {_storage(x) for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
            for x in tree_leaves(result):
                if isinstance(x, torch.Tensor) and _storage(x) not in there:
                    self._made(x)
        return result

    def _made(self, x: torch.Tensor) -> None:
        size = x.numel() if x.layout is torch.strided else x._nnz()
        if x.is_floating_point() or x.is_complex():
            self.elements += size
        else:
            self.discrete += size


_COUNTER: ContextVar[Counter | None] = ContextVar("_COUNTER", default=None)


@contextmanager
def counting() -> Iterator[Counter]:
    """Count what is computed within, in this process or in a worker on its behalf.

    In a worker that is what calls of the submission do, not a later `backward` through what they returned.
    """
    counter = Counter()
    token = _COUNTER.set(counter)
    try:
        with counter:
            yield counter
    finally:
        _COUNTER.reset(token)


def counter() -> Counter | None:
    """The counter of the innermost `counting`, if there is one."""
    return _COUNTER.get()


@contextmanager
def not_counted() -> Iterator[None]:
    """What is done within costs the submission nothing: it is the grader's own."""
    counter = _COUNTER.get()
    if counter is None or counter.is_paused:
        yield
        return
    counter.is_paused = True
    try:
        yield
    finally:
        counter.is_paused = False


def _storage(x: torch.Tensor) -> int:
    """Equal for a tensor and its views; a sparse tensor has no storage of its own."""
    return x.untyped_storage().data_ptr() if x.layout is torch.strided else id(x)
