"""A class on disk, laid out as nbgrader lays it: submitted/<student>/<unit>/*.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course


@dataclass(frozen=True)
class Task:
    """One submission to grade."""

    student: str
    unit: str
    folder: Path


@dataclass(frozen=True)
class Rejected:
    """Something in the class's folder that cannot be graded, in one sentence."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def read_class(submitted: Path, course: Course, unit: str | None = None) -> tuple[list[Task], list[Rejected]]:
    """What there is to grade in `submitted`, by student and unit, and what cannot be.

    With `unit`, only that one's submissions. Names beginning with a dot are passed over in silence
    (.git, .DS_Store). Raises OSError where `submitted` itself cannot be listed.
    """
    known = [u.name for u in course.units]
    tasks: list[Task] = []
    rejected: list[Rejected] = []
    for student in _visible(submitted):
        folder = submitted / student
        if problem := _not_a_folder(folder) or _bad_name(student):
            rejected.append(Rejected(_shown(student), problem))
            continue
        inside = _visible(folder)
        units = [name for name in inside if name in known]
        if not units:
            rejected.append(
                Rejected(
                    _shown(student),
                    f"holds no unit's folder; submissions lie in {submitted.name}/<student>/<unit>/ "
                    f"and the units are {', '.join(known)}.",
                )
            )
        for name in inside:
            if (folder / name).is_dir() and name not in known and units:
                rejected.append(
                    Rejected(
                        f"{_shown(student)}/{_shown(name)}", f"is no unit; the units are {', '.join(known)}."
                    )
                )
        for name in units:
            if unit is not None and name != unit:
                continue
            if problem := _not_a_folder(folder / name):
                rejected.append(Rejected(f"{_shown(student)}/{name}", problem))
            else:
                tasks.append(Task(student, name, folder / name))
    return tasks, rejected


def _visible(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def _not_a_folder(path: Path) -> str | None:
    if path.is_symlink():
        return "is a symbolic link; submissions are read from real folders only."
    if not path.is_dir():
        return "is a file, not a folder; unpack it first."
    if not os.access(path, os.R_OK | os.X_OK):
        return "may not be read; check its permissions."
    return None


def _bad_name(student: str) -> str | None:
    try:
        student.encode()
    except UnicodeEncodeError:
        return "the name is not valid UTF-8, so no gradebook could hold it; rename the folder."
    if not student.isprintable():
        return "the name holds control characters; rename the folder."
    return None


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
