"""What grading yields, from one check to one submission, and how points are shared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from autograder.course import Parity


class Status(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"  # the module cannot be used: missing file, syntax error, failing import
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    SKIPPED = "skipped"  # not verifiable here; costs nothing and earns nothing


@dataclass(frozen=True)
class Diagnosis:
    """The known mistake that an exercise's answers are those of, and what to say to who makes it."""

    mistake: str
    hint: str

    def names(self, mistake: str) -> bool:
        """Whether it is this one, or one of several that answer alike: they are named "one or another"."""
        return f" or {mistake} or " in f" or {self.mistake} or "


class DeviceState(StrEnum):
    """What is known of an exercise on a GPU. Only the first two say that it works there."""

    VERIFIED = "verified on a GPU"
    SIMULATED = "verified by simulation"
    UNVERIFIABLE = "not verifiable here"
    DIFFERS = "differs from the CPU"


@dataclass(frozen=True)
class DeviceVerdict:
    """What came of running an exercise on a GPU, real or simulated, by the name `on`.

    `detail` is advice to who passes, and the reason where it is not verifiable.
    """

    state: DeviceState
    on: str
    detail: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it says that the exercise works there, or does not."""
        return self.state is not DeviceState.UNVERIFIABLE


@dataclass(frozen=True)
class DtypesVerdict:
    """The floating dtypes that an exercise was seen to work in, or that it `fails` in one.

    `detail` is advice to who passes, and the reason where nothing is known.
    """

    verified: tuple[str, ...]
    detail: str = ""
    fails: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it says that the exercise works in some, or does not."""
        return self.fails or bool(self.verified)


@dataclass(frozen=True)
class CheckResult:
    """One check of one submission. `message` is the failure text, empty for a pass.

    A check of parity has a `verdict`.
    """

    id: str
    exercise: str
    status: Status
    message: str = ""
    verdict: DeviceVerdict | DtypesVerdict | None = None


@dataclass(frozen=True)
class ExerciseResult:
    """All checks of one exercise. The exercise's points are shared equally by the checks that ran."""

    name: str
    max_score: float
    checks: tuple[CheckResult, ...]
    diagnosis: Diagnosis | None = None

    @property
    def device(self) -> DeviceVerdict | None:
        """What is known of it on a GPU; None where that is not checked."""
        return next((c.verdict for c in self.checks if isinstance(c.verdict, DeviceVerdict)), None)

    @property
    def dtypes(self) -> DtypesVerdict | None:
        """The floating dtypes that it works in; None where that is not checked."""
        return next((c.verdict for c in self.checks if isinstance(c.verdict, DtypesVerdict)), None)

    @property
    def counted(self) -> tuple[CheckResult, ...]:
        """The checks that could be judged, by which the points are shared."""
        return tuple(check for check in self.checks if check.status is not Status.SKIPPED)

    @property
    def passed(self) -> int:
        """How many of these passed."""
        return sum(check.status is Status.PASSED for check in self.checks)

    @property
    def score(self) -> float:
        if not self.counted:
            return 0.0
        return round(self.max_score * self.passed / len(self.counted), 4)


@dataclass(frozen=True)
class UnitResult:
    """One submission of one unit. `sandbox` are the layers its workers reported; `notes` cost nothing."""

    student: str
    unit: str
    exercises: tuple[ExerciseResult, ...]
    sandbox: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        return round(math.fsum(exercise.score for exercise in self.exercises), 4)

    @property
    def max_score(self) -> float:
        return math.fsum(exercise.max_score for exercise in self.exercises)

    def to_json(self) -> dict[str, Any]:
        """The object that stands in `results` of `grade --json`."""
        return {
            "student": self.student,
            "unit": self.unit,
            "score": self.score,
            "max_score": self.max_score,
            "sandbox": list(self.sandbox),
            "notes": list(self.notes),
            "exercises": [
                {
                    "name": exercise.name,
                    "score": exercise.score,
                    "max_score": exercise.max_score,
                    "diagnosis": asdict(exercise.diagnosis) if exercise.diagnosis else None,
                    "device": asdict(exercise.device) if exercise.device else None,
                    "dtypes": asdict(exercise.dtypes) if exercise.dtypes else None,
                    "checks": [
                        {"id": check.id, "status": check.status.value, "message": check.message}
                        for check in exercise.checks
                    ],
                }
                for exercise in self.exercises
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> UnitResult:
        """The result that `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            document["student"],
            document["unit"],
            tuple(_read_exercise(each) for each in document["exercises"]),
            tuple(document["sandbox"]),
            tuple(document["notes"]),
        )


def _read_exercise(document: Mapping[str, Any]) -> ExerciseResult:
    name = document["name"]
    device, dtypes, diagnosis = document["device"], document["dtypes"], document["diagnosis"]
    verdicts: dict[str, DeviceVerdict | DtypesVerdict] = {}
    if device is not None:
        state = DeviceState(device["state"])
        verdicts[Parity.GPU.test] = DeviceVerdict(state, device["on"], device["detail"])
    if dtypes is not None:
        verdicts[Parity.DTYPES.test] = DtypesVerdict(
            tuple(dtypes["verified"]), dtypes["detail"], dtypes["fails"]
        )
    checks = []
    for check in document["checks"]:
        test = check["id"].partition("::")[2].partition("[")[0]
        checks.append(
            CheckResult(check["id"], name, Status(check["status"]), check["message"], verdicts.get(test))
        )
    told = None if diagnosis is None else Diagnosis(diagnosis["mistake"], diagnosis["hint"])
    return ExerciseResult(name, document["max_score"], tuple(checks), told)


def by_exercise(
    results: Iterable[CheckResult],
    points: Mapping[str, float],
    diagnoses: Mapping[str, Diagnosis] = MappingProxyType({}),
) -> tuple[ExerciseResult, ...]:
    """Group check results; `points` gives each exercise's total, in the order of the course."""
    results = tuple(results)
    return tuple(
        ExerciseResult(name, total, tuple(r for r in results if r.exercise == name), diagnoses.get(name))
        for name, total in points.items()
    )
