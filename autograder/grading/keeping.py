"""What was graded before: what need not be graded again, and what changes where it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.grading.class_folder import Task
from autograder.grading.pool import read_task
from autograder.results import UnitResult
from autograder.store.results import Graded, ResultStore
from autograder.submission import UnreadableSubmission
from autograder.table import points


@dataclass(frozen=True)
class Change:
    """The points of an exercise before and after; None where the course had no such exercise."""

    student: str
    unit: str
    exercise: str
    before: float | None
    after: float | None


def still_to_grade(
    course: Course, tasks: Iterable[Task], store: ResultStore
) -> tuple[list[Task], list[Graded]]:
    """The tasks whose submission or course changed since they were graded, and the results of the others.

    Raises StoreError at a stored result that cannot be read.
    """
    left, kept = [], []
    for task in tasks:
        before = store.get(task.student, task.unit)
        if before is not None and before.is_of(_digest(course, task), course.version):
            kept.append(before)
        else:
            left.append(task)
    return left, kept


def changes(before: UnitResult, after: UnitResult) -> list[Change]:
    """The exercises whose points are others than before, in the order of the course."""
    old = {exercise.name: exercise.score for exercise in before.exercises}
    new = {exercise.name: exercise.score for exercise in after.exercises}
    return [
        Change(after.student, after.unit, name, old.get(name), new.get(name))
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    ]


def change_table(found: Iterable[Change]) -> Table:
    """Who gains and who loses, exercise by exercise."""
    table = Table(title="graded again", title_justify="left")
    for heading in ("student", "unit", "exercise"):
        table.add_column(heading)
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right")
    for each in found:
        gain = (each.after or 0.0) - (each.before or 0.0)
        sign, style = ("+", "green") if gain > 0 else ("−", "red")
        table.add_row(
            Text(each.student),
            each.unit,
            each.exercise,
            *("–" if value is None else points(value) for value in (each.before, each.after)),
            Text(f"{sign}{points(abs(gain))}", style),
        )
    return table


def _digest(course: Course, task: Task) -> str:
    try:
        return read_task(course, task).digest
    except UnreadableSubmission:
        return ""  # told when it is graded
