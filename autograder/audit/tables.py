"""`autograder diagnosis`: tables of known mistakes, made by running each on the cases of its exercise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.status import Status

from autograder.course import DIAGNOSIS, Course, CourseError, Unit
from autograder.diagnosis.fingerprint import Fingerprint
from autograder.diagnosis.probes import ENOUGH, Answers, choose_probes
from autograder.diagnosis.table import ExerciseTable, Probe, known_mistake, table_text
from autograder.errors import WorkerLost
from autograder.grading.session import GradingSession
from autograder.mistakes import Mistake, load_mistakes, mistaken
from autograder.submission import Submission, read_submission

PUBLIC = "assignments/"
MAX_CASES = 1000


@dataclass(frozen=True)
class UnitTables:
    """The texts of a unit's two tables, and what they cannot tell: one sentence each."""

    texts: dict[Path, str]
    problems: tuple[str, ...]


def write_tables(course: Course, units: tuple[Unit, ...]) -> None:
    """Make the tables of `units` anew and say what they cannot tell."""
    console = Console(stderr=True)
    for unit in units:
        with console.status(unit.name) as status, GradingSession(course, (unit.name,)) as session:
            tables = build_tables(session, unit, partial(_show, status))
        for path, text in tables.texts.items():
            print(f"{_state(path, text)}  {path.relative_to(course.root)}")
            path.write_text(text, encoding="utf-8")
        for problem in tables.problems:
            print(f"  {problem}", file=sys.stderr)


def build_tables(session: GradingSession, unit: Unit, on_mistake: Callable[[Mistake], None]) -> UnitTables:
    """Run every mistake of `unit`. Raises CourseError where the course holds no solutions to make them in."""
    if unit.hidden is None:
        raise CourseError(f"there is no solutions/{unit.name}, in which mistakes could be made.")
    mistakes = load_mistakes(unit.hidden / "mistakes.toml")
    answers: dict[str, dict[Mistake, Answers]] = {}
    problems = []
    solution = read_submission(unit.hidden, unit.modules, "solution", unit.name)
    for exercise in unit.exercises:
        mine = {each: mistaken(solution, each) for each in mistakes if each.exercise == exercise.name}
        answers[exercise.name], unknown = _answers(session, exercise.name, mine, on_mistake)
        problems += unknown
    tables: dict[str, ExerciseTable] = {}
    public: dict[str, ExerciseTable] = {}
    for exercise in unit.exercises:
        if answers[exercise.name]:
            tables[exercise.name], unclear = _table(answers[exercise.name])
            problems += unclear
            public[exercise.name], _ = _table(
                {mistake: _public(found) for mistake, found in answers[exercise.name].items()}
            )
    texts = {unit.hidden / DIAGNOSIS: table_text(tables), unit.public / DIAGNOSIS: table_text(public)}
    return UnitTables(texts, tuple(problems))


def _answers(
    session: GradingSession,
    exercise: str,
    submissions: Mapping[Mistake, Submission],
    on_mistake: Callable[[Mistake], None],
) -> tuple[dict[Mistake, Answers], list[str]]:
    """What the mistakes of one exercise answer, all on the same cases; and which cannot be known by that."""
    answers: dict[Mistake, dict[Probe, Fingerprint | None]] = {}
    problems = []
    rare: dict[Probe, None] = {}  # the cases that a mistake fails where it fails few
    for mistake, submission in submissions.items():
        on_mistake(mistake)
        try:
            answers[mistake] = session.answers(submission, exercise)
            if not any(answers[mistake].values()):
                every = session.answers(submission, exercise, cases=MAX_CASES)
                failed = [probe for probe, found in every.items() if found is not None][:ENOUGH]
                rare.update(dict.fromkeys(failed))
                if not failed:
                    problems.append(f"{_name(mistake)} answers every case rightly: only training shows it.")
                    del answers[mistake]
        except WorkerLost as error:
            answers.pop(mistake, None)
            problems.append(f"{_name(mistake)} has no answers to know it by: it {error}.")
    if rare:
        for mistake in answers:
            answers[mistake] |= session.answers(submissions[mistake], exercise, probes=list(rare))
    return dict(answers), problems


def _table(answers: Mapping[Mistake, Answers]) -> tuple[ExerciseTable, list[str]]:
    """The table of one exercise, and the mistakes that it takes for others with another hint."""
    probes = choose_probes({mistake.name: found for mistake, found in answers.items()})
    prints = {mistake: [found.get(probe) for probe in probes] for mistake, found in answers.items()}
    known = [known_mistake(mistake.name, mistake.hint, each) for mistake, each in prints.items() if any(each)]
    table = ExerciseTable(tuple(probes), tuple(known))
    unclear = [
        f"{_name(mistake)} answers as another mistake does, with another hint."
        for mistake, each in prints.items()
        if any(each) and table.diagnose(each) is None
    ]
    return table, unclear


def _public(answers: Answers) -> dict[Probe, Fingerprint | None]:
    return {probe: found for probe, found in answers.items() if probe.check.startswith(PUBLIC)}


def _name(mistake: Mistake) -> str:
    return f"{mistake.exercise}: {mistake.name!r}"


def _show(status: Status, mistake: Mistake) -> None:
    status.update(f"{mistake.exercise}: {mistake.name}")


def _state(path: Path, text: str) -> str:
    if not path.exists():
        return "new      "
    return "unchanged" if path.read_text(encoding="utf-8") == text else "changed  "
