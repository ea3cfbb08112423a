"""The findings of an audit as JSON, as Markdown, as a table for the README, and as one for a terminal."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from autograder.audit.findings import Counts, ExerciseFindings, Findings, UnitFindings, Verdict, total
from autograder.course import Course, CourseError

BEGIN, END = "<!-- audit -->", "<!-- /audit -->"
# Mutants that are caught are counted of all that were made, their share of those that are not equivalent.
COLUMNS = (
    "mistakes caught",
    "named",
    "mutants caught",
    "equivalent",
    "survivors",
    "share",
    "unrelated hits",
    "false alarms",
    "GPU bugs caught",
)


def document(findings: Findings, settings: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What stands in audit.json. All of it but `seconds` is the same in every run."""
    return {
        "seconds": round(seconds, 1),
        "settings": settings,
        "on_target": findings.is_on_target,
        "totals": _numbers(findings.counts),
        "not_judged": list(findings.not_judged),
        "units": [
            {
                "unit": unit.name,
                "totals": _numbers(unit.counts),
                "operators": _by_operator(unit),
                "exercises": [_exercise_document(exercise) for exercise in unit.exercises],
            }
            for unit in findings.units
        ],
    }


def markdown(findings: Findings) -> str:
    """What stands in audit.md: a table an exercise, then all that should not be, or needs a reason."""
    lines = ["# Audit of the checks", "", *summary(findings)]
    for unit in findings.units:
        rows = [(exercise.name, exercise.counts) for exercise in unit.exercises]
        lines += ["", f"## {unit.name}", "", *_table("exercise", [*rows, ("in all", unit.counts)])]
        for exercise in unit.exercises:
            lines += _details(exercise)
    if findings.not_judged:
        lines += ["", "## Not judged", "", *(f"- {line}" for line in findings.not_judged)]
    return "\n".join(lines) + "\n"


def summary(findings: Findings) -> list[str]:
    """A line a unit, as the README shows them."""
    rows = [(unit.name, unit.counts) for unit in findings.units]
    return _table("unit", [*rows, ("in all", findings.counts)])


def write_summary(course: Course, findings: Findings) -> None:
    """Put a line a unit between the README's markers: of units that were not audited, the line they had.

    Raises CourseError where there are no markers.
    """
    readme, kept = course.root / "README.md", course.solutions / "audit.json"
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise CourseError(f"{readme.name} has no place for the audit's table: write {BEGIN} and {END} in it.")
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    known |= {unit.name: asdict(unit.counts) for unit in findings.units}
    rows = [(unit.name, Counts(**known[unit.name])) for unit in course.units if unit.name in known]
    numbers = {name: asdict(counts) for name, counts in rows}
    kept.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8", newline="\n")
    table = "\n".join(["", *_table("unit", [*rows, ("in all", total(counts for _, counts in rows))]), ""])
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    readme.write_text(f"{head}{BEGIN}{table}{END}{tail}", encoding="utf-8", newline="\n")


def gallery(findings: Findings) -> str:
    """What stands in gallery.md: what a student is told of each mistake."""
    lines = [
        "# What students are told",
        "",
        "The first failing check of each known mistake, as a report shows it.",
    ]
    for unit in findings.units:
        for exercise in unit.exercises:
            if exercise.reports:
                lines += ["", f"## {unit.name} · {exercise.name}"]
            for report in exercise.reports:
                lines += ["", f"### {report.mistake}", "", *_unindented("text", report.text)]
    return "\n".join(lines) + "\n"


def terminal_table(unit: UnitFindings) -> Table:
    """The exercises of a unit, and their sum; columns in which there is nothing are left out."""
    table = Table(title=unit.name, title_justify="left", show_footer=True)
    table.add_column("exercise", "in all", no_wrap=True)
    footers = _cells(unit.counts)
    shown = [i for i, footer in enumerate(footers) if footer not in ("0/0", "0", "–")]
    for i in shown:
        table.add_column(COLUMNS[i], footers[i], justify="right")
    for exercise in unit.exercises:
        style = "green" if exercise.counts.is_on_target else "red"
        cells = _cells(exercise.counts)
        table.add_row(Text(exercise.name, style), *(cells[i] for i in shown))
    return table


def problems(findings: Findings) -> Iterable[tuple[str, str]]:
    """All that should not be: what it is in one line, and the change or the message that shows it."""
    for unit in findings.units:
        for exercise in unit.exercises:
            where = f"{unit.name} · {exercise.name}"
            for mistake in exercise.surviving_mistakes:
                yield f"{where}: no check catches the mistake “{mistake}”", ""
            for report in exercise.reports:
                if report.is_right is False:
                    yield f"{where}: the mistake “{report.mistake}” is called “{report.named}”", ""
            for hit in exercise.unrelated:
                what = f"the mistake “{hit.mistake}” costs points in {hit.exercise}"
                yield f"{where}: {what}, which does not use it", hit.check
            for judged in exercise.mutants:
                if judged.verdict is Verdict.SURVIVED:
                    yield f"{where}: no check catches “{judged.mutant.operator}”", judged.diff
            for change in exercise.refuted:
                yield f"{where}: recorded as equivalent, and caught", change
            for missed in exercise.missed_on_device:
                yield f"{where}: on a GPU nothing notices “{missed.bug}”", missed.reason
            for check in exercise.passed_by_stub:
                yield f"{where}: the stub passes a check", check
            for alarm in exercise.false_alarms:
                yield f"{where}: a false alarm on {alarm.style}, {alarm.check}", alarm.message
    for line in findings.not_judged:
        yield f"not judged: {line}", ""


def _table(first: str, rows: list[tuple[str, Counts]]) -> list[str]:
    head = " | ".join((first, *COLUMNS))
    lines = [f"| {head} |", f"| --- |{' ---: |' * len(COLUMNS)}"]
    return lines + [f"| {' | '.join((name, *_cells(counts)))} |" for name, counts in rows]


def _cells(counts: Counts) -> list[str]:
    share = "–" if counts.share is None else f"{int(counts.share * 1000) / 10:g} %"  # never rounded up
    return [
        f"{counts.mistakes_caught}/{counts.mistakes}",
        str(counts.named),
        f"{counts.caught}/{counts.mutants}",
        str(counts.equivalent),
        str(counts.survived),
        share,
        str(counts.unrelated),
        str(counts.false_alarms),
        f"{counts.device_caught}/{counts.device_bugs}",
    ]


def _details(exercise: ExerciseFindings) -> list[str]:
    """What an exercise's line in the table does not tell."""
    lines: list[str] = []
    for mistake in exercise.surviving_mistakes:
        lines.append(f"- a mistake that survives: {mistake}")
    for hit in exercise.unrelated:
        lines.append(f"- “{hit.mistake}” costs points in {hit.exercise}: `{hit.check}`")
    lines += [f"- recorded as equivalent, and caught: `{change}`" for change in exercise.refuted]
    lines += [f"- on a GPU nothing notices “{each.bug}”: {each.reason}" for each in exercise.missed_on_device]
    lines += [f"- the stub passes `{check}`" for check in exercise.passed_by_stub]
    for alarm in exercise.false_alarms:
        lines += [
            f"- a false alarm on {alarm.style}: `{alarm.check}`",
            "",
            *_fenced("text", alarm.message),
            "",
        ]
    for judged in exercise.mutants:
        if judged.verdict is Verdict.CAUGHT:
            continue
        why = f": {judged.reason}" if judged.reason else ""
        what = f"- {judged.verdict.value}, {judged.mutant.operator}{why}"
        lines += [what, "", *_fenced("diff", judged.diff), ""]
    return ["", f"### {exercise.name}", "", *lines] if lines else []


def _fenced(language: str, text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in _unindented(language, text)]


def _unindented(language: str, text: str) -> list[str]:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *text.split("\n"), fence]


def _exercise_document(exercise: ExerciseFindings) -> dict[str, Any]:
    by_verdict = {
        verdict: [judged for judged in exercise.mutants if judged.verdict is verdict] for verdict in Verdict
    }
    return {
        "name": exercise.name,
        "totals": _numbers(exercise.counts),
        "surviving_mistakes": list(exercise.surviving_mistakes),
        "not_named": [report.mistake for report in exercise.reports if report.is_right is None],
        "misnamed": {each.mistake: each.named for each in exercise.reports if each.is_right is False},
        "unrelated_hits": [asdict(hit) for hit in exercise.unrelated],
        "survivors": [
            {"operator": each.mutant.operator, **_change(each.mutant), "diff": each.diff}
            for each in by_verdict[Verdict.SURVIVED]
        ],
        "equivalents": [
            {
                "operator": each.mutant.operator,
                **_change(each.mutant),
                "diff": each.diff,
                "reason": each.reason,
            }
            for each in by_verdict[Verdict.EQUIVALENT]
        ],
        "refuted_equivalents": list(exercise.refuted),
        "passed_by_stub": list(exercise.passed_by_stub),
        "missed_on_device": [asdict(missed) for missed in exercise.missed_on_device],
        "false_alarms": [asdict(alarm) for alarm in exercise.false_alarms],
    }


def _change(mutant: Any) -> dict[str, str]:
    return {"before": mutant.before, "after": mutant.after}


def _numbers(counts: Counts) -> dict[str, Any]:
    share = counts.share
    return {**asdict(counts), "share": None if share is None else round(share, 4)}


def _by_operator(unit: UnitFindings) -> dict[str, dict[str, int]]:
    """How many mutants each operator made, and what became of them."""
    table: dict[str, Counter[str]] = {}
    for exercise in unit.exercises:
        for judged in exercise.mutants:
            table.setdefault(judged.mutant.operator, Counter())[judged.verdict.value] += 1
    return {
        name: {verdict.value: counts[verdict.value] for verdict in Verdict}
        for name, counts in sorted(table.items())
    }
