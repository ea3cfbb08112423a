"""Mutants that mean the same as the solution, with the reason why no check could catch them.

They stand in `solutions/<unit>/equivalents.toml`, one table each:

    [[equivalent]]
    exercise = "rnn_step"
    before = "return a + b"
    after = "return b + a"
    reason = "…"

`before` and `after` are the lines that change, as the audit prints them; lines that read the same and are
changed in the same way are one entry. An entry that matches no mutant any more is an error.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.audit.mutants import Mutant
from autograder.course import CourseError
from autograder.toml_lists import read_entries

EQUIVALENTS = "equivalents.toml"
KEYS = ("exercise", "before", "after", "reason")


class EquivalentError(CourseError):
    """An entry of an equivalents.toml cannot be used; the message is one sentence that says which and why."""


@dataclass(frozen=True)
class Equivalent:
    """The change of `before` into `after` in `exercise` changes nothing that could be asked for: `reason`."""

    exercise: str
    before: str
    after: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        return (self.exercise, self.before, self.after) == (mutant.exercise, mutant.before, mutant.after)


def load_equivalents(path: Path, mutants: Iterable[Mutant]) -> list[Equivalent]:
    """The entries of one unit; none where there is no such file.

    Raises EquivalentError at the first entry that is malformed or matches none of the unit's `mutants`.
    """
    where = "/".join(path.parts[-3:])
    known = {(mutant.exercise, mutant.before, mutant.after) for mutant in mutants}
    equivalents: list[Equivalent] = []
    entries = read_entries(path, "equivalent", where, EquivalentError) if path.exists() else []
    for number, entry in enumerate(entries, 1):
        equivalent = _read_equivalent(entry, f"{where}: equivalent {number}")
        key = (equivalent.exercise, equivalent.before, equivalent.after)
        if key not in known:
            raise EquivalentError(
                f"{where}: equivalent {number} matches no mutant of {equivalent.exercise!r} any more: "
                f"{equivalent.before!r} -> {equivalent.after!r}."
            )
        if any(each.exercise == key[0] and (each.before, each.after) == key[1:] for each in equivalents):
            raise EquivalentError(f"{where}: equivalent {number} is listed twice: {equivalent.after!r}.")
        equivalents.append(equivalent)
    return equivalents


def _read_equivalent(entry: dict[str, Any], where: str) -> Equivalent:
    for key in sorted(entry.keys() - set(KEYS)):
        raise EquivalentError(f"{where}: unknown key {key!r}; known are {', '.join(KEYS)}.")
    for key in KEYS:
        value = entry.get(key)
        if value is None:
            raise EquivalentError(f"{where}: {key!r} is missing.")
        if not isinstance(value, str) or not (value.strip() or key == "after"):
            raise EquivalentError(f"{where}: {key!r} must be a text that is not empty, not {value!r}.")
    lines = {key: textwrap.dedent(entry[key]).strip() for key in KEYS}
    return Equivalent(**lines)
