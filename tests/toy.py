"""The toy course, its honest submissions, and how to grade them."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.grading.session import GradingSession
from autograder.results import ExerciseResult, UnitResult
from autograder.submission import Submission

TOY = Path(__file__).parent / "toy_course"
MODULES = ("arith", "layers")
HONEST = {name: (TOY / f"solutions/toy/{name}.py").read_text() for name in MODULES}
FULL = {"scale": 3.0, "noise": 2.0, "Affine": 4.0, "train": 1.0}


def copy_course(folder: Path, *, seconds: float | None = None, parity: str | None = None) -> Course:
    """The toy course in `folder`; `seconds` is what a call may take there, `parity` what is tried besides."""
    shutil.copytree(TOY, folder, ignore=shutil.ignore_patterns(".hypothesis", "__pycache__"))
    if seconds is not None:
        for path in folder.glob("*/toy/test_*.py"):
            path.write_text(path.read_text().replace(", points=", f", seconds={seconds}, points="))
    if parity is not None:
        manifest = folder / "assignments/toy/unit.toml"
        manifest.write_text(manifest.read_text().replace("\n[[", f'\nparity = ["{parity}"]\n\n[[', 1))
    return Course(folder)


def scale(body: str) -> dict[str, str]:
    """A submission whose `scale` ends with the lines of `body` where it returns."""
    lines = textwrap.indent(textwrap.dedent(body).rstrip(), "    ")
    assert "    return x * factor\n" in HONEST["arith"]
    return {"arith": HONEST["arith"].replace("    return x * factor\n", f"{lines}\n")}


def affine(made: str, used: str) -> dict[str, str]:
    """A submission whose Affine makes something more, and returns `used`."""
    source = HONEST["layers"].replace("        self.bias =", f"        {made}\n        self.bias =")
    return {"layers": source.replace("return x @ self.weight.T + self.bias", f"return {used}")}


def graded(session: GradingSession, exercise: str, **files: str) -> ExerciseResult:
    """What an honest submission with these files gets for an exercise."""
    found = session.grade(submission(**files)).exercises
    return next(each for each in found if each.name == exercise)


def write_submission(folder: Path, **files: str) -> Path:
    """An honest submission in `folder`, with `files` (by module) in place of or beside its modules."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**HONEST, **files}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def submission(student: str = "student", **sources: str) -> Submission:
    """An honest submission that was never on disk, with `sources` in place of or beside its modules."""
    return Submission(student, "toy", Path("/submitted") / student / "toy", {**HONEST, **sources})


@contextmanager
def session_of(course: Course, *, sandboxed: bool = True) -> Iterator[GradingSession]:
    """A session in this process, also after one of another course: pytest knows checks by module name."""
    mine = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_of_a_course(name)}
    try:
        with GradingSession(course, ("toy",), sandboxed=sandboxed) as session:
            yield session
    finally:
        for name in filter(_is_of_a_course, list(sys.modules)):
            del sys.modules[name]
        sys.modules.update(mine)


def _is_of_a_course(module: str) -> bool:
    return module.partition(".")[0] in ("assignments", "solutions")


def grade(course: Course, submissions: Iterable[Submission]) -> list[UnitResult]:
    """Grade one after another in one session, as a grader process does."""
    with session_of(course) as session:
        return [session.grade(each) for each in submissions]


def scores(result: Mapping[str, Any] | UnitResult) -> dict[str, float]:
    """Points by exercise, of a result or of its JSON."""
    document = result.to_json() if isinstance(result, UnitResult) else result
    return {exercise["name"]: exercise["score"] for exercise in document["exercises"]}


def statuses(result: Mapping[str, Any] | UnitResult, exercise: str) -> list[str]:
    """How the checks of an exercise ended."""
    document = result.to_json() if isinstance(result, UnitResult) else result
    [found] = [each for each in document["exercises"] if each["name"] == exercise]
    return [check["status"] for check in found["checks"]]


def messages(result: Mapping[str, Any] | UnitResult, exercise: str) -> str:
    """What is said of an exercise's checks."""
    document = result.to_json() if isinstance(result, UnitResult) else result
    [found] = [each for each in document["exercises"] if each["name"] == exercise]
    return "\n".join(check["message"] for check in found["checks"])


def without_version(path: Path) -> dict[str, Any]:
    """The document that `grade --json` wrote; the course's version is a matter of the tree, not of a run."""
    document: dict[str, Any] = json.loads(path.read_text())
    document["course"].pop("version")
    return document
