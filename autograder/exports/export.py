"""What every export is made of: results that are each there once, and scores that are numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autograder.course import Parity
from autograder.printable import printable
from autograder.results import CheckResult
from autograder.store.results import Graded

# The points to hand on for a result: what was earned, or that less what came too late.
Scores = Callable[[Graded], float]


class ExportError(Exception):
    """An export cannot be made; the message is one sentence for people."""


@dataclass(frozen=True)
class Export:
    """A file's text, and a sentence for every result that it does not hold."""

    text: str
    problems: tuple[str, ...] = ()


def earned(graded: Graded) -> float:
    """The points of the result itself."""
    return graded.result.score


def by_key(graded: Iterable[Graded]) -> dict[tuple[str, str], Graded]:
    """Results by student and unit, in this order. Raises ExportError where one comes twice."""
    found: dict[tuple[str, str], Graded] = {}
    for each in graded:
        if each.key in found:
            student, unit = map(shown, each.key)
            raise ExportError(f"{student} has two results for {unit}; export the one that counts.")
        found[each.key] = each
    return dict(sorted(found.items()))


def finite(value: float, graded: Graded) -> float:
    """The value. Raises ExportError for NaN and infinities, which some gradebooks read as full marks."""
    if not math.isfinite(value):
        student, unit = map(shown, graded.key)
        raise ExportError(f"the score of {student} for {unit} is {value}, which no gradebook can hold.")
    return value


def number(value: float) -> str:
    """At most four decimals, a point whatever the locale is, and neither exponent nor minus zero."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def is_hidden(check: CheckResult) -> bool:
    """Whether students do not have the check. Whatever is not known to be public is hidden."""
    return not check.id.startswith("assignments/")


def law(check: CheckResult) -> str:
    """The check's law as a report names it, read from its id."""
    function, _, variant = check.id.partition("::")[2].partition("[")
    for parity in Parity:
        if function == parity.test:
            return parity.value
    variant = f" ({variant.removesuffix(']')})" if variant else ""
    return printable(function.removeprefix("test_").replace("_", " ") + variant, keep="")


def shown(name: str) -> str:
    """A name for one line of text."""
    return printable(name, keep="")
