"""What there is to say of a class: numbers by exercise, common mistakes, what went wrong in the sandbox."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.results import ExerciseResult, Status, UnitResult
from autograder.store.results import Graded

EVENTS = {
    Status.CRASHED: "crashed",
    Status.TIMEOUT: "timed out",
    Status.ERROR: "not importable",
}


@dataclass(frozen=True)
class SimilarPair:
    """Two submissions of one unit that look alike: `score` from 0 to 1, `evidence` a line each."""

    first: str
    second: str
    score: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExerciseSummary:
    """One exercise in a class: of `handed_in` submissions, `full` got every point and `none` got no point."""

    name: str
    handed_in: int
    full: int
    none: int
    mean: float
    max_score: float

    @property
    def share(self) -> float:
        """The mean score, from 0 to 1."""
        return share_of(self.mean, self.max_score)

    @property
    def pass_rate(self) -> float:
        """How many got every point, from 0 to 1."""
        return share_of(self.full, self.handed_in)


@dataclass(frozen=True)
class MistakeSummary:
    """A known mistake and how many submissions make it."""

    exercise: str
    mistake: str
    hint: str
    count: int


@dataclass(frozen=True)
class Event:
    """Checks of one submission that were cut off or could not begin; `detail` is of the first."""

    student: str
    kind: str
    checks: int
    exercises: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class ClassSummary:
    """The class as numbers; `shares` are the scores from 0 to 1, in the order of the results."""

    shares: tuple[float, ...]
    mean: float
    median: float
    max_score: float
    exercises: tuple[ExerciseSummary, ...]
    mistakes: tuple[MistakeSummary, ...]
    events: tuple[Event, ...]
    slowest: tuple[Graded, ...]
    without_sandbox: tuple[str, ...]

    @property
    def full(self) -> int:
        return sum(share == 1 for share in self.shares)

    @property
    def none(self) -> int:
        return sum(share == 0 for share in self.shares)


def share_of(part: float, whole: float) -> float:
    """`part / whole`, and 0 of nothing."""
    return part / whole if whole else 0.0


def is_full(exercise: ExerciseResult) -> bool:
    """Whether every check that could be judged passed; an exercise without one is not."""
    return bool(exercise.counted) and exercise.passed == len(exercise.counted)


def summarize(results: Sequence[Graded], slowest: int = 10) -> ClassSummary:
    """Sum up the results of one unit."""
    units = [graded.result for graded in results]
    scores = [unit.score for unit in units]
    return ClassSummary(
        tuple(share_of(unit.score, unit.max_score) for unit in units),
        statistics.fmean(scores) if scores else 0.0,
        statistics.median(scores) if scores else 0.0,
        max((unit.max_score for unit in units), default=0.0),
        _exercises(units),
        _mistakes(units),
        tuple(event for unit in units for event in _events(unit)),
        tuple(sorted(results, key=lambda graded: -graded.seconds)[:slowest]),
        tuple(unit.student for unit in units if "seccomp" not in unit.sandbox),
    )


def _exercises(units: Iterable[UnitResult]) -> tuple[ExerciseSummary, ...]:
    by_name: dict[str, list[ExerciseResult]] = {}
    for unit in units:
        for exercise in unit.exercises:
            by_name.setdefault(exercise.name, []).append(exercise)
    return tuple(
        ExerciseSummary(
            name,
            len(every),
            sum(map(is_full, every)),
            sum(not each.passed for each in every),
            statistics.fmean(each.score for each in every),
            max(each.max_score for each in every),
        )
        for name, every in by_name.items()
    )


def _mistakes(units: Iterable[UnitResult]) -> tuple[MistakeSummary, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    hints: dict[tuple[str, str], str] = {}
    for unit in units:
        for exercise in unit.exercises:
            if exercise.diagnosis is not None:
                key = exercise.name, exercise.diagnosis.mistake
                counts[key] += 1
                hints[key] = exercise.diagnosis.hint
    return tuple(MistakeSummary(*key, hints[key], count) for key, count in counts.most_common())


def _events(unit: UnitResult) -> Iterable[Event]:
    for status, kind in EVENTS.items():
        found = [
            (each.name, check) for each in unit.exercises for check in each.checks if check.status is status
        ]
        if found:
            names = tuple(dict.fromkeys(name for name, _ in found))
            yield Event(unit.student, kind, len(found), names, _told(found[0][1].message))


def _told(message: str) -> str:
    """The row of a failure that says what happened, without its label."""
    labels = ("crashed", "time limit", "problem", "syntax error")
    for line in message.split("\n")[1:]:
        for label in labels:
            if line.startswith(f"  {label}  "):
                return line[len(label) + 2 :].strip()
    return ""
