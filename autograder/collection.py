"""From collected pytest items to checks: what belongs to which exercise, and is worth how much."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.check import Check, read_check, share_points
from autograder.course import Parity
from autograder.parity.item import ParityItem

if TYPE_CHECKING:
    from autograder.course import Unit

CHECK = pytest.StashKey[Check]()


def assign_checks(items: list[pytest.Item], root: Path) -> dict[str, dict[str, float]]:
    """Give every item that is a check its Check, with its share; add the checks of parity.

    Returns each unit's points by exercise, in the order of its manifest in the course at `root`.
    """
    from autograder.trials import seed

    found = {item: check for item in items if (check := read_check(item)) is not None}
    points: dict[str, dict[str, float]] = {}
    for name in sorted({check.unit for check in found.values()}):
        unit = _unit(root, name)
        for added in _parity_items({i: c for i, c in found.items() if c.unit == name}, unit.parities):
            found[added] = added.check()
            items.append(added)
        shared, totals = share_points(check for check in found.values() if check.unit == name)
        known = [exercise.name for exercise in unit.exercises]
        points[name] = {exercise: totals[exercise] for exercise in known if exercise in totals}
        for item, check in found.items():
            if check.unit == name:
                if check.exercise not in points[name]:
                    raise pytest.UsageError(
                        f"{check.id}: {check.exercise} is no exercise of assignments/{name}/unit.toml."
                    )
                item.stash[CHECK] = shared[check.id]
                if not check.is_parity:
                    seed(item.obj, check)  # type: ignore[attr-defined]
    return points


def arguments(item: pytest.Function) -> dict[str, Any]:
    """The fixtures that a test function takes, by name."""
    return {name: item.funcargs[name] for name in item._fixtureinfo.argnames}


def parameters(item: pytest.Item) -> dict[str, Any]:
    """What `arguments` will give of a test that is not set up yet."""
    callspec = getattr(item, "callspec", None)
    return {"student": None, **({} if callspec is None else callspec.params)}


def _parity_items(checks: dict[pytest.Item, Check], parities: Collection[Parity]) -> list[ParityItem]:
    """One item an exercise and parity, beside its first check; a public one, if it has any."""
    first: dict[str, tuple[pytest.Item, Check]] = {}
    for item, check in sorted(checks.items(), key=lambda pair: not pair[1].is_public):
        first.setdefault(check.exercise, (item, check))
    added = []
    for exercise, (item, check) in first.items():
        module = item.getparent(pytest.Module)
        assert module is not None  # a test function lies in one
        for parity in parities:
            added.append(
                ParityItem.from_parent(module, parity=parity, exercise=exercise, points=check.points)
            )
    return added


def _unit(root: Path, name: str) -> Unit:
    from autograder.course import Course, CourseError

    try:
        return Course.find(root).unit(name)
    except CourseError as error:
        raise pytest.UsageError(str(error)) from None
