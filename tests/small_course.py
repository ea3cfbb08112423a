"""A course of one unit, small enough to be written anew for every test; nothing in it is ever run."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course import Course

SOLUTION = '''"""Averages."""

import torch
from torch import Tensor


def weighted_mean(x: Tensor, weights: Tensor) -> Tensor:
    """Σ w x / Σ w over the first dimension.

    Trap: weights need not add up to 1.
    """
    ### BEGIN SOLUTION
    total = weights.sum()
    shares = torch.where(total > 0, weights / total, torch.zeros_like(weights))
    # weights that are all zero would divide zero by zero, and poison the gradient
    return torch.einsum("i,i...->...", shares, x)
    ### END SOLUTION


class RunningMean:
    def __init__(self, rate: float) -> None:
        """Start at zero."""
        ### BEGIN SOLUTION
        self.rate = rate
        self.mean = 0.0
        ### END SOLUTION

    def update(self, x: float) -> float:
        ### BEGIN SOLUTION
        self.mean += self.rate * (x - self.mean)
        return self.mean
        ### END SOLUTION
'''

CASES = """def mean_cases(max_size=3, allow_zero=False):
    return max_size, allow_zero
"""

PUBLIC_TEST = """from hypothesis import given
from autograder.checks import assert_close, exercise
from assignments.means.cases import mean_cases


@exercise("weighted_mean", points=2)
@given(case=mean_cases())
def test_equal_weights_give_the_plain_mean(student, case):
    result = student.weighted_mean(case.x, case.equal_weights)
    assert_close(result, case.x.mean(0), because="all weights are equal")
"""

HIDDEN_TEST = """from hypothesis import given
from autograder.checks import assert_close, exercise
from assignments.means.cases import mean_cases
from solutions.means.oracles import mean_by_loops


@exercise("weighted_mean", points=2)
@given(case=mean_cases(max_size=1, allow_zero=True))
def test_equal_weights_of_a_single_row(student, case):
    result = student.weighted_mean(case.x, case.equal_weights)
    assert_close(result, case.x.mean(0), because="all weights are equal")


@exercise("weighted_mean", points=2)
@given(case=mean_cases())
def test_any_weights_agree_with_a_loop(student, case):
    expected = mean_by_loops(case.x.tolist(), case.weights.tolist())
    assert_close(student.weighted_mean(case.x, case.weights), expected, because="the definition says so")
"""

ORACLES = """def mean_by_loops(rows, weights):
    total = sum(weights) or 1.0
    return [sum(w * row[i] for w, row in zip(weights, rows)) / total for i in range(len(rows[0]))]
"""

ALTERNATIVE = """from torch import Tensor


def weighted_mean(x: Tensor, weights: Tensor) -> Tensor:
    normalised = weights.div(weights.sum().clamp_min(1e-300))
    return normalised.reshape(-1, *[1] * (x.dim() - 1)).mul(x).sum(0)
"""

MISTAKES = """[[mistake]]
exercise = "weighted_mean"
name = "divides by the number of rows instead of the sum of weights"
old = "weights / total"
new = "weights / weights.new_full((), float(len(weights)))"
hint = "Only weights that add up to the number of rows hide this. Which sum makes the shares add up to 1?"
"""

MANIFEST = """title = "Means"
modules = ["means"]

[[exercise]]
name = "weighted_mean"
module = "means"
minutes = 20

[[exercise]]
name = "RunningMean"
module = "means"
minutes = 10
"""

FILES = {
    "assignments/means/README.md": "# Means\n\n    weighted_mean(x, weights)   # of a tensor's rows\n",
    "assignments/means/unit.toml": MANIFEST,
    "assignments/means/cases.py": CASES,
    "assignments/means/test_means.py": PUBLIC_TEST,
    "solutions/means/means.py": SOLUTION,
    "solutions/means/test_means.py": HIDDEN_TEST,
    "solutions/means/oracles.py": ORACLES,
    "solutions/means/mistakes.toml": MISTAKES,
    "solutions/means/alternatives/views/means.py": ALTERNATIVE,
    "data/README.md": "Nothing yet.\n",
    "release/README.md": "# Assignments\n\n<!-- units -->\n",
    "release/.gitignore": "__pycache__/\n",
    "release/.github/workflows/check.yml": "name: check\n",
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
    "constraints.txt": "torch==2.13.0\n",
    "tests/test_nothing.py": "",
    "examples/submitted/ann/means/means.py": SOLUTION,
}

# the line of the solution that gives the exercise away
TELLING = "shares = torch.where(total > 0, weights / total, torch.zeros_like(weights))"

ENGINE = {
    "__init__.py": '"""The engine."""\n',
    "checks.py": "def exercise(name, points):\n    return name, points\n",
}


def write_files(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="\n")


def write_course(root: Path) -> Course:
    write_files(root, FILES)
    return Course(root)


def write_course_and_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """The course, released with a small engine: the real one takes a second to read."""
    write_files(folder / "engine", ENGINE)
    for module in ("course", "hidden", "release"):
        monkeypatch.setattr(f"autograder.{module}.ENGINE", folder / "engine")
    return write_course(folder / "course")


def add(course: Course, name: str, content: str | bytes) -> None:
    path = course.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
