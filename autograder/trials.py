"""Runs one check on one submission, live: Hypothesis draws, and shrinks what fails."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis.errors import UnsatisfiedAssumption

from autograder.check import Check, Failure
from autograder.checks.vacuity import watching
from autograder.errors import ModuleProblem, WorkerLost

Body = Callable[..., None]


@dataclasses.dataclass(frozen=True)
class RunnableCheck:
    """A collected check: its test function, and the arguments that are not drawn."""

    check: Check
    test: Body
    fixtures: dict[str, Any]


# pytest.fail, as pytest.raises uses it, is no Exception
FAILURES = (Exception, pytest.fail.Exception)


class _Enough(BaseException):
    """Ends Hypothesis's search: what it has found is told, and no exception handler is in the way."""


def run_live(
    check: Check,
    test: Body,
    fixtures: dict[str, Any],
    student: Callable[[], tuple[Any, Callable[[], str]]],
    start: int = 0,
    max_trials: int | None = None,
    max_seconds: float = math.inf,
) -> Failure | None:
    """Run `test` as Hypothesis would and return the smallest failure, or None.

    Where no case fails, but all of them hold of constants only, that is the failure, and of no single case.

    `student` gives, for each case, the submission at its start and a function that tells what it
    printed. Cases before number `start` are not run: that one is known to fail, and to be small. After
    `max_trials` more, or `max_seconds`, the smallest failure so far is told.
    """
    last: Failure | None = None
    trials = 0
    end = time.monotonic() + max_seconds

    def enough() -> bool:
        return (max_trials is not None and trials >= start + max_trials) or time.monotonic() > end

    def trial(body: Body, arguments: dict[str, Any]) -> None:
        nonlocal last, trials
        trials += 1
        if trials <= start:
            return
        printed: Callable[[], str] = str
        case = {name: value for name, value in arguments.items() if name not in fixtures}
        try:
            arguments["student"], printed = student()
            body(**arguments)
        except UnsatisfiedAssumption:
            raise
        except (ModuleProblem, WorkerLost, NotImplementedError) as error:
            # no smaller case would say more, and a hanging call is not tried twice
            last = Failure(error, case, printed())
            raise _Enough from None
        except FAILURES as error:
            # Hypothesis only tries what is simpler than the failure it knows: the last one is the smallest
            last = Failure(error, case, printed())
            if enough():
                raise _Enough from None
            raise
        if last is not None and enough():
            raise _Enough

    with watching() as seen:
        try:
            if is_property(test):
                with _body_replaced(test, trial):
                    test(**fixtures)
            else:
                trial(test, dict(fixtures))
        except (_Enough, *FAILURES):
            if last is None:
                raise  # not the submission's doing: a check that cannot be drawn, say
    if last is None and seen.is_vacuous:
        return Failure(seen.failure(), {})
    return last


def is_property(test: Body) -> bool:
    """Whether the test is a Hypothesis one."""
    return hasattr(test, "hypothesis")


def seed(test: Body, check: Check) -> None:
    """Make the cases depend on the check's id alone: not on its text, the process or a database."""
    if is_property(test):
        digest = hashlib.sha256(check.id.encode()).digest()
        hypothesis.seed(int.from_bytes(digest[:8], "big"))(test)


def draw_cases(test: Body, fixtures: dict[str, Any], most: int | None = None) -> list[dict[str, Any]]:
    """The cases that Hypothesis would run `test` on, the first `most` of them; a plain test has one, of no
    arguments."""
    if not is_property(test):
        return [{}]
    cases: list[dict[str, Any]] = []

    def record(body: Body, arguments: dict[str, Any]) -> None:
        cases.append({name: value for name, value in arguments.items() if name not in fixtures})
        if len(cases) == most:
            raise _Enough

    with _body_replaced(test, record), contextlib.suppress(_Enough):
        test(**fixtures)
    return cases


def body_of(test: Body) -> Body:
    """The function that takes the drawn arguments."""
    return test.hypothesis.inner_test if is_property(test) else test  # type: ignore[attr-defined]


def tensors_in(x: Any) -> Iterator[torch.Tensor]:
    """Every tensor in drawn arguments: in containers, and in the fields of dataclasses."""
    if isinstance(x, torch.Tensor):
        yield x
    elif isinstance(x, dict):
        yield from tensors_in(list(x.values()))
    elif isinstance(x, list | tuple):
        for item in x:
            yield from tensors_in(item)
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        for field in dataclasses.fields(x):
            yield from tensors_in(getattr(x, field.name))


@contextmanager
def _body_replaced(test: Body, replacement: Callable[[Body, dict[str, Any]], None]) -> Iterator[None]:
    handle = test.hypothesis  # type: ignore[attr-defined]
    body = handle.inner_test

    @functools.wraps(body)
    def replaced(**arguments: Any) -> None:
        replacement(body, arguments)

    handle.inner_test = replaced
    try:
        yield
    finally:
        handle.inner_test = body
