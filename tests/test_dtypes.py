"""Every floating dtype: through the worker and in a student's own process, on the toy course."""

from __future__ import annotations

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.results import ExerciseResult, Status
from tests import warm
from tests.toy import affine, copy_course, graded, scale, session_of, submission, write_submission

EVERY = ("float64", "float32", "bfloat16")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return copy_course(tmp_path_factory.mktemp("dtypes") / "course", parity="dtypes")


@pytest.fixture(scope="module")
def session(course):
    with session_of(course) as session:
        yield session


def dtypes(exercise: ExerciseResult):
    return next(check for check in exercise.checks if "floating_dtype" in check.id)


def test_what_is_right_works_in_every_dtype_and_earns_the_point(session):
    result = session.grade(submission())
    assert result.score == 10
    verified = {exercise.name: exercise.dtypes.verified for exercise in result.exercises}
    assert verified == {"scale": EVERY, "noise": (), "Affine": EVERY, "train": EVERY}
    assert all(exercise.dtypes.detail == "" for exercise in result.exercises if exercise.dtypes.verified)
    assert result.to_json()["exercises"][0]["dtypes"] == {"verified": EVERY, "detail": "", "fails": False}


def test_what_has_no_dtype_is_no_pass_and_costs_nothing(session):
    noise = graded(session, "noise")
    assert dtypes(noise).status is Status.SKIPPED
    assert "not verifiable here, costs no points" in dtypes(noise).message
    assert "pass nothing that has a floating dtype" in dtypes(noise).message
    assert (noise.score, noise.passed, len(noise.counted)) == (2, 1, 1)


# Each passes every other check: their cases are in float64, or in float32.
BUGS = {
    "a wider result": (
        "scale",
        scale("return x.double() * factor"),
        "the result is float64 where the inputs are float32",
    ),
    "a constant of its own dtype": (
        "scale",
        scale("return x * torch.tensor([factor], dtype=torch.float64)"),
        "the result is float64 where the inputs are float32",
    ),
    "an overflow": (
        "scale",
        scale("return (x.log() + 100).exp() / torch.full_like(x, 100).exp() * factor"),
        "NaN in float32, and none in float64",
    ),
    "two dtypes meet": (
        "Affine",
        affine("self.one = torch.ones(n, dtype=torch.float64)", "(x * self.one) @ self.weight.T + self.bias"),
        "this works in the case's own dtype, and not in float32",
    ),
    "no bfloat16": (
        "Affine",
        affine("pass", "x @ self.weight.T + self.bias + 0 * float(x.detach().numpy().sum())"),
        "Got unsupported ScalarType BFloat16",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_that_only_another_dtype_shows_costs_one_check(session, name):
    exercise, files, says = BUGS[name]
    found = graded(session, exercise, **files)
    failed = [check for check in found.checks if check.status is not Status.PASSED]
    if name == "two dtypes meet":  # training is in float32
        assert next(check.status for check in graded(session, "train", **files).checks) is Status.FAILED
    assert failed == [dtypes(found)]
    assert says in dtypes(found).message
    assert "with every floating tensor and parameter in" in dtypes(found).message
    assert (found.dtypes.verified, found.dtypes.fails, found.dtypes.is_known) == ((), True, True)


def test_the_line_is_named_where_it_raises(session):
    _, files, _ = BUGS["two dtypes meet"]
    message = dtypes(graded(session, "Affine", **files)).message
    line = 1 + next(i for i, text in enumerate(files["layers"].splitlines()) if "self.one)" in text)
    assert f"layers.py:{line} in forward: return (x * self.one)" in message


@pytest.mark.parametrize(
    ("then", "says"),
    [("raise RuntimeError('odd')", "RuntimeError: odd"), ("__import__('os')._exit(1)", "ended itself")],
    ids=["an error of another kind", "a lost worker"],
)
def test_what_bfloat16_may_be_to_blame_for_is_left_out(session, then, says):
    files = scale(f"    if x.dtype is torch.bfloat16:\n        {then}\n    return x * factor")
    exercise = graded(session, "scale", **files)
    assert (exercise.dtypes.verified, exercise.score) == (("float64", "float32"), 3)
    everywhere = scale(f"    if x.dtype is not torch.float64:\n        {then}\n    return x * factor")
    exercise = graded(session, "scale", **everywhere)
    if "odd" in says:  # float32 can do whatever float64 can
        assert dtypes(exercise).status is Status.FAILED
        assert says in dtypes(exercise).message
    else:
        assert dtypes(exercise).status is Status.SKIPPED
        assert says in exercise.dtypes.detail


def test_what_autocast_makes_fail_is_advice(session):
    files = scale("return x * factor * (1 // (1 - torch.is_autocast_enabled('cpu')))")
    exercise = graded(session, "scale", **files)
    assert (exercise.dtypes.verified, exercise.score) == (EVERY, 3)
    assert "raises under torch.autocast: integer division or modulo by zero" in exercise.dtypes.detail
    assert "arith.py:" in exercise.dtypes.detail


def test_a_dtype_that_one_case_works_in_and_another_may_not_is_not_verified(session):
    body = "    if x.dtype is torch.bfloat16 and x.requires_grad:\n        raise RuntimeError('odd')\n"
    exercise = graded(session, "scale", **scale(f"{body}    return x * factor"))
    assert (exercise.dtypes.verified, exercise.score) == (("float64", "float32"), 3)


@pytest.mark.parametrize(("drawn", "passes"), [("torch.rand(1)", True), ("torch.ones(1)", False)])
def test_what_was_drawn_may_be_other_numbers(session, drawn, passes):
    files = scale(f"    {drawn}\n    return x * factor + (math.nan if x.dtype is torch.float32 else 0)")
    files["arith"] = f"import math\n{files['arith']}"
    assert (graded(session, "scale", **files).dtypes.verified == EVERY) is passes


@pytest.mark.parametrize("way", [[], ["--worker"]], ids=["in this process", "in the worker"])
def test_pytest_says_the_same_on_a_students_machine(course, tmp_path, way):
    folder = write_submission(tmp_path / "mine", **scale("return x.double() * factor"))
    done = warm.run_pytest(
        ["-q", "-p", "no:cacheprovider", "assignments/toy", f"--submission={folder}", *way],
        cwd=course.root,
        env={"OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1"},
    )
    assert "scale · works in float64, float32 and bfloat16   0 of 0.75 points" in done.stdout, done.stdout
    assert "the result is float64 where the inputs are float32" in done.stdout
    assert "dtype=x.dtype" in done.stdout
