"""Finds out whether what a check asks depends on what it was answered.

Recorded steps are sent to later submissions ahead of time. A step that was made out of an earlier
answer would tell them that answer: it was given by somebody who passed. So the recorded case is run
once more on answers that are all different. If it then asks the very same steps, none of them can
have been made out of an answer; if it asks others, or ends early, it is never sent ahead.
"""

from __future__ import annotations

import msgspec
import torch

from autograder.worker import wire
from autograder.worker.links import Diverged, Transcript, same_tables
from autograder.worker.reached import AnswerCallback


class ShadowLink:
    """Answers the steps of a recorded case with other values of the same form."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._position = 0
        self.printed = ""

    @property
    def all_steps_asked(self) -> bool:
        """Whether every step of the transcript was asked, and none that it does not hold."""
        return self._position == len(self._transcript.steps)

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], answer_callback: AnswerCallback
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        position = self._position
        if position >= len(self._transcript.steps):
            self._position = -1
            raise Diverged
        recorded = self._transcript.steps[position]
        if step != recorded.step or not same_tables(tensors, recorded.tensors):
            self._position = -1
            raise Diverged
        self._position = position + 1
        result, table = self._transcript.answers[position]
        generator = torch.Generator().manual_seed(position)
        other = [_other_tensor(tensor, generator) for tensor in table]
        return _keep_states(_other_result(result), result, table, other)


def _other_result(result: wire.Result) -> wire.Result:
    if isinstance(result, wire.Returned):
        return msgspec.structs.replace(result, value=_other_value(result.value))
    return result


def _other_value(value: wire.Value) -> wire.Value:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value + 0.5
        case str():
            return value + "?"
        case wire.TupleOf(items):
            return wire.TupleOf([_other_value(x) for x in items])
        case wire.ListOf(items):
            return wire.ListOf([_other_value(x) for x in items])
        case wire.DictOf(pairs):
            return wire.DictOf([(key, _other_value(x)) for key, x in pairs])
    return value


def _other_tensor(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if x.dtype is torch.bool:
        return ~x
    if x.is_floating_point():
        return torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.dtype) + 0.5
    return x + 1


def _keep_states(
    result: wire.Result, original: wire.Result, table: list[torch.Tensor], other: list[torch.Tensor]
) -> tuple[wire.Result, list[torch.Tensor]]:
    """A generator's state cannot be any bytes: it is left as it was answered."""
    if isinstance(original, wire.Returned):
        for _, ref in original.mutated:
            if table[ref.index].dtype is torch.uint8:
                other[ref.index] = table[ref.index]
    return result, other
