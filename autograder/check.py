"""A check: one pytest test that belongs to an exercise, and how one run of it ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Parity

DEFAULT_SECONDS = 4.0


@dataclass(frozen=True)
class Check:
    """`points` is the exercise's total; `share` of it hangs on this check. `seconds` is what one
    call of the submission may take in CPU time. A check of `parity` runs cases of the others."""

    id: str
    exercise: str
    points: float
    law: str
    module: str
    unit: str
    seconds: float
    share: float = 0.0
    parity: Parity | None = None

    @property
    def is_public(self) -> bool:
        return self.id.startswith("assignments/")

    @property
    def is_parity(self) -> bool:
        return self.parity is not None

    @property
    def is_slow(self) -> bool:
        """Whether it asked for more time than checks have: it trains something."""
        return self.seconds > DEFAULT_SECONDS


@dataclass(frozen=True)
class Failure:
    """What a check found: the error, and the (smallest) case that shows it."""

    error: BaseException
    case: dict[str, Any]
    printed: str = ""


def read_check(item: pytest.Item) -> Check | None:
    """The check that `item` is, or None for a test that belongs to no exercise. Raises pytest.UsageError."""
    mark = item.get_closest_marker("exercise")
    if mark is None:
        return None
    where = item.nodeid
    options = dict(mark.kwargs)
    points, seconds = options.pop("points", None), options.pop("seconds", DEFAULT_SECONDS)
    if len(mark.args) != 1 or not isinstance(mark.args[0], str) or options:
        raise pytest.UsageError(
            f"{where}: write the mark as exercise(name, points=…) or exercise(name, points=…, seconds=…)."
        )
    for name, value in (("points", points), ("seconds", seconds)):
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or value <= 0
        ):
            raise pytest.UsageError(f"{where}: {name} must be a positive finite number, not {value!r}.")
    path = Path(item.path)
    if not path.stem.startswith("test_"):
        raise pytest.UsageError(f"{where}: the file of a check is named test_<module>.py.")
    function = getattr(item, "originalname", item.name)
    variant = item.name[len(function) :].strip("[]")
    parity: Parity | None = getattr(item, "parity", None)
    if parity is not None:
        law = parity.value
    else:
        law = function.removeprefix("test_").replace("_", " ") + (f" ({variant})" if variant else "")
    # public and hidden files have the same name: the folder above the unit tells them apart
    check_id = f"{path.parent.parent.name}/{path.parent.name}/{path.name}::{item.name}"
    return Check(
        check_id,
        mark.args[0],
        float(points),
        law,
        module=path.stem[5:],
        unit=path.parent.name,
        seconds=float(seconds),
        parity=parity,
    )


def share_points(checks: Iterable[Check]) -> tuple[dict[str, Check], dict[str, float]]:
    """Every check by id, with its share of the exercise's points, and each exercise's total.

    Raises pytest.UsageError where two checks of an exercise give it different points.
    """
    checks = list(checks)
    totals: dict[str, float] = {}
    for check in checks:
        if totals.setdefault(check.exercise, check.points) != check.points:
            raise pytest.UsageError(
                f"{check.id}: {check.exercise} is worth {check.points:g} points here and "
                f"{totals[check.exercise]:g} in another check; give the exercise's total in both."
            )
    count = {name: sum(check.exercise == name for check in checks) for name in totals}
    shared = {
        check.id: Check(**{**check.__dict__, "share": check.points / count[check.exercise]})
        for check in checks
    }
    return shared, totals
