"""What a course says of time: due dates, late work, extensions, and when hidden checks are told.

It stands in `course.toml` at the course's root; without that file nothing is ever due:

    time_zone = "Europe/Berlin"   # whose days and clock changes count; UTC if absent
    hidden = "never"              # for every unit that does not say otherwise; so may `late`

    [unit.a3_attention]
    due = 2026-11-22T23:59:00+01:00
    late = { percent = 10, per = "day", cap = 50, grace_minutes = 15 }   # or "none"
    hidden = "after-due"          # or "never", "always"

    [unit.a3_attention.extensions]
    ada = 2026-11-29T23:59:00+01:00   # another due date
    blaise = 3                        # days more

A day ends at the same time by the clock as the one before, also where the clocks change that night.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from autograder.course import Course
from autograder.toml_lists import read_toml

POLICY = "course.toml"
_YEARS = range(2000, 2200)  # far from where dates overflow
_MOST_DAYS = 3660


class PolicyError(Exception):
    """The policy cannot be read or asked so; the message is one sentence for people."""


class HiddenChecks(StrEnum):
    """When a student is told of the checks that students do not have."""

    NEVER = "never"
    AFTER_DUE = "after-due"
    ALWAYS = "always"


@dataclass(frozen=True)
class Late:
    """`percent` of the maximum per started `day` or `hour` after due and grace, up to `cap` percent."""

    percent: float
    per: str
    cap: float = 100.0
    grace: timedelta = timedelta()


@dataclass(frozen=True)
class UnitPolicy:
    """What holds for one unit; `extensions` are the due dates of single students."""

    due: datetime | None = None
    late: Late | None = None
    hidden: HiddenChecks = HiddenChecks.NEVER
    extensions: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """What holds for every unit of the course, and the zone in which its days pass."""

    units: Mapping[str, UnitPolicy]
    zone: tzinfo = UTC

    def due(self, student: str, unit: str) -> datetime | None:
        """When a student's work is due. Raises PolicyError for an unknown unit."""
        of_unit = self._of(unit)
        return of_unit.extensions.get(student, of_unit.due)

    def late_penalty(
        self, points: float, max_points: float, submitted_at: datetime, student: str, unit: str
    ) -> float:
        """The points that lateness costs, of `points` earned: never more than these.

        The grace puts off every edge: who is late by a day and less than the grace is late by one day.
        Raises PolicyError for an unknown unit, a time without a zone or points that are no such.
        """
        if not (math.isfinite(points) and math.isfinite(max_points) and points >= 0):
            raise PolicyError(f"{points} of {max_points} points cannot be reduced.")
        due, late = self.due(student, unit), self._of(unit).late
        handed_in = _aware(submitted_at)
        if due is None or late is None or handed_in <= due + late.grace:
            return 0.0
        start = due.astimezone(UTC) + late.grace
        elapsed = handed_in.astimezone(UTC) - start
        if late.per == "hour":
            started = -(-elapsed // timedelta(hours=1))
        else:
            started = max(0, elapsed.days - 1)
            while days_later(start, started, self.zone) < handed_in:
                started += 1
        return min(points, max_points * min(late.cap, late.percent * started) / 100)

    def hidden_visible(self, unit: str, student: str, now: datetime) -> bool:
        """Whether a student's report may tell of hidden checks: `after-due`, once the student's own due
        date is over, and never where nothing is due.

        Raises PolicyError for an unknown unit or a time without a zone.
        """
        hidden, due = self._of(unit).hidden, self.due(student, unit)
        if hidden is HiddenChecks.AFTER_DUE:
            return due is not None and _aware(now) > due
        return hidden is HiddenChecks.ALWAYS

    def _of(self, unit: str) -> UnitPolicy:
        if unit not in self.units:
            known = ", ".join(self.units) or "none yet"
            raise PolicyError(f"there is no unit {unit!r}; the units of this course are: {known}.")
        return self.units[unit]


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise PolicyError(f"{moment.isoformat()} has no time zone, so nobody can say whether it is late.")
    return moment


def days_later(moment: datetime, days: int, zone: tzinfo) -> datetime:
    """The same time by the zone's clock some days later; of two such moments the later one."""
    local = moment.astimezone(zone) + timedelta(days=days)  # by the clock: both have the same zone
    return max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def read_policy(course: Course, students: Collection[str] | None = None) -> Policy:
    """The policy in the course's `course.toml`; where there is none, nothing is due.

    `students`, where they are known, are those that an extension may name. Raises PolicyError where the
    file is malformed or names an unknown key, unit or student.
    """
    names = [unit.name for unit in course.units]
    path = course.root / POLICY
    if not path.exists():
        return Policy({name: UnitPolicy() for name in names})
    table = read_toml(path, POLICY, PolicyError)
    _reject_unknown(table, ("time_zone", "hidden", "late", "unit"), POLICY, "key")
    zone = _zone(table)
    tables = _table(table.get("unit", {}), f"{POLICY}: 'unit'")
    _reject_unknown(tables, names, POLICY, "unit")
    late, hidden = _late(table, POLICY, None), _hidden(table, POLICY, HiddenChecks.NEVER)
    units = {}
    for name in names:
        where = f"{POLICY}: unit.{name}"
        of_unit = _table(tables.get(name, {}), where)
        _reject_unknown(of_unit, ("due", "late", "hidden", "extensions"), where, "key")
        due = _moment(of_unit["due"], f"{where}: 'due'", zone) if "due" in of_unit else None
        extended = _table(of_unit.get("extensions", {}), f"{where}: 'extensions'")
        if students is not None:
            _reject_unknown(extended, sorted(students), f"{where}: 'extensions'", "student")
        extensions = {
            student: _extension(value, f"{where}: the extension of {student!r}", due, zone)
            for student, value in extended.items()
        }
        units[name] = UnitPolicy(
            due, _late(of_unit, where, late), _hidden(of_unit, where, hidden), extensions
        )
    return Policy(units, zone)


def _zone(table: Mapping[str, Any]) -> tzinfo:
    name = table.get("time_zone", "UTC")
    try:
        if not isinstance(name, str):
            raise ValueError(name)
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise PolicyError(
            f"{POLICY}: 'time_zone' {name!r} is no known zone; write one such as 'Europe/Berlin'."
        ) from None


def _moment(value: Any, where: str, zone: tzinfo) -> datetime:
    if isinstance(value, datetime) and value.year in _YEARS:
        if value.tzinfo is not None:
            return value
        fixed = value.replace(tzinfo=zone).isoformat()
        raise PolicyError(f"{where} has no offset from UTC; write {fixed}, if that is what is meant.")
    if type(value) is date and value.year in _YEARS:
        fixed = datetime(value.year, value.month, value.day, 23, 59, tzinfo=zone).isoformat()
        raise PolicyError(f"{where} has no time; write {fixed}, if that is what is meant.")
    raise PolicyError(
        f"{where} must be a time with an offset, such as 2026-11-22T23:59:00+01:00, not {value!r}."
    )


def _extension(value: Any, where: str, due: datetime | None, zone: tzinfo) -> datetime:
    if due is None:
        raise PolicyError(f"{where} extends nothing: the unit has no 'due'.")
    if type(value) is int:  # a TOML boolean is a Python int
        if not 1 <= value <= _MOST_DAYS:
            raise PolicyError(f"{where} must be of 1 to {_MOST_DAYS} days, not {value}.")
        return days_later(due, value, zone)
    if not isinstance(value, date):
        raise PolicyError(f"{where} must be a number of days or a new due date, not {value!r}.")
    extended = _moment(value, where, zone)
    if extended < due:
        raise PolicyError(f"{where} is before the unit is due.")
    return extended


def _late(table: Mapping[str, Any], where: str, default: Late | None) -> Late | None:
    if "late" not in table:
        return default
    if table["late"] == "none":
        return None
    where = f"{where}: 'late'"
    if not isinstance(table["late"], dict):
        raise PolicyError(f"{where} must be 'none' or a table with 'percent' and 'per'.")
    late = table["late"]
    _reject_unknown(late, ("percent", "per", "cap", "grace_minutes"), where, "key")
    if late.get("per") not in ("day", "hour"):
        raise PolicyError(f"{where}: 'per' must be 'day' or 'hour', not {late.get('per')!r}.")
    return Late(
        _number(late, "percent", where, None, 100),
        late["per"],
        _number(late, "cap", where, 100.0, 100),
        timedelta(minutes=_number(late, "grace_minutes", where, 0.0, 60 * 24 * 7)),
    )


def _hidden(table: Mapping[str, Any], where: str, default: HiddenChecks) -> HiddenChecks:
    value = table.get("hidden", default.value)
    if value not in [each.value for each in HiddenChecks]:
        known = ", ".join(HiddenChecks)
        raise PolicyError(f"{where}: 'hidden' must be one of {known}, not {value!r}.")
    return HiddenChecks(value)


def _number(table: Mapping[str, Any], key: str, where: str, default: float | None, most: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise PolicyError(f"{where}: {key!r} must be a number from 0 to {most:g}, not {value!r}.")
    return float(value)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{where} must be a table, not {value!r}.")
    return value


def _reject_unknown(table: Mapping[str, Any], known: Collection[str], where: str, kind: str) -> None:
    for key in sorted(table.keys() - set(known)):
        raise PolicyError(f"{where}: unknown {kind} {key!r}; known are {', '.join(known) or 'none'}.")
