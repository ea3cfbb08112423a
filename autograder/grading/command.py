"""`autograder grade`: progress while it runs, a table and files at the end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.course import Course, CourseError
from autograder.grading.class_folder import Rejected, read_class
from autograder.grading.pool import grade_all
from autograder.results import UnitResult
from autograder.sandbox import SandboxError, prepare
from autograder.store.files import file_name, write_whole
from autograder.table import advice, points, what_happened


def grade_class(
    course: Course,
    submitted: Path,
    *,
    unit: str | None,
    jobs: int,
    json_file: Path | None,
    out: Path | None,
    sandboxed: bool,
) -> int:
    """Grade the class in `submitted` and return the exit status."""
    if unit is not None:
        course.unit(unit)  # an unknown one is bad usage
    for target in (json_file, out):
        if target is not None and not target.absolute().parent.is_dir():
            raise CourseError(f"{target} cannot be written: {target.absolute().parent} is no folder.")
    try:
        tasks, rejected = read_class(submitted, course, unit)
    except OSError as error:
        raise CourseError(
            f"{submitted} cannot be read ({(error.strerror or str(error)).lower()}); name the class's folder."
        ) from None
    if sandboxed:
        _require_seccomp()
    console, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    if not sandboxed:
        notes.print("[bold red]no sandbox:[/] submissions run with your rights on this machine.")

    results: list[UnitResult] = []
    interrupted = False
    outcomes = grade_all(course, tasks, jobs=jobs, sandboxed=sandboxed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=notes, transient=True) as progress:
            bar = progress.add_task("grading", total=len(tasks))
            for task, outcome in outcomes:
                progress.update(bar, advance=1, description=f"graded {escape(task.student)}")
                if isinstance(outcome, Rejected):
                    rejected.append(outcome)
                else:
                    results.append(outcome)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        # Also on Ctrl-C and on an error: what was graded is kept.
        results.sort(key=lambda result: (result.student, result.unit))
        if json_file is not None:
            write_whole(
                json_file,
                json.dumps(_document(course, results, rejected), ensure_ascii=False, indent=2) + "\n",
            )
        if out is not None:
            _write_reports(out, results)
    if results:
        console.print(class_table(results))
    for rejection in rejected:
        notes.print(Text.assemble(("not graded  ", "bold"), str(rejection)))
    if not tasks and not rejected:
        lay = f"lay them as {submitted.name}/<student>/<unit>/*.py."
        notes.print(Text(f"{submitted} holds no submission: {lay}"))
    if interrupted:
        notes.print(f"interrupted: {len(results)} of {len(tasks)} submissions are graded.")
    return 1 if rejected or interrupted or not tasks else 0


def class_table(results: list[UnitResult]) -> Table:
    """A line a submission: its score, and what to look at first."""
    table = Table(title="class", title_justify="left")
    for heading, justify in (
        ("student", "left"),
        ("unit", "left"),
        ("points", "right"),
        ("exercises", "right"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("what happened", overflow="fold")
    for result in results:
        full = sum(exercise.score == exercise.max_score for exercise in result.exercises)
        style = "green" if result.score == result.max_score else "red" if result.score == 0 else "yellow"
        table.add_row(
            Text(result.student),
            result.unit,
            Text(f"{points(result.score)} of {points(result.max_score)}", style),
            f"{full} of {len(result.exercises)}",
            Text(what_happened(result)),
        )
    return table


def _document(course: Course, results: list[UnitResult], rejected: list[Rejected]) -> dict[str, Any]:
    return {
        "course": {"name": course.root.name, "version": course.version},
        "results": [result.to_json() for result in results],
        "not_graded": [{"where": r.where, "reason": r.reason} for r in rejected],
    }


def report_text(result: UnitResult) -> str:
    """One submission's result as plain text: points by exercise, then every failure."""
    lines = [
        f"{result.student} · {result.unit}   {points(result.score)} of {points(result.max_score)} points",
        "",
    ]
    width = max((len(exercise.name) for exercise in result.exercises), default=0)
    for exercise in result.exercises:
        score = f"{points(exercise.score)} of {points(exercise.max_score)}"
        checks = f"{exercise.passed} of {len(exercise.counted)} checks"
        device = f"   on a GPU: {exercise.device.state}" if exercise.device else ""
        lines.append(f"  {exercise.name:<{width}}   {score:>12}   {checks}{device}")
    lines += [f"  note: {note}" for note in result.notes]
    lines += [f"  {line}" for line in advice(result.exercises)]
    for exercise in result.exercises:
        for check in exercise.checks:
            if check.message:
                lines += ["", check.message]
    return "\n".join(lines) + "\n"


def _write_reports(out: Path, results: list[UnitResult]) -> None:
    out.mkdir(exist_ok=True)
    for result in results:
        write_whole(out / f"{file_name(result.student)}.{result.unit}.txt", report_text(result))


def _require_seccomp() -> None:
    if sys.platform != "linux":
        raise CourseError(
            "submissions are graded in a sandbox that needs Linux; grade there, in a virtual machine or a "
            "container, or pass --no-sandbox for code that you trust."
        )
    try:
        prepare()
    except SandboxError as error:
        raise CourseError(
            f"{error}; grading needs it, unless you pass --no-sandbox for code that you trust."
        ) from None
