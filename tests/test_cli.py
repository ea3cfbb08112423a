"""The command line as people meet it: what it prints, its exit status, and one sentence for what is wrong."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from autograder import cli, doctor
from autograder.course import Course
from autograder.sandbox import Layer
from tests.small_course import MISTAKES, TELLING, add, write_course_and_engine
from tests.toy import HONEST, TOY, copy_course, write_submission

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


def autograder(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autograder", *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that bad usage is told in."""
    assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
    assert done.stderr.startswith("autograder: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("autograder: ").rstrip()


def without(package: str, folder: Path) -> dict[str, str]:
    """The environment of a machine on which `package` is not installed."""
    (folder / f"{package}.py").write_text(f"raise ImportError('No module named {package}')\n")
    return {"PYTHONPATH": str(folder)}


Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command in this process; returns its exit status and all that it printed."""

    def called(*arguments: str, cwd: Path) -> tuple[int, str]:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["autograder", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return called


# ----------------------------------------------------------------------------------------------------- help


def test_it_is_a_module_too_and_lists_its_commands(tmp_path: Path) -> None:
    done = autograder("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^│ {command} ", done.stdout, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_shows_an_example_that_could_be_typed(command: str) -> None:
    shown = CliRunner().invoke(cli.app, [command, "--help"])
    assert shown.exit_code == 0
    [example] = re.findall(r"Example: autograder (.*?) *\n", shown.output)
    name, *arguments = shlex.split(example)
    assert name == command
    COMMANDS[name].make_context(name, arguments)  # raises where an option or argument is unknown


def test_an_unknown_command_is_bad_usage(tmp_path: Path) -> None:
    done = autograder("grad", "submitted", cwd=tmp_path)
    assert (done.returncode, "No such command 'grad'" in done.stderr) == (2, True)


# ---------------------------------------------------------------------------------------------------- check


def test_check_runs_every_unit_and_says_what_is_earned() -> None:
    done = autograder("check", "--submission", "solutions/toy", cwd=TOY)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"│ scale +│ +3 of 3 │ 3 of 3 │\n│ noise +│ +1 of 1 │ 2 of 2 │", done.stdout)
    assert re.search(r"│ in all +│ +│ 5 of 5 │", done.stdout)
    assert "4 passed" in done.stdout
    assert "arning" not in done.stdout


def test_check_tells_what_is_wrong_with_ones_own_work(tmp_path: Path) -> None:
    course = copy_course(tmp_path / "course")
    wrong = HONEST["arith"].replace("x * factor", "x + factor")
    write_submission(course.assignments / "toy", arith=wrong)
    done = autograder("check", "toy", cwd=course.assignments / "toy")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(
        r"scale · scales every element   0 of 1 point\n(?:  .*\n)*  expected +\S.*\n  got +\S", done.stdout
    )
    assert "Traceback" not in done.stdout
    assert re.search(r"│ noise +│ +1 of 1 │ 2 of 2 │", done.stdout)


@NEEDS_LINUX
@pytest.mark.parametrize("way", [[], ["--worker"]], ids=["in this process", "in the worker"])
def test_check_runs_one_exercise(way: list[str]) -> None:
    done = autograder("check", "noise", *way, "--submission", "solutions/toy", cwd=TOY)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"│ in all +│ +│ 2 of 2 │", done.stdout)
    assert "scale" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["noize"], "there is no unit or exercise 'noize'; did you mean noise?"),
        (["Toy"], "there is no unit or exercise 'Toy'; did you mean toy?"),
        (["xxxxxx"], "there is no unit or exercise 'xxxxxx'; the units are toy."),
        (["--submission", "nowhere"], "nowhere is no folder; name the one that holds the modules."),
    ],
)
def test_check_of_what_is_not_there_is_one_sentence(arguments: list[str], says: str) -> None:
    assert sentence(autograder("check", *arguments, cwd=TOY)) == says


def test_check_of_a_course_without_units_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    assert sentence(autograder("check", cwd=tmp_path)) == "this course has no unit yet."


@pytest.mark.parametrize("command", ["check", "grade .", "stubs", "release new"])
def test_outside_of_a_course_is_one_sentence(tmp_path: Path, command: str) -> None:
    told = sentence(autograder(*command.split(), cwd=tmp_path))
    assert told.endswith("is in no course: neither it nor a folder above it holds assignments/.")


# ----------------------------------------------------------------------------------- what is not installed


@NEEDS_LINUX
@pytest.mark.parametrize("package", ["msgspec", "safetensors"])
@pytest.mark.parametrize("command", ["grade submitted", "check noise --worker"])
def test_without_the_instructors_packages_one_sentence_says_what_to_install(
    tmp_path: Path, package: str, command: str
) -> None:
    course = copy_course(tmp_path / "course")
    write_submission(course.root / "submitted/ann/toy")
    told = sentence(autograder(*command.split(), cwd=course.root, **without(package, tmp_path)))
    assert f"(No module named {package})" in told
    assert told.endswith("install them: pip install -c constraints.txt -e '.[instructor]'.")


@NEEDS_LINUX
@pytest.mark.parametrize("command", ["grade submitted", "check noise --worker"])
def test_without_seccomp_nothing_is_run(tmp_path: Path, command: str) -> None:
    course = copy_course(tmp_path / "course")
    write_submission(course.root / "submitted/ann/toy", arith="raise SystemExit('it was run')\n")
    told = sentence(autograder(*command.split(), cwd=course.root, **without("pyseccomp", tmp_path)))
    assert told.startswith("seccomp: pyseccomp is missing: install")


# --------------------------------------------------------------------------------------------------- doctor


@NEEDS_LINUX
def test_doctor_names_every_layer_and_grading_is_possible() -> None:
    done = autograder("doctor", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(re.findall(r"^│ (\S.*?) +│ (holds|missing|MISSING) ", done.stdout, re.MULTILINE))
    named = {*(layer.value for layer in Layer), "python", "versions", "instructor's extra", "torch"}
    named |= {"GPU", "simulated GPU"}
    assert found.keys() == named
    assert found["seccomp"] == "holds"
    assert done.stdout.endswith("Classes can be graded here.\n")


@NEEDS_LINUX
def test_doctor_says_what_to_do_where_seccomp_is_missing(tmp_path: Path) -> None:
    done = autograder("doctor", cwd=ROOT, **without("pyseccomp", tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"│ seccomp +│ MISSING │ pyseccomp is missing.*\n│ +│ +│ → install ", done.stdout)
    assert done.stdout.endswith("Classes cannot be graded here: seccomp missing.\n")


def test_doctor_says_what_to_do_where_a_package_is_missing(call: Call, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "probe", lambda: [])
    monkeypatch.setattr(doctor, "_installed", lambda name: name != "nbgrader")
    status, output = call("doctor", cwd=ROOT)
    assert status == 1
    assert re.search(r"instructor's extra │ MISSING │ missing: nbgrader +│\n│ +│ +│ → pip install ", output)
    assert "Classes cannot be graded here: instructor's extra missing." in output


# ---------------------------------------------------------------------------------------- stubs and releases


@pytest.fixture
def small_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    return write_course_and_engine(tmp_path, monkeypatch)


def test_stubs_are_checked_written_and_checked_again(call: Call, small_course: Course) -> None:
    stub = small_course.assignments / "means/means.py"
    differs = "assignments/means/means.py differs from what its solution gives; run: autograder stubs\n"
    assert call("stubs", "--check", cwd=small_course.root) == (1, differs)
    assert not stub.exists()
    assert call("stubs", cwd=small_course.root) == (0, "wrote assignments/means/means.py\n")
    assert call("stubs", "--check", cwd=stub.parent) == (0, "")
    assert call("stubs", cwd=small_course.root) == (0, "every stub is what its solution gives.\n")
    stub.write_text(stub.read_text() + "# mine\n")
    assert call("stubs", "--check", cwd=small_course.root) == (1, differs)


def test_release_says_what_it_wrote(call: Call, small_course: Course, tmp_path: Path) -> None:
    status, output = call("release", str(tmp_path / "new"), cwd=small_course.root)
    assert status == 0
    count = sum(path.is_file() for path in (tmp_path / "new").rglob("*"))
    written = f"to {tmp_path / 'new'}: {count} files added, 0 changed, 0 removed."
    assert output == f"released course {small_course.version[:12]} {written}\n"


def test_a_leak_stops_a_release_with_status_1(call: Call, small_course: Course, tmp_path: Path) -> None:
    add(small_course, "assignments/means/README.md", f"# Means\n\n    {TELLING}\n")
    add(small_course, "data/wrong_turns.txt", MISTAKES)
    status, output = call("release", str(tmp_path / "new"), cwd=small_course.root)
    assert status == 1
    assert output.startswith("autograder: nothing was released, it would give away what is hidden:\n")
    assert "assignments/means/README.md" in output
    assert "data/wrong_turns.txt" in output
    assert not (tmp_path / "new").exists()


def test_a_release_into_somebodys_folder_is_bad_usage(
    call: Call, small_course: Course, tmp_path: Path
) -> None:
    add(small_course, "../new/thesis.txt", "mine")
    status, output = call("release", "../new", cwd=small_course.root)
    assert status == 2
    assert output == (
        f"autograder: {tmp_path / 'new'} is not empty and no earlier release (.release.json is missing); "
        "name a new folder.\n"
    )
