"""What an audit found: exercise by exercise, and whether it is what it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from autograder.audit.mutants import Mutant

TARGET = 0.98  # of the mutants caught
NAMED_TARGET = 0.95  # of the mistakes named rightly


class Kind(StrEnum):
    """What an audit runs as a submission."""

    MISTAKES = "mistakes"
    MUTANTS = "mutants"
    ALTERNATIVES = "alternatives"
    STUBS = "stubs"
    DEVICE = "device"  # bugs that only a GPU shows


class Verdict(StrEnum):
    """What became of a mutant. A survivor is a missing check, until it is recorded as equivalent."""

    CAUGHT = "caught"
    EQUIVALENT = "equivalent"
    SURVIVED = "survived"


@dataclass(frozen=True)
class JudgedMutant:
    """A mutant and what became of it. `diff` shows what was not caught, `reason` says why it cannot be."""

    mutant: Mutant
    verdict: Verdict
    diff: str = ""
    reason: str = ""


@dataclass(frozen=True, order=True)
class UnrelatedHit:
    """A mistake cost points in `exercise`, which does not use the one that it stands in."""

    mistake: str
    exercise: str
    check: str


@dataclass(frozen=True, order=True)
class FalseAlarm:
    """A check rejects correct work: an alternative solution, or the solution itself."""

    style: str
    check: str
    message: str


@dataclass(frozen=True)
class MissedOnDevice:
    """A bug that only a GPU shows, and what came of it: it was not noticed, or fails on the CPU already."""

    bug: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What a report says of a mistake: the text of the first check that fails, and which mistake it names.

    `is_right` is None where it names none.
    """

    mistake: str
    text: str
    named: str | None
    is_right: bool | None


@dataclass(frozen=True)
class ExerciseFindings:
    """What was run against one exercise. `refuted` are changes recorded as equivalent that checks catch."""

    name: str
    mistakes: int
    reports: tuple[Report, ...]
    surviving_mistakes: tuple[str, ...]
    unrelated: tuple[UnrelatedHit, ...]
    mutants: tuple[JudgedMutant, ...]
    refuted: tuple[str, ...]
    passed_by_stub: tuple[str, ...]
    false_alarms: tuple[FalseAlarm, ...]
    device_bugs: int
    missed_on_device: tuple[MissedOnDevice, ...]

    @property
    def counts(self) -> Counts:
        verdicts = [judged.verdict for judged in self.mutants]
        return Counts(
            mistakes=self.mistakes,
            mistakes_caught=self.mistakes - len(self.surviving_mistakes),
            named=sum(report.is_right is True for report in self.reports),
            misnamed=sum(report.is_right is False for report in self.reports),
            mutants=len(verdicts),
            caught=verdicts.count(Verdict.CAUGHT),
            equivalent=verdicts.count(Verdict.EQUIVALENT),
            survived=verdicts.count(Verdict.SURVIVED),
            unrelated=len(self.unrelated),
            false_alarms=len(self.false_alarms),
            passed_by_stub=len(self.passed_by_stub),
            refuted=len(self.refuted),
            device_bugs=self.device_bugs,
            device_caught=self.device_bugs - len(self.missed_on_device),
        )


@dataclass(frozen=True)
class Counts:
    """The numbers of an exercise, or the sums of several."""

    mistakes: int = 0
    mistakes_caught: int = 0
    named: int = 0
    misnamed: int = 0
    mutants: int = 0
    caught: int = 0
    equivalent: int = 0
    survived: int = 0
    unrelated: int = 0
    false_alarms: int = 0
    passed_by_stub: int = 0
    refuted: int = 0
    device_bugs: int = 0
    device_caught: int = 0

    @property
    def share(self) -> float | None:
        """The share of mutants that are caught, of those that mean something else than the solution."""
        judged = self.mutants - self.equivalent
        return self.caught / judged if judged else None

    @property
    def is_on_target(self) -> bool:
        wrong = self.unrelated + self.false_alarms + self.passed_by_stub + self.refuted + self.misnamed
        is_strong = self.share is None or self.share >= TARGET
        is_caught = (self.mistakes_caught, self.device_caught) == (self.mistakes, self.device_bugs)
        return is_caught and is_strong and not wrong

    @property
    def is_named_enough(self) -> bool:
        """Whether so many mistakes are named rightly as are to be; of an exercise it is too few to ask."""
        return self.named >= NAMED_TARGET * self.mistakes


@dataclass(frozen=True)
class UnitFindings:
    name: str
    exercises: tuple[ExerciseFindings, ...]

    @cached_property
    def counts(self) -> Counts:
        return total(exercise.counts for exercise in self.exercises)


@dataclass(frozen=True)
class Findings:
    """All units; `not_judged` are the runs that failed through no fault of the checks, and why."""

    units: tuple[UnitFindings, ...]
    not_judged: tuple[str, ...]

    @cached_property
    def counts(self) -> Counts:
        return total(unit.counts for unit in self.units)

    @property
    def is_on_target(self) -> bool:
        return self.counts.is_on_target and self.counts.is_named_enough and not self.not_judged


def total(counts: Iterable[Counts]) -> Counts:
    counts = list(counts)
    return Counts(
        **{name: sum(getattr(each, name) for each in counts) for name in Counts.__dataclass_fields__}
    )
