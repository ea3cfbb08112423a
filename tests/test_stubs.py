"""Stubs: what stands in them, which markers are refused, and that those under assignments/ are in step."""

import ast
import sys
from pathlib import Path

import pytest

from autograder.course import Course, CourseError
from autograder.stubs import StubError, make_stub, stale_stubs, stubs, write_stubs
from tests.small_course import SOLUTION, write_course

REAL = Path(__file__).resolve().parents[1]

STUB = '''"""Averages."""

import torch
from torch import Tensor


def weighted_mean(x: Tensor, weights: Tensor) -> Tensor:
    """Σ w x / Σ w over the first dimension.

    Trap: weights need not add up to 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class RunningMean:
    def __init__(self, rate: float) -> None:
        """Start at zero."""
        # YOUR CODE HERE
        raise NotImplementedError()

    def update(self, x: float) -> float:
        # YOUR CODE HERE
        raise NotImplementedError()
'''


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return write_course(tmp_path)


def test_each_region_becomes_a_stub() -> None:
    assert make_stub(SOLUTION, "means.py") == STUB


def body(*lines: str) -> str:
    return "\n".join(["def f():", *(f"    {line}" for line in lines), ""])


BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (body("return 1"), r"m\.py:1: no solution region"),
        (body(BEGIN, "return 1", END, END), r"m\.py:5: '### END SOLUTION' without"),
        (body(END, "return 1"), r"m\.py:2: '### END SOLUTION' without"),
        (
            body(BEGIN, "x = 1", BEGIN, "return x", END),
            r"m\.py:4: .* inside the region that begins in line 2",
        ),
        (body(BEGIN, "return 1"), r"m\.py:2: the region that begins here has no '### END SOLUTION'"),
        (body(BEGIN, "", END), r"m\.py:2: the region that begins here is empty"),
        (body(BEGIN, "return 1  ### END SOLUTION"), r"m\.py:3: a marker must be alone on its line"),
        (body("# BEGIN SOLUTION", "return 1", END), r"m\.py:2: a marker must be alone on its line"),
        (body(f"{BEGIN} (3 points)", "return 1", END), r"m\.py:2: a marker must be alone on its line"),
        (f"{BEGIN}\nx = 1\n{END}\n", r"m\.py: line 2 of its stub would raise on import"),
        (
            f"class A:\n    {BEGIN}\n    x = 1\n    {END}\n",
            r"m\.py: line 3 of its stub would raise on import",
        ),
        (f"def f():\n{BEGIN}\n    return 1\n{END}\n", r"m\.py: line \d of its stub is not valid Python"),
    ],
)
def test_misplaced_markers_are_named_with_their_line(source: str, sentence: str) -> None:
    with pytest.raises(StubError, match=f"^{sentence}") as caught:
        make_stub(source, "m.py")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_without_nbgrader_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbgrader.preprocessors", None)
    with pytest.raises(CourseError, match=r"^making stubs needs nbgrader .*\[instructor\]'\.$"):
        make_stub(SOLUTION, "means.py")


def test_stale_stubs_are_written_once(course: Course) -> None:
    path = course.assignments / "means/means.py"
    (stub,) = stale_stubs(course)
    assert (stub.path, stub.source, stub.current) == (path, STUB, None)
    assert str(stub) == "assignments/means/means.py"
    assert write_stubs(course) == [stub]
    assert path.read_text() == STUB
    assert stale_stubs(course) == write_stubs(course) == []
    path.write_text(SOLUTION)
    assert [stale.path for stale in stale_stubs(course)] == [path]


def test_nothing_is_written_unless_every_stub_can_be_made(course: Course) -> None:
    manifest = course.assignments / "means/unit.toml"
    manifest.write_text(manifest.read_text().replace('["means"]', '["means", "medians"]'))
    with pytest.raises(CourseError, match=r"^solutions/means/medians\.py is missing: stubs are made from"):
        write_stubs(course)
    assert not (course.assignments / "means/means.py").exists()


def test_a_released_course_makes_no_stubs(course: Course) -> None:
    course.solutions.rename(course.root / "elsewhere")
    with pytest.raises(CourseError, match="this is a released course"):
        stale_stubs(course)


def test_the_stubs_of_this_course_are_in_step_with_its_solutions() -> None:
    stale = [
        f"{stub} differs from what its solution gives; run: autograder stubs"
        for stub in stale_stubs(Course.find(REAL))
    ]
    assert stale == []


def test_every_exercise_of_this_course_stands_in_its_stub() -> None:
    course = Course.find(REAL)
    sources = {stub.path: stub.source for stub in stubs(course)}
    for unit in course.units:
        for exercise in unit.exercises:
            stub = ast.parse(sources[unit.public / f"{exercise.module}.py"])
            assert exercise.name in {getattr(node, "name", None) for node in stub.body}
