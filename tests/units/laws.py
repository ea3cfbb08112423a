"""What holds for every unit: what is right gets full marks, and what is wrong does not.

Each test_<unit>.py beside this file takes these tests over, so that units can be tested side by side.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.course import Course, Unit
from autograder.diagnosis.fingerprint import Fingerprint
from autograder.diagnosis.table import Probe
from autograder.grading.loop import Choose
from autograder.grading.session import GradingSession
from autograder.mistakes import Mistake, load_mistakes, mistaken
from autograder.results import CheckResult, DeviceState, Diagnosis, Status, UnitResult
from autograder.submission import Submission, read_submission

COURSE = Course(Path(__file__).resolve().parents[2])
UNITS = {unit.name: unit for unit in COURSE.units if unit.hidden is not None}
MISTAKES = {name: load_mistakes(COURSE.solutions / name / "mistakes.toml") for name in UNITS}
# Whose checks pass nothing that could lie on a GPU: numbers, and functions that they give.
NOT_VERIFIABLE = {
    "a1_rnn": {"make_reservoir"},
    "a2_lstm": {"build_vocab", "collate"},
    "a3_attention": {"causal_mask", "sinusoidal_positions"},
    "a4_transformer": {"greedy_decode", "beam_search", "noam_lr"},
}
# Whose checks pass nothing of a floating dtype.
NO_DTYPE = {
    "a1_rnn": {"make_reservoir", "next_step_pairs"},
    "a2_lstm": {"build_vocab", "collate"},
    "a3_attention": {"padding_mask", "causal_mask", "sinusoidal_positions"},
    "a4_transformer": {"greedy_decode", "beam_search", "noam_lr", "shift_right", "mask_tokens"},
    "a5_gnn": {
        *("to_edge_index", "to_adjacency", "add_self_loops", "in_degree", "gcn_norm"),
        *("sample_neighbours", "negative_edges"),
    },
}
ALTERNATIVES = {name: sorted((COURSE.solutions / name / "alternatives").iterdir()) for name in UNITS}


class GradedUnit:
    """A unit, its session, and what its solution was given there."""

    def __init__(self, unit: Unit, session: GradingSession) -> None:
        self.unit = unit
        self._session = session
        self.solution = self.read(COURSE.solutions / unit.name)
        self.result = self.grade(self.solution)  # first: what comes later is asked ahead

    def read(self, folder: Path) -> Submission:
        return read_submission(folder, self.unit.modules, "student", self.unit.name)

    def grade(self, submission: Submission, choose: Choose = lambda check: True) -> UnitResult:
        return self._session.grade(submission, choose)

    def first_failure(self, submission: Submission, exercise: str) -> CheckResult | None:
        return self._session.first_failure(submission, exercise)

    def diagnosis(self, submission: Submission, exercise: str) -> Diagnosis | None:
        return self._session.diagnosis(submission, exercise)

    def answers(self, submission: Submission, exercise: str) -> dict[Probe, Fingerprint | None]:
        return self._session.answers(submission, exercise)

    def with_mistake(self, mistake: Mistake) -> Submission:
        return mistaken(self.solution, mistake)


@pytest.fixture(scope="module")
def graded(request: pytest.FixtureRequest) -> Iterator[GradedUnit]:
    unit = UNITS[request.path.stem.removeprefix("test_")]
    with GradingSession(COURSE, (unit.name,)) as session:
        yield GradedUnit(unit, session)


def checks_of(result: UnitResult) -> list[CheckResult]:
    return [check for exercise in result.exercises for check in exercise.checks]


def failures(result: UnitResult) -> str:
    """Every check that did not pass, for the message of an assertion."""
    passing = (Status.PASSED, Status.SKIPPED)
    return "\n".join(
        f"{check.status} {check.id}\n{check.message}"
        for check in checks_of(result)
        if check.status not in passing
    )


def not_verified(result: UnitResult) -> set[str]:
    """The exercises of which nobody knows whether they work on a GPU."""
    known = (DeviceState.VERIFIED, DeviceState.SIMULATED)
    return {each.name for each in result.exercises if each.device is None or each.device.state not in known}


def without_dtypes(result: UnitResult) -> set[str]:
    """The exercises of which nobody knows whether they work in every dtype."""
    every = ("float64", "float32", "bfloat16")
    return {each.name for each in result.exercises if each.dtypes is None or each.dtypes.verified != every}


def pytest_counts(unit: Unit, submission: Path) -> tuple[dict[str, int], str]:
    """What `pytest --quick` counts in its own process, of public and hidden checks, and what it printed."""
    hidden = sorted(map(str, (COURSE.solutions / unit.name).glob("test_*.py")))
    options = ["-q", "--quick", "-p", "no:cacheprovider", f"--submission={submission}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(unit.public), *hidden],
        cwd=COURSE.root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    summary = done.stdout.rstrip().rpartition("\n")[2]
    counts = {
        word: int(number)
        for number, word in re.findall(r"(\d+) (passed|failed|skipped|error|deselected)", summary)
    }
    return counts, done.stdout + done.stderr


# ----------------------------------------------------------------------- what is right, and what is missing


def test_the_solution_gets_full_marks_in_the_worker(graded: GradedUnit) -> None:
    assert failures(graded.result) == ""
    assert graded.result.score == graded.result.max_score
    assert not_verified(graded.result) == NOT_VERIFIABLE.get(graded.unit.name, set())
    skipped = [check for check in checks_of(graded.result) if check.status is Status.SKIPPED]
    assert without_dtypes(graded.result) == NO_DTYPE[graded.unit.name]
    assert len(skipped) == len(not_verified(graded.result)) + len(NO_DTYPE[graded.unit.name])


def test_the_solution_passes_the_same_checks_in_this_process(graded: GradedUnit) -> None:
    counts, output = pytest_counts(graded.unit, COURSE.solutions / graded.unit.name)
    slow = counts.pop("deselected", 0)  # the same training again, which the worker has done
    skipped = counts.pop("skipped", 0)
    assert counts == {"passed": len(checks_of(graded.result)) - slow - skipped}, output
    assert slow < 10
    assert skipped == len(NOT_VERIFIABLE.get(graded.unit.name, ())) + len(NO_DTYPE[graded.unit.name])


def test_the_stubs_fail_every_check_in_the_worker(graded: GradedUnit) -> None:
    result = graded.grade(graded.read(graded.unit.public))
    judged = [check for exercise in result.exercises for check in exercise.counted]
    assert [check.id for check in judged if check.status is not Status.FAILED] == []
    assert {exercise.name: exercise.score for exercise in result.exercises if exercise.score} == {}
    assert all("raises NotImplementedError" in check.message for check in judged)
    # What computes nothing on the CPU is not tried elsewhere, and that is the only thing left out.
    assert not_verified(result) == without_dtypes(result) == {each.name for each in result.exercises}
    assert len(checks_of(result)) - len(judged) == 2 * len(result.exercises)


def test_every_other_style_gets_full_marks(graded: GradedUnit) -> None:
    # What they learn, `make thresholds` shows with ten seeds each.
    results = {
        folder.name: graded.grade(graded.read(folder), lambda check: not check.is_slow)
        for folder in ALTERNATIVES[graded.unit.name]
    }
    assert {style: failures(result) for style, result in results.items()} == dict.fromkeys(results, "")
    for result in results.values():
        assert result.score == result.max_score >= 0.8 * graded.result.max_score
    for result in results.values():
        assert not_verified(result) == not_verified(graded.result)
        assert without_dtypes(result) == without_dtypes(graded.result)


# ------------------------------------------------------------------------------------------------- mistakes


def some_mistakes(unit: Unit) -> list[Mistake]:
    """The first of each exercise: `autograder audit` does with all what is done with these here."""
    mine = MISTAKES[unit.name]
    return [
        mistake
        for exercise in unit.exercises
        for mistake in [each for each in mine if each.exercise == exercise.name][:1]
    ]


def test_mistakes_lose_points_in_their_exercise(graded: GradedUnit) -> None:
    survivors = []
    for mistake in some_mistakes(graded.unit):
        failure = graded.first_failure(graded.with_mistake(mistake), mistake.exercise)
        if failure is None:
            survivors.append(f"{mistake.exercise}: {mistake.name}")
    assert survivors == []


def test_known_mistakes_are_named_by_their_answers(graded: GradedUnit) -> None:
    wrong, missed = [], []
    for mistake in some_mistakes(graded.unit):
        found = graded.diagnosis(graded.with_mistake(mistake), mistake.exercise)
        if found is None:
            missed.append(f"{mistake.exercise}: {mistake.name}")
        elif not found.names(mistake.name) or found.hint != mistake.hint:
            wrong.append(f"{mistake.exercise}: {mistake.name} is called {found.mistake}")
    assert wrong == []
    assert len(missed) <= 0.05 * len(some_mistakes(graded.unit)), missed


def test_a_known_mistake_is_named_on_a_students_machine_too(graded: GradedUnit, tmp_path: Path) -> None:
    mistake = next(each for each in MISTAKES[graded.unit.name] if _fails_in_public(graded, each))
    for module, source in graded.with_mistake(mistake).sources.items():
        (tmp_path / f"{module}.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--submission={tmp_path}",
         f"--exercise={mistake.exercise}", str(graded.unit.public)],
        cwd=COURSE.root, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert f"known mistake  {mistake.name}" in done.stdout, done.stdout


def _fails_in_public(graded: GradedUnit, mistake: Mistake) -> bool:
    answers = graded.answers(graded.with_mistake(mistake), mistake.exercise)
    return any(found for probe, found in answers.items() if probe.check.startswith("assignments/"))


# ------------------------------------------------------------------------------------- what a unit is made of


def test_every_exercise_has_public_and_hidden_checks_in_its_modules_files(graded: GradedUnit) -> None:
    exercises = graded.result.exercises
    assert [exercise.name for exercise in exercises] == [each.name for each in graded.unit.exercises]
    for declared, exercise in zip(graded.unit.exercises, exercises, strict=True):
        sides = {check.id.partition("::")[0] for check in exercise.checks}
        assert sides == {
            f"{side}/{graded.unit.name}/test_{declared.module}.py" for side in ("assignments", "solutions")
        }, declared.name


def test_the_points_of_a_unit_sum_to_a_hundred(graded: GradedUnit) -> None:
    assert graded.result.max_score == 100


def test_a_unit_has_its_share_of_mistakes_and_alternatives(graded: GradedUnit) -> None:
    unit = graded.unit.name
    assert len(MISTAKES[unit]) >= 25
    assert {mistake.exercise for mistake in MISTAKES[unit]} == {each.name for each in UNITS[unit].exercises}
    assert len(ALTERNATIVES[unit]) >= 2
