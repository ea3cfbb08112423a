"""`autograder grade` from a class's folder to its results, on the toy course."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.course import Course, CourseError
from autograder.grading import command, frozen
from autograder.grading.class_folder import Rejected
from autograder.grading.command import grade_class
from autograder.results import CheckResult, ExerciseResult, Status, UnitResult
from autograder.store.results import Graded, ResultStore, StoreError
from autograder.worker import reached
from autograder.worker.client import TimeLimit
from tests.toy import (
    FULL,
    HONEST,
    copy_course,
    grade,
    messages,
    scores,
    statuses,
    submission,
    without_version,
    write_submission,
)

ARITH, LAYERS = HONEST["arith"], HONEST["layers"]

NO_NOISE, NO_ARITH = {**FULL, "noise": 0}, {**FULL, "scale": 0, "noise": 0}
NO_LAYERS = {**FULL, "Affine": 0, "train": 0}


def arith(old: str, new: str) -> dict[str, str | None]:
    """The honest submission with one change in `arith`."""
    assert old in ARITH
    return {"arith": ARITH.replace(old, new)}


HELPER = "def times(a, b):\n    return b * a\n"

# What a student handed in, and what it scores.
CLASS: dict[str, tuple[dict[str, str | None], dict[str, float]]] = {
    "a-full": ({}, FULL),
    "b-syntax-error": (arith("def noise(", "def broken(:\n\n\ndef noise("), NO_ARITH),
    "c-missing-file": ({"layers": None}, NO_LAYERS),
    "d-crash": (arith("return torch.randn", "__import__('os')._exit(3)\n    return torch.randn"), NO_NOISE),
    "e-hang": (arith("return torch.randn", "while True:\n        pass\n    return torch.randn"), NO_NOISE),
    "f-prints": (arith("    return x", "    print('x' * 5_000_000)\n    return x"), FULL),
    "g-wrong-gradient": (arith("x * factor", "x.detach() * factor"), {**FULL, "scale": 2}),
    "h-no-error": (arith("if factor < 0:", "if False:"), {**FULL, "scale": 2}),
    "i-not-written": (
        {"layers": LAYERS.replace("optimizer = torch", "raise NotImplementedError()\n    optimizer = torch")},
        {**FULL, "train": 0},
    ),
    "j-import-error": ({"layers": "import tensorflow\n" + LAYERS}, NO_LAYERS),
    "k-global-noise": (arith("torch.randn(n, generator=generator)", "torch.randn(n)"), NO_NOISE),
    "l-other-style": (
        arith("import torch", "import torch\nfrom helper import times")
        | {"helper": "def times(a, b):\n    return b * a\n"},
        FULL,
    ),
    "m-full": ({}, FULL),
    "Zoë [b]": ({}, FULL),
}


def write_class(submitted: Path) -> Path:
    for student, (files, _) in CLASS.items():
        present = {name: text for name, text in files.items() if text is not None}
        write_submission(submitted / student / "toy", **present)
        for name, text in files.items():
            if text is None:
                (submitted / student / "toy" / f"{name}.py").unlink()
    return submitted


def autograder(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "autograder", *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return copy_course(tmp_path_factory.mktemp("toy") / "course", seconds=1)


@pytest.fixture(scope="module")
def graded(course: Course, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The class, graded by the command, once with one process and once with two."""
    folder = tmp_path_factory.mktemp("graded")
    write_class(folder / "submitted")
    found: dict[str, Any] = {"folder": folder}
    for jobs in ("1", "2"):
        done = autograder(
            *("grade", str(folder / "submitted"), "--jobs", jobs, "--unit", "toy"),
            *("--json", str(folder / f"{jobs}.json"), "--out", str(folder / f"reports{jobs}")),
            cwd=course.root,
        )
        assert done.returncode == 0, done.stderr
        found[jobs] = without_version(folder / f"{jobs}.json")
        found["output"] = done.stdout
    found["by student"] = {result["student"]: result for result in found["1"]["results"]}
    return found


@pytest.mark.parametrize("student", CLASS)
def test_a_submission_scores_what_it_does_right(graded, student):
    assert scores(graded["by student"][student]) == CLASS[student][1]


def test_the_number_of_processes_changes_nothing(graded):
    assert graded["1"] == graded["2"]


def test_the_json_is_as_the_design_says(graded):
    document = graded["1"]
    assert document.keys() == {"course", "results", "not_graded"}
    assert document["not_graded"] == []
    assert [r["student"] for r in document["results"]] == sorted(CLASS)
    for result in document["results"]:
        assert {"student", "unit", "score", "max_score", "sandbox", "exercises"} <= result.keys()
        assert (result["unit"], result["max_score"]) == ("toy", 10)
        assert "seccomp" in result["sandbox"]
        assert result["score"] == pytest.approx(sum(scores(result).values()))
        assert [e["name"] for e in result["exercises"]] == list(FULL)
        for exercise in result["exercises"]:
            keys = {"name", "score", "max_score", "diagnosis", "device", "dtypes", "checks"}
            assert exercise.keys() == keys
            for check in exercise["checks"]:
                assert check.keys() == {"id", "status", "message"}
                assert check["status"] in {"passed", "failed", "error", "timeout", "crashed", "skipped"}
                assert (check["status"] == "passed") == (check["message"] == "")
                assert "::test_" in check["id"]


@pytest.mark.parametrize(
    ("student", "exercise", "status", "says"),
    [
        ("b-syntax-error", "scale", "error", "arith.py:"),
        ("c-missing-file", "train", "error", "layers.py is missing"),
        ("d-crash", "noise", "crashed", "exit status 3"),
        ("e-hang", "noise", "timeout", "CPU time"),
        ("h-no-error", "scale", "failed", "factor=-1.0 is not refused"),
        ("i-not-written", "train", "failed", "NotImplementedError"),
        ("j-import-error", "Affine", "failed", "No module named 'tensorflow' where submissions are graded"),
    ],
)
def test_what_went_wrong_is_told(graded, student, exercise, status, says):
    result = graded["by student"][student]
    assert status in statuses(result, exercise)
    assert says in messages(result, exercise)


def test_the_smallest_case_is_told(graded):
    assert "smallest case  n 1\n" in messages(graded["by student"]["g-wrong-gradient"], "scale")


def test_the_same_submission_gets_the_same_result(graded):
    first, again = (dict(graded["by student"][name], student="") for name in ("a-full", "m-full"))
    assert first == again


def test_every_submission_has_a_report(graded):
    reports = {path.name: path.read_text() for path in (graded["folder"] / "reports1").glob("*.txt")}
    assert len(reports) == len(CLASS)
    assert reports["a-full.toy.txt"].startswith("a-full · toy   10 of 10 points\n")
    assert "exit status 3" in reports["d-crash.toy.txt"]
    assert [name for name in reports if name.startswith("Zob~")] != []
    assert not any(name.startswith(".") for name in os.listdir(graded["folder"]))  # no half-written file


def test_the_table_names_everybody(graded):
    for student in CLASS:
        assert student in graded["output"]


# ------------------------------------------------------------------------------ exit status


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["grade"], "Missing argument"),
        (["grade", "nowhere"], "nowhere cannot be read"),
        (["grade", ".", "--unit", "none"], "no unit 'none'; the units of this course are: toy"),
        (["grade", ".", "--jobs", "0"], "Invalid value"),
        (["grade", ".", "--json", "no/such/folder.json"], "is no folder"),
        (["grade", ".", "--no-such-option"], "No such option"),
    ],
)
def test_bad_usage_is_status_2_and_a_sentence(course, arguments, says):
    done = autograder(*arguments, cwd=course.root)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_outside_of_a_course_is_status_2(tmp_path):
    done = autograder("grade", ".", cwd=tmp_path)
    assert (done.returncode, "is in no course" in done.stderr) == (2, True)


def run_command(course: Course, submitted: Path, json_file: Path, **options: Any) -> tuple[int, Any]:
    settings: dict[str, Any] = {"unit": None, "jobs": 1, "out": None, "sandboxed": True, **options}
    status = grade_class(course, submitted, json_file=json_file, **settings)
    return status, json.loads(json_file.read_text())


def test_an_empty_class_is_status_1(course, tmp_path, capsys):
    (tmp_path / "submitted").mkdir()
    status, document = run_command(course, tmp_path / "submitted", tmp_path / "r.json")
    assert (status, document["results"], document["not_graded"]) == (1, [], [])
    assert "holds no submission" in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def fake_outcomes(monkeypatch):
    """Grading without processes: `answer` gives each task's outcome, or raises."""

    def install(answer: Any) -> None:
        def grade_all(course: Course, tasks: list[Any], **_: Any) -> Any:
            for task in tasks:
                yield task, answer(task)

        monkeypatch.setattr(command, "grade_all", grade_all)

    return install


def small_result(task: Any) -> Any:
    check = CheckResult("a/b/c.py::test", "scale", Status.PASSED)
    result = UnitResult(task.student, task.unit, (ExerciseResult("scale", 3, (check,)),), ("seccomp",))
    return Graded(result, "", "", "2026-11-22T03:00:00+00:00", 0.1)


def class_of(submitted: Path, *names: str) -> Path:
    for name in names:
        write_submission(submitted / name / "toy")
    return submitted


def test_what_cannot_be_graded_is_status_1_and_told(course, tmp_path, fake_outcomes, capsys):
    fake_outcomes(lambda task: Rejected("b/toy", "is odd.") if task.student == "b" else small_result(task))
    status, document = run_command(course, class_of(tmp_path / "s", "a", "b", "c"), tmp_path / "r.json")
    assert status == 1
    assert [r["student"] for r in document["results"]] == ["a", "c"]
    assert document["not_graded"] == [{"where": "b/toy", "reason": "is odd."}]
    assert "b/toy: is odd." in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, CourseError("the course is broken.")])
def test_an_interrupted_run_keeps_what_it_has(course, tmp_path, fake_outcomes, error):
    def answer(task: Any) -> Any:
        if task.student == "c":
            raise error
        return small_result(task)

    fake_outcomes(answer)
    submitted, json_file, out = (
        class_of(tmp_path / "s", "a", "b", "c", "d"),
        tmp_path / "r.json",
        tmp_path / "out",
    )
    if error is KeyboardInterrupt:
        assert run_command(course, submitted, json_file, out=out)[0] == 1
    else:
        with pytest.raises(CourseError):
            run_command(course, submitted, json_file, out=out)
    assert [r["student"] for r in json.loads(json_file.read_text())["results"]] == ["a", "b"]
    reports = {f"{student}.toy.{kind}" for student in "ab" for kind in ("html", "txt")}
    assert set(os.listdir(out)) == {*reports, "index.html", "results"}
    assert [each.result.student for each in ResultStore(out / "results").all()] == ["a", "b"]


@pytest.mark.parametrize("student", ["a" * 240, "[b]", "-rf", "ÄÖ"])
def test_a_report_has_a_name_that_the_file_system_takes(course, tmp_path, fake_outcomes, student):
    fake_outcomes(small_result)
    status, _ = run_command(
        course, class_of(tmp_path / "s", student), tmp_path / "r.json", out=tmp_path / "out"
    )
    [name] = (path.name for path in (tmp_path / "out").glob("*.txt"))
    assert (status, len(name) < 120) == (0, True)


def test_only_what_changed_is_graded_again(course, tmp_path, monkeypatch, capsys):
    """By a real grader; what it is given shows in the progress of `grade_all`."""
    asked: list[list[str]] = []
    original = command.grade_all

    def grade_all(course: Course, tasks: list[Any], **options: Any) -> Any:
        asked.append([task.student for task in tasks])
        return original(course, tasks, **options)

    monkeypatch.setattr(command, "grade_all", grade_all)
    submitted, out, json_file = class_of(tmp_path / "s", "a", "b"), tmp_path / "out", tmp_path / "r.json"
    first = run_command(course, submitted, json_file, out=out)
    assert run_command(course, submitted, json_file, out=out) == first
    assert "2 unchanged since they were graded" in capsys.readouterr().err
    write_submission(submitted / "b/toy", arith=ARITH.replace("x * factor", "x + factor"))
    (submitted / "a/toy/notes.txt").write_text("no part of the submission")
    class_of(submitted, "c")
    status, document = run_command(course, submitted, json_file, out=out)
    assert asked == [["a", "b"], [], ["b", "c"]]
    assert (status, [r["student"] for r in document["results"]]) == (0, ["a", "b", "c"])
    told = capsys.readouterr().out
    assert re.search(r"│ b +│ toy +│ scale +│ +3 │ +1 │ +−2 │", told), told
    assert "│ c" not in told.partition("graded again")[2]
    before = ResultStore(out / "results").history("b", "toy")
    assert [scores(each.result) for each in before] == [FULL]
    # another version of the course, and a wish
    run_command(course, submitted, json_file, out=out, regrade=True)
    monkeypatch.setattr(Course, "version", "another")
    run_command(Course(course.root), submitted, json_file, out=out)
    assert asked[3:] == [["a", "b", "c"]] * 2


def test_a_kept_result_that_is_none_is_told_and_nothing_is_lost(course, tmp_path, fake_outcomes):
    fake_outcomes(small_result)
    submitted, out = class_of(tmp_path / "s", "a"), tmp_path / "out"
    run_command(course, submitted, tmp_path / "r.json", out=out)
    (out / "results/toy/a.json").write_text("{")
    with pytest.raises(StoreError, match=r"a\.json is no stored result"):
        run_command(course, submitted, tmp_path / "r.json", out=out)
    assert (out / "results/toy/a.json").read_text() == "{"


# ------------------------------------------------------------------------------ grader processes

DEADLY = """

@exercise("noise", points=2)
def test_deadly(student):
    import os
    import pathlib

    once = pathlib.Path({once!r})
    flag = student.flag()
    if flag == "always" or (flag == "once" and not once.exists()):
        once.touch()
        os._exit(1)  # the grader's process: out of memory, say
"""


def test_a_grader_process_that_dies_is_replaced_and_its_task_tried_again(tmp_path, capsys):
    course = copy_course(tmp_path / "course")
    path = course.assignments / "toy/test_arith.py"
    path.write_text(path.read_text() + DEADLY.format(once=str(tmp_path / "once")))
    for student, flag in (("a", ""), ("b", "once"), ("c", ""), ("d", "always"), ("e", "")):
        arith = ARITH + f"\n\ndef flag():\n    return {flag!r}\n"
        write_submission(tmp_path / "submitted" / student / "toy", arith=arith)
    status, document = run_command(course, tmp_path / "submitted", tmp_path / "r.json")
    assert status == 1
    assert {r["student"]: scores(r) for r in document["results"]} == dict.fromkeys("abce", FULL)
    assert [r["where"] for r in document["not_graded"]] == ["d/toy"]
    assert "died on it twice" in document["not_graded"][0]["reason"]


# ------------------------------------------------------------------------------ one session


def grade_sessions(course: Course, *submissions: Any) -> list[dict[str, Any]]:
    return [result.to_json() for result in grade(course, submissions)]


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """How often cases were drawn, and how often one check was recorded, replayed and run live."""
    count: Counter[str] = Counter()

    def counting(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if not isinstance(args[0], frozen.FrozenCheck) or args[0]._check.law == "scales every element":
                count[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, called)

    counting(frozen, "draw_cases")
    for method in ("_record", "_replay", "_live_link", "_student"):
        counting(frozen.FrozenCheck, method)
    return count


CHECKS = 6


def test_cases_are_drawn_once_and_asked_for_ahead(course, counted):
    results = grade_sessions(course, *[submission(f"s{i}") for i in range(4)])
    assert [scores(result) for result in results] == [FULL] * 4
    assert counted == {"draw_cases": CHECKS, "_record": 1, "_replay": 3}


def test_a_check_that_nobody_passed_is_recorded_anew(course, counted):
    wrong = submission(arith=ARITH.replace("x * factor", "x + factor"))
    first, second, third = grade_sessions(course, wrong, submission(), submission())
    assert scores(first) == {**FULL, "scale": 1}
    assert (scores(second), scores(third)) == (FULL, FULL)
    assert (counted["draw_cases"], counted["_record"], counted["_replay"]) == (CHECKS, 2, 1)
    assert counted["_live_link"] > 0  # the search for a small case


def test_who_answers_otherwise_is_asked_live_and_judged_alike(course, counted):
    other = submission(layers=LAYERS.replace("torch.zeros(m, n)", "torch.ones(m, n)"))
    wrong = submission(arith=ARITH.replace("x * factor", "x + factor"))
    alone = grade_sessions(course, wrong)
    assert counted["_replay"] == 0
    after = grade_sessions(course, submission(), other, wrong)
    assert counted["_replay"] == 2
    assert scores(after[1]) == FULL
    assert after[2] == alone[0]


# A check that hands its case over as it is, and works out what it expects from it afterwards.
CARELESS = """

@exercise("scale", points=3)
@given(x=st.integers(1, 3).map(lambda n: torch.full((n,), 2.0)))
def test_careless(student, x):
    got = student.scale(x, 3.0)
    assert got.tolist() == (3 * x).tolist()
    assert set(x.tolist()) == {2.0}
"""


def test_a_submission_cannot_change_a_case(tmp_path, counted):
    course = copy_course(tmp_path / "course")
    path = course.assignments / "toy/test_arith.py"
    path.write_text(path.read_text() + CARELESS)
    rude = submission(
        arith=ARITH.replace(
            "return x * factor", "if not x.requires_grad: x.data.zero_()\n    return x * factor"
        )
    )
    results = grade_sessions(course, submission(), rude, submission(), rude)
    assert scores(results[0]) == scores(results[2]) == FULL
    for result in (results[1], results[3]):
        checks = [check for exercise in result["exercises"] for check in exercise["checks"]]
        assert [check["status"] for check in checks if "careless" in check["id"]] == ["failed"]
    assert counted["draw_cases"] == CHECKS + 1  # one check more, and nothing drawn again


TWO_STEPS = """

@exercise("scale", points=3)
@given(x=st.integers(1, 3).map(lambda n: torch.full((n,), 2.0)))
def test_two_steps(student, x):
    first = student.scale(x, 3.0)
    second = student.scale(first, 2.0)
    assert second.tolist() == [6 * value for value in x.tolist()]
"""


def two_steps(tmp_path: Path) -> Course:
    course = copy_course(tmp_path / "course", seconds=1)
    path = course.assignments / "toy/test_arith.py"
    path.write_text(path.read_text() + TWO_STEPS.replace(", points", ", seconds=1, points"))
    return course


ONE_CASE_TWICE = """
    before = x.tolist()
    first, second = student.scale(x, 3.0), student.scale(x, 2.0)
    assert first.tolist() == [3 * value for value in before]
    assert second.tolist() == [2 * value for value in before]
"""


def test_half_a_replay_leaves_no_trace_in_the_case_that_is_run_live(tmp_path):
    """To change the case, and so to lead the check another way: what is expected must not follow."""
    course = two_steps(tmp_path)
    path = course.assignments / "toy/test_arith.py"
    text = path.read_text()
    text = text[: text.index("    first = student.scale(x, 3.0)")] + ONE_CASE_TWICE
    path.write_text(text.replace("st.integers(1, 3).map", "st.just(1).map"))  # no other case shows it
    cheat = ARITH.replace("return x * factor", "x.data.zero_()\n    return x * factor")
    honest, cheating = grade_sessions(course, submission(), submission(arith=cheat))
    assert scores(honest) == FULL
    assert statuses(cheating, "scale") == ["failed", "passed", "passed", "failed"]


POISON = """
import torch


def scale(x, factor):
    if factor < 0:
        raise ValueError(f"factor must not be negative, not {factor}")
    y = x * factor
    if x.dtype is torch.float32 and factor == 3:
        y = y + 0.0
        y[y == 6] = 6.0000005  # right within any tolerance: the mark that the next one is to meet
    return y
"""


def test_what_a_submission_answered_cannot_hurt_the_next_one(tmp_path):
    """The second step asked ahead holds the first submission's answer; who dies of it is asked live."""
    course = two_steps(tmp_path)
    path = course.assignments / "toy/test_arith.py"
    exact = "assert second.tolist() == [6 * value for value in x.tolist()]"
    path.write_text(path.read_text().replace(exact, "assert_close(second, torch.full_like(x, 12.0))"))
    noise = ARITH[ARITH.index("def noise") :]
    fragile = ARITH.replace(
        "return x * factor",
        "while factor == 2 and x.dtype is torch.float32 and (x != 6).any():\n        pass\n"
        "    return x * factor",
    )
    first, second = grade_sessions(
        course, submission(arith=POISON + "\n\n" + noise), submission(arith=fragile)
    )
    assert scores(first) == FULL
    assert scores(second) == FULL


@pytest.mark.parametrize(("seconds", "one"), [(0.0, True), (60.0, False)])
def test_a_small_case_is_searched_for_but_not_for_ever(course, counted, monkeypatch, seconds, one):
    monkeypatch.setattr(frozen, "MAX_SHRINK_SECONDS", seconds)
    [result] = grade_sessions(course, submission(arith=ARITH.replace("x * factor", "x + factor")))
    assert scores(result) == {**FULL, "scale": 1}
    assert (counted["_student"] == 1) is one


def test_an_import_that_hangs_costs_its_module(course, monkeypatch):
    monkeypatch.setattr(reached, "IMPORT_LIMIT", TimeLimit(cpu=0.5))
    hanging, after = grade_sessions(course, submission(arith="while True:\n    pass\n"), submission())
    assert scores(hanging) == {**FULL, "scale": 0, "noise": 0}
    assert set(statuses(hanging, "scale")) == {"timeout"}
    assert "while arith.py was imported" in messages(hanging, "scale")
    assert scores(after) == FULL


def test_a_course_whose_checks_cannot_be_collected_is_an_error(tmp_path):
    course = copy_course(tmp_path / "course")
    (course.assignments / "toy/test_arith.py").write_text("import no_such_module\n")
    with pytest.raises(CourseError, match="no_such_module"):
        grade(course, [])


def test_a_released_course_grades_with_its_public_checks(tmp_path):
    course = copy_course(tmp_path / "course")
    shutil.rmtree(course.solutions)
    [result] = grade_sessions(Course(course.root), submission())
    assert scores(result) == {"scale": 3, "noise": 2}
