"""Device parity without a GPU: through the worker and in a student's own process, on the toy course."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.results import DeviceState, ExerciseResult, Status
from tests import warm
from tests.toy import affine, copy_course, graded, scale, session_of, submission, write_submission

MIXED = "Expected all tensors to be on the same device"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return copy_course(tmp_path_factory.mktemp("parity") / "course", parity="gpu")


@pytest.fixture(scope="module")
def session(course):
    with session_of(course) as session:
        yield session


def parity(exercise: ExerciseResult):
    return next(check for check in exercise.checks if "works_on_a_gpu" in check.id)


def test_what_is_right_is_verified_by_simulation_and_earns_the_point(session):
    result = session.grade(submission())
    assert result.score == 10
    states = {exercise.name: exercise.device.state for exercise in result.exercises}
    assert states == {
        "scale": DeviceState.SIMULATED,
        "noise": DeviceState.UNVERIFIABLE,
        "Affine": DeviceState.SIMULATED,
        "train": DeviceState.SIMULATED,
    }


def test_what_cannot_be_verified_is_no_pass_and_costs_nothing(session):
    noise = graded(session, "noise")
    assert parity(noise).status is Status.SKIPPED
    assert "not verifiable here, costs no points" in parity(noise).message
    assert "pass no tensors that could lie on a GPU" in parity(noise).message
    assert (noise.score, noise.passed, len(noise.counted)) == (2, 1, 1)


BUGS = {
    "a tensor made elsewhere": ("    return x + torch.zeros(x.shape) + x * (factor - 1)\n", MIXED),
    "an error swallowed": (
        "    try:\n        return x * torch.full_like(x, factor, device='cpu')\n"
        "    except RuntimeError:\n        return x * factor\n",
        MIXED,
    ),
    "a result left on the CPU": ("    return x.cpu() * factor\n", "the result lies on the CPU"),
    "numpy": ("    return torch.from_numpy(x.detach().numpy() * factor)\n", "can't convert cuda:0"),
    "other values": ("    return x * (factor + x.is_cuda)\n", "the same call on the CPU gives this"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_that_only_a_gpu_shows_costs_one_check_and_names_the_line(session, name):
    body, says = BUGS[name]
    exercise = graded(session, "scale", **scale(body))
    failed = [check for check in exercise.checks if check.status is not Status.PASSED]
    on_the_cpu = [check for check in failed if check is not parity(exercise)]
    if name != "numpy":  # it has no gradient, on the CPU either
        assert on_the_cpu == []
        assert exercise.score == pytest.approx(3 * 3 / 4)
    assert parity(exercise) in failed
    assert says in parity(exercise).message
    assert exercise.device.state is DeviceState.DIFFERS
    if says is MIXED:
        line = 1 + next(
            i for i, text in enumerate(scale(body)["arith"].splitlines()) if "torch." in text and "x" in text
        )
        assert f"arith.py:{line} in scale: " in parity(exercise).message


MODULE_BUGS = {
    "a buffer that is none": affine(
        "self.one = torch.ones(m)", "x @ self.weight.T + self.bias * self.one.to(x.dtype)"
    ),
    "a list of modules": affine(
        "self.parts = [nn.Embedding.from_pretrained(torch.eye(n))]",
        "x @ self.parts[0].weight.to(x.dtype) @ self.weight.T + self.bias",
    ),
}


@pytest.mark.parametrize("name", MODULE_BUGS)
def test_what_does_not_move_with_its_module_is_found(session, name):
    exercise = graded(session, "Affine", **MODULE_BUGS[name])
    assert [check.status for check in exercise.checks if check is not parity(exercise)] == [Status.PASSED]
    assert parity(exercise).status is Status.FAILED
    assert MIXED in parity(exercise).message
    assert "register_buffer" in parity(exercise).message


def test_a_case_of_a_hidden_check_is_not_told(session):
    """The check of parity is told to students, and says what it found without the case that shows it."""
    files = affine("pass", "x @ self.weight.T + self.bias + float(x.is_cuda)")
    shown = parity(graded(session, "Affine", **files))
    assert shown.status is Status.FAILED
    assert "the same call on the CPU gives this" in shown.message
    assert "smallest case" not in shown.message
    public = parity(graded(session, "scale", **scale(BUGS["other values"][0])))
    assert "smallest case" in public.message


@pytest.mark.parametrize(
    ("on_a_gpu", "says"),
    [("raise RuntimeError('odd')", "RuntimeError: odd"), ("__import__('os')._exit(1)", "ended itself")],
    ids=["an error of another kind", "a lost worker"],
)
def test_what_the_simulation_may_be_to_blame_for_is_not_verifiable(session, on_a_gpu, says):
    body = f"    if x.is_cuda:\n        {on_a_gpu}\n    return x * factor\n"
    exercise = graded(session, "scale", **scale(body))
    assert exercise.device.state is DeviceState.UNVERIFIABLE
    assert says in exercise.device.detail
    assert exercise.score == 3


@pytest.mark.parametrize("body", ["return x.new_zeros(x.shape)", "raise NotImplementedError()"])
def test_what_is_wrong_on_the_cpu_is_not_tried(session, body):
    exercise = graded(session, "scale", **scale(f"    {body}\n"))
    assert exercise.device.state is DeviceState.UNVERIFIABLE
    assert "computes something passes on the CPU yet" in exercise.device.detail
    assert exercise.passed == 1  # a negative factor is refused


def test_a_copy_to_the_cpu_is_advice(session):
    exercise = graded(session, "scale", **scale("    return x.cpu().to(x.device) * factor\n"))
    assert (exercise.device.state, exercise.score) == (DeviceState.SIMULATED, 3)
    assert "copies a tensor to the CPU" in exercise.device.detail


def test_a_copy_of_lengths_to_the_cpu_is_none(session):
    body = "    lengths = x.long().cpu()\n    return x * factor * (1 + 0 * int(lengths.sum()))\n"
    exercise = graded(session, "scale", **scale(body))
    assert (exercise.device.state, exercise.score) == (DeviceState.SIMULATED, 3)
    assert exercise.device.detail == ""


def test_a_second_grading_says_the_same(session):
    wrong = submission(**scale(BUGS["a tensor made elsewhere"][0]))
    assert session.grade(wrong) == session.grade(wrong)


# -------------------------------------------------------------------------------- on a student's machine


def run_pytest(course, folder: Path, *options: str) -> str:
    files = ["assignments/toy", "solutions/toy/test_layers.py", f"--submission={folder}"]
    done = warm.run_pytest(
        ["-q", "-rs", "-p", "no:cacheprovider", *options, *files],
        cwd=course.root,
        env={"OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1"},
    )
    return done.stdout


@pytest.mark.parametrize("way", [[], ["--worker"]], ids=["in this process", "in the worker"])
def test_pytest_says_the_same_on_a_students_machine(course, tmp_path, way):
    files = scale(BUGS["an error swallowed"][0])
    output = run_pytest(course, write_submission(tmp_path / "mine", **files), *way)
    assert "scale · works on a GPU as on the CPU   0 of 0.75 points" in output, output
    assert f"raised  {MIXED}" in output
    assert "in scale: return x * torch.full_like(x, factor, device='cpu')" in output
    assert "1 failed, 8 passed, 1 skipped" in output
    for exercise, said in (("scale", "differs"), ("noise", "not verifiable here"), ("Affine", "simulated")):
        assert next(line for line in output.splitlines() if f"│ {exercise} " in line).count(said) == 1


def test_the_check_runs_alone(course, tmp_path):
    output = run_pytest(course, write_submission(tmp_path / "mine"), "-k", "works_on_a_gpu and Affine")
    assert "1 passed" in output, output


def test_it_needs_no_more_than_a_student_installs(course, tmp_path):
    folder = write_submission(tmp_path / "mine", **scale(BUGS["a tensor made elsewhere"][0]))
    instructors = ["nbgrader", "pyseccomp", "scipy", "sklearn", "babel"]
    absent = f"import sys; sys.modules.update(dict.fromkeys({instructors}))"
    options = ["-q", "-p", "no:cacheprovider", "assignments/toy", f"--submission={folder}"]
    done = subprocess.run(
        [sys.executable, "-c", f"{absent}; import pytest; pytest.main({options})"],
        cwd=course.root, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert f"raised  {MIXED}" in done.stdout, done.stdout + done.stderr
