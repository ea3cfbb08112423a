"""Which recorded cases are worth running elsewhere: those that call the submission as no other one does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

import torch

from autograder.worker import wire
from autograder.worker.links import RecordedStep, Transcript


class Novelty:
    """Remembers how a submission was called, by some key.

    Where tensors lie, and of which dtype they are, shows in the first case as well as in the tenth that
    differs from it in sizes and numbers only.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, set[Hashable]] = defaultdict(set)

    def is_new(self, key: Hashable, transcript: Transcript) -> bool:
        """Whether a step of this case is of a form that no case under `key` had; it has now."""
        forms = {_form(step) for step in transcript.steps}
        new = not forms <= self._seen[key]
        self._seen[key] |= forms
        return new


def _form(recorded: RecordedStep) -> Hashable:
    step = recorded.step
    match step:
        case wire.Call():
            args = tuple(_value(x, recorded.tensors) for x in step.args)
            kwargs = tuple((name, _value(x, recorded.tensors)) for name, x in step.kwargs.items())
            return step.target, step.name, args, kwargs, step.grad_enabled, recorded.raised
        case wire.Vjp():
            return "vjp", step.call
        case wire.Import():
            return "import", step.module


def _value(x: wire.Value, table: list[torch.Tensor]) -> Hashable:
    """A value but for its sizes and numbers: none, one and many are told apart."""
    match x:
        case wire.TensorRef(index):
            return "tensor", table[index].dtype, table[index].numel() > 0, x.strides is not None
        case wire.TupleOf(items) | wire.ListOf(items):
            return type(x).__name__, tuple(dict.fromkeys(_value(item, table) for item in items))
        case wire.DictOf(pairs):
            return "dict", tuple((_value(key, table), _value(item, table)) for key, item in pairs)
        case bool() | str() | None:
            return type(x).__name__, x
        case int():
            return "int", max(-1, min(x, 2))
    return type(x).__name__
