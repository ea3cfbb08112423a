"""Laws that hold of anything, zeros included: they are worth nothing to what computes nothing.

Whatever the masked keys are, zeros stay zeros. In one case the right result may well be a constant (a
single key, everything masked), so the engine judges by all cases of a check: assertions note what the
submission computed, and where that never took two values, the check fails.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from autograder.checks.describe import describe_number
from autograder.checks.failure import CheckFailure
from autograder.checks.judged import judging


class Seen:
    """The range of the finite values that a submission computed in one check, result by result."""

    def __init__(self) -> None:
        self._ranges: dict[str, tuple[float, float]] = {}
        self._varies = False

    def add(self, value: Any, what: str) -> None:
        """Take in a tensor, a number, a list of things of one kind, or a tuple of different ones."""
        # "loss of step 3" is the loss as much as that of step 4 is.
        self._add(value, re.sub(r"\d+", "…", what))

    def include(self, other: Seen) -> None:
        """Take in what was seen in another case of the check."""
        for what, (low, high) in other._ranges.items():
            self._widen(what, low, high)

    @property
    def is_vacuous(self) -> bool:
        """Whether something was computed, and every result was one constant, or never finite."""
        return bool(self._ranges) and not self._varies

    def failure(self) -> CheckFailure:
        """What to say of a vacuous check."""
        texts = {what: _constant(low) for what, (low, _) in self._ranges.items()}
        if len(texts) > 1 and len(set(texts.values())) == 1:
            texts = {"every result": next(iter(texts.values()))}
        constants = ", ".join(f"{what} is {text}" for what, text in texts.items())
        return CheckFailure(
            ("wrong", f"{constants} in every case, whatever goes in"),
            because="a constant obeys this law without computing anything",
        )

    def _add(self, value: Any, what: str) -> None:
        if self._varies:
            return  # it can only go on varying: right code pays for one look
        if isinstance(value, tuple):
            for i, item in enumerate(value):
                self._add(item, f"{what}[{i}]")
        elif isinstance(value, list):
            for item in value:
                self._add(item, what)
        elif isinstance(value, int | float):
            self._extend(torch.tensor(value), what)
        elif isinstance(value, Tensor) and value.numel():
            self._extend(value.detach(), what)

    def _extend(self, values: Tensor, what: str) -> None:
        values = torch.view_as_real(values) if values.is_complex() else values
        finite = values[values.isfinite()]
        if finite.numel():
            self._widen(what, finite.min().item(), finite.max().item())
        else:
            self._widen(what, math.inf, -math.inf)

    def _widen(self, what: str, low: float, high: float) -> None:
        known = self._ranges.get(what, (math.inf, -math.inf))
        self._ranges[what] = low, high = min(known[0], low), max(known[1], high)
        self._varies |= low < high


_SEEN: ContextVar[Seen | None] = ContextVar("_SEEN", default=None)


@contextmanager
def watching() -> Iterator[Seen]:
    """Collect what is noted within, and nothing of it further out: the engine runs a check's cases in it."""
    seen = Seen()
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def note(value: Any, what: str = "output") -> None:
    """Tell the engine that the submission computed `value`: a tensor, a number, a list or tuple of these.

    For a law that compares a submission with itself by other means than the assertions of this package,
    which note by themselves. A check whose noted results are constants, all cases taken together, fails;
    one that notes nothing is not judged.
    """
    judging(value, what)
    seen = _SEEN.get()
    if seen is not None:
        seen.add(value, what)


def _constant(low: float) -> str:
    return describe_number(low) if math.isfinite(low) else "NaN or infinite"
