"""Tables for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autograder.results import ExerciseResult, Status


def exercise_table(title: str, exercises: Iterable[ExerciseResult]) -> Table:
    """Exercises with their checks and points, and the sum."""
    exercises = list(exercises)
    table = Table(title=title, title_justify="left", show_footer=True)
    score = sum(exercise.score for exercise in exercises)
    total = sum(exercise.max_score for exercise in exercises)
    table.add_column("exercise", "in all")
    table.add_column("checks passed", justify="right")
    table.add_column("points", f"{points(score)} of {points(total)}", justify="right")
    for exercise in exercises:
        passed = sum(check.status is Status.PASSED for check in exercise.checks)
        style = "green" if passed == len(exercise.checks) else "yellow" if passed else "red"
        table.add_row(
            Text(exercise.name, style),
            f"{passed} of {len(exercise.checks)}",
            f"{points(exercise.score)} of {points(exercise.max_score)}",
        )
    return table


def points(value: float) -> str:
    """At most two decimals, and none where there are none."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def rendered(table: RenderableType, *, color: bool) -> str:
    """The text of a table, for a stream that is not Rich's."""
    console = Console(file=io.StringIO(), force_terminal=color, no_color=not color, width=100)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
