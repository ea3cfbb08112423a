"""The pytest plugin as a student meets it, on the toy course: in this process and through the worker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import warm

TOY = Path(__file__).parent / "toy_course"
CHECKS = ["assignments/toy", "solutions/toy/test_layers.py"]
WAYS = pytest.mark.parametrize("way", [[], ["--worker"]], ids=["in this process", "in the worker"])


def run_pytest(*options: str, cwd: Path = TOY, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm.run_pytest(
        ["-q", "-p", "no:cacheprovider", *options],
        cwd=cwd,
        env={"OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1", **environment},
    )


def write(folder: Path, **modules: str) -> Path:
    """A submission: the solution's modules but for those given."""
    folder.mkdir()
    for name in ("arith", "layers"):
        (folder / f"{name}.py").write_text(
            modules.get(name) or (TOY / f"solutions/toy/{name}.py").read_text()
        )
    return folder


@WAYS
def test_the_solution_passes_and_the_table_says_so(way):
    done = run_pytest(*CHECKS, "--submission", "solutions/toy", *way)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert re.search(r"in all\W+10 of 10", done.stdout)


@WAYS
def test_a_stub_fails_every_check_and_is_told_where(tmp_path, way):
    stub = "\n\n".join(f"def {{{i}}}(*args):\n    raise NotImplementedError()" for i in range(2))
    folder = write(
        tmp_path / "stub", arith=stub.format("scale", "noise"), layers=stub.format("Affine", "train")
    )
    done = run_pytest(*CHECKS, "--submission", str(folder), *way)
    assert done.returncode == 1
    assert "6 failed" in done.stdout
    assert "raises NotImplementedError, arith.py:2 in scale" in done.stdout
    assert re.search(r"in all\W+0 of 10", done.stdout)


@WAYS
def test_a_wrong_result_is_told_on_the_smallest_case(tmp_path, way):
    source = (TOY / "solutions/toy/arith.py").read_text()
    wrong = source.replace("return x * factor", "return x * factor if len(x) < 3 else x + factor")
    done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / "wrong", arith=wrong)), *way)
    assert "scale · scales every element   0 of 1 point\n  smallest case  n 3  factor 1.0\n" in done.stdout
    assert "expected       [1.0, 2.0, 3.0]" in done.stdout
    assert "got            [2.0, 3.0, 4.0]" in done.stdout


def test_a_failure_is_told_once_also_where_pytest_shortens_nothing(tmp_path):
    source = (TOY / "solutions/toy/arith.py").read_text().replace("x * factor", "x + factor")
    folder = write(tmp_path / "wrong", arith=source)
    done = run_pytest("assignments/toy", "--submission", str(folder), "-rf", CI="true")
    assert "FAILED" in done.stdout
    assert done.stdout.count("scales every element   0 of") == 2, done.stdout  # also in the list at the end
    assert done.stdout.count("smallest case  n 1  factor 1.0") == 1


@WAYS
def test_an_exception_is_told_with_the_students_line(tmp_path, way):
    source = (TOY / "solutions/toy/arith.py").read_text()
    wrong = source.replace("return x * factor", "return x * factorial")
    done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / "raises", arith=wrong)), *way)
    assert "raised         NameError: name 'factorial' is not defined" in done.stdout
    assert re.search(r"where +arith.py:9 in scale: return x \* factorial", done.stdout)


@WAYS
def test_a_syntax_error_and_a_missing_file_cost_their_module_only(tmp_path, way):
    folder = write(tmp_path / "broken", layers="def Affine(n, m:\n    pass\n")
    done = run_pytest(*CHECKS, "--submission", str(folder), *way)
    assert "4 passed" in done.stdout
    assert "2 failed" in done.stdout
    assert re.search(r"syntax error +'\(' was never closed, layers.py:1", done.stdout)
    (folder / "layers.py").unlink()
    done = run_pytest(*CHECKS, "--submission", str(folder), *way)
    assert "4 passed" in done.stdout
    assert "layers.py is missing; hand it in under exactly this name." in done.stdout


@WAYS
def test_a_forbidden_function_is_named(tmp_path, way):
    source = (TOY / "solutions/toy/arith.py").read_text()
    short_cut = source.replace("return x * factor", "return torch.nn.functional.softmax(x, 0)")
    done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / "short", arith=short_cut)), *way)
    assert "torch.nn.functional.softmax is what this unit asks you to write yourself" in done.stdout


@pytest.mark.parametrize(
    ("short_cut", "way"),
    [
        ("Affine = nn.Linear", []),
        ("class Affine(nn.Linear):\n    pass", []),
        ("class Affine(nn.Linear):\n    pass", ["--worker"]),
        ("class Affine(nn.Linear):\n    def __init__(self, n, m):\n        super().__init__(n, m)", []),
    ],
)
def test_a_library_class_under_the_exercises_name_is_refused(tmp_path, way, short_cut):
    source = (TOY / "solutions/toy/layers.py").read_text()
    before, _, after = source.partition("class Affine")
    layers = before + short_cut + "\n\n\n" + after[after.index("def train") :]
    done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / "short", layers=layers)), *way)
    assert "torch.nn.Linear is what Affine is to do itself; do not call it there." in done.stdout


@WAYS
def test_what_one_exercise_may_not_call_others_may(tmp_path, way):
    source = (TOY / "solutions/toy/layers.py").read_text()
    old = "return x @ self.weight.T + self.bias"
    assert old in source
    short = source.replace(old, "return nn.functional.linear(x, self.weight, self.bias)")
    elsewhere = source.replace("losses = []", "losses = []\n    nn.Linear(2, 3)(torch.ones(1, 2))")
    for name, layers, expected in (("short", short, "2 failed"), ("elsewhere", elsewhere, "6 passed")):
        done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / name, layers=layers)), *way)
        assert expected in done.stdout, done.stdout
        assert ("torch.nn.functional.linear is what Affine" in done.stdout) is (name == "short")


def test_files_of_the_course_may_call_what_a_student_may_not(tmp_path):
    """On a student's machine both lie in one folder."""
    course = tmp_path / "course"
    shutil.copytree(TOY, course)
    for module in ("arith", "layers"):
        shutil.copy(course / f"solutions/toy/{module}.py", course / "assignments/toy")
    (course / "assignments/toy/cases.py").write_text(
        "import torch\n\n\ndef oracle(x):\n    return torch.nn.functional.softmax(x, 0)\n"
    )
    checks = course / "assignments/toy/test_arith.py"
    checks.write_text(
        checks.read_text().replace(
            "    expected = x * factor", "    cases.oracle(x)\n    expected = x * factor"
        )
        + "\n\nfrom assignments.toy import cases\n"
    )
    done = run_pytest("assignments/toy", cwd=course)
    assert "write yourself" not in done.stdout
    assert "4 passed" in done.stdout, done.stdout


@WAYS
def test_global_randomness_is_told_from_the_generators(tmp_path, way):
    source = (TOY / "solutions/toy/arith.py").read_text()
    wrong = source.replace("torch.randn(n, generator=generator)", "torch.randn(n)")
    done = run_pytest(*CHECKS, "--submission", str(write(tmp_path / "global", arith=wrong)), *way)
    assert "noise · noise depends on the generator alone   0 of 2 points" in done.stdout


def test_an_import_that_exits_does_not_end_the_run(tmp_path):
    folder = write(tmp_path / "exits", layers="raise SystemExit(0)\n")
    done = run_pytest(*CHECKS, "--submission", str(folder))
    assert done.returncode == 1
    assert "4 passed" in done.stdout
    assert "the import ends the program: SystemExit in line 1" in done.stdout


def test_one_exercise_alone(tmp_path):
    done = run_pytest(*CHECKS, "--submission", "solutions/toy", "--exercise", "noise")
    assert "1 passed, 5 deselected" in done.stdout
    assert re.search(r"in all\W+2 of 2", done.stdout)


def test_the_same_cases_wherever_the_course_lies(tmp_path):
    """Cases depend on the check's id alone, not on the folder or on what was run before."""
    source = (TOY / "solutions/toy/arith.py").read_text()
    shown = source.replace("return x * factor", "print('case', len(x), factor)\n    return x * factor")
    folder = write(tmp_path / "shown", arith=shown)
    course = tmp_path / "elsewhere" / "toy_course"
    shutil.copytree(TOY, course)
    options = ("assignments/toy/test_arith.py", "-s", f"--submission={folder}")
    runs = [run_pytest(*options, cwd=cwd) for cwd in (TOY, course, course)]
    cases = [re.findall(r"case .*", run.stdout) for run in runs]
    assert len(cases[0]) > 25
    assert cases[0] == cases[1] == cases[2]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("exercise('scale', points=float('nan'))", "points must be a positive finite number, not nan"),
        ("exercise('scale', points=float('inf'))", "points must be a positive finite number, not inf"),
        ("exercise('scale', points=0)", "points must be a positive finite number, not 0"),
        ("exercise('scale', points=2)", "is worth 2 points here and 3 in another check"),
        ("exercise('scale')", "points must be a positive finite number, not None"),
        ("exercise('scale', 3)", "write the mark as exercise(name, points=…)"),
    ],
)
def test_a_wrong_mark_is_refused(tmp_path, mark, message):
    course = tmp_path / "toy_course"
    shutil.copytree(TOY, course)
    path = course / "assignments/toy/test_arith.py"
    path.write_text(
        path.read_text() + f"\n\nimport pytest\n@pytest.mark.{mark}\ndef test_more(student):\n    pass\n"
    )
    done = run_pytest("assignments/toy", "--submission=solutions/toy", cwd=course)
    assert done.returncode == 4
    assert message in done.stdout + done.stderr


def test_tests_without_the_mark_are_left_alone(tmp_path):
    (tmp_path / "test_other.py").write_text("def test_it():\n    assert True\n")
    done = run_pytest(cwd=tmp_path)
    assert done.returncode == 0
    assert "1 passed" in done.stdout
    assert "exercise" not in done.stdout
