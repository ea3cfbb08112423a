"""Tables for a terminal, and the words that pages share with them."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autograder.results import DeviceState, ExerciseResult, Status, UnitResult

# A word and a style for a table each.
ON_A_GPU = {
    DeviceState.VERIFIED: ("verified", "green"),
    DeviceState.SIMULATED: ("simulated", "green"),
    DeviceState.UNVERIFIABLE: ("not verifiable here", "dim"),
    DeviceState.DIFFERS: ("differs", "red"),
}


def exercise_table(title: str, exercises: Iterable[ExerciseResult]) -> Table:
    """Exercises with their checks and points, what is known of them on a GPU, and the sum."""
    exercises = list(exercises)
    table = Table(title=title, title_justify="left", show_footer=True)
    score = sum(exercise.score for exercise in exercises)
    total = sum(exercise.max_score for exercise in exercises)
    table.add_column("exercise", "in all")
    table.add_column("checks passed", justify="right")
    table.add_column("points", f"{points(score)} of {points(total)}", justify="right")
    has_devices = any(exercise.device for exercise in exercises)
    if has_devices:
        table.add_column("on a GPU")
    for exercise in exercises:
        passed, counted = exercise.passed, len(exercise.counted)
        style = "green" if passed == counted else "yellow" if passed else "red"
        cells: list[Text | str] = [
            Text(exercise.name, style),
            f"{passed} of {counted}",
            f"{points(exercise.score)} of {points(exercise.max_score)}",
        ]
        if has_devices:
            cells.append(Text(*ON_A_GPU[exercise.device.state]) if exercise.device else "")
        table.add_row(*cells)
    return table


def advice(exercises: Iterable[ExerciseResult]) -> list[str]:
    """What to say of exercises that work on a GPU and in every dtype, and could do better: a line each."""
    lines: dict[str, list[str]] = {}
    for exercise in exercises:
        for check in exercise.checks:
            if check.verdict is not None and check.status is Status.PASSED:
                for text in check.verdict.detail.splitlines():
                    lines.setdefault(text, []).append(exercise.name)
    return [f"advice for {', '.join(names)}: {text}" for text, names in lines.items()]


def what_happened(result: UnitResult) -> str:
    """The kinds of failures, counted, the graver first."""
    checks = [check for exercise in result.exercises for check in exercise.checks]
    unwritten = sum("raises NotImplementedError" in check.message for check in checks)
    counts = {status: sum(check.status is status for check in checks) for status in Status}
    words = {
        Status.CRASHED: "crashed",
        Status.TIMEOUT: "timed out",
        Status.ERROR: "not importable",
    }
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    if counts[Status.FAILED] - unwritten:
        parts.append(f"{counts[Status.FAILED] - unwritten} failed")
    if unwritten:
        parts.append(f"{unwritten} not written")
    judged = len(checks) - counts[Status.SKIPPED]
    return ", ".join(parts) + f" of {judged} checks" if parts else f"all {judged} checks passed"


def points(value: float) -> str:
    """At most two decimals, and none where there are none."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def rendered(table: RenderableType, *, color: bool) -> str:
    """The text of a table, for a stream that is not Rich's."""
    console = Console(file=io.StringIO(), force_terminal=color, no_color=not color, width=100)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
