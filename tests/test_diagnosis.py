"""A known mistake is told by its answers, in any style, and is told to nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from autograder.audit.tables import build_tables
from autograder.checks import CheckFailure, assert_close, note
from autograder.course import DIAGNOSIS, Course
from autograder.diagnosis.fingerprint import Fingerprint, fingerprint
from autograder.diagnosis.probes import case_digest, choose_probes
from autograder.diagnosis.table import ExerciseTable, Probe, known_mistake, read_table, table_text
from autograder.errors import WorkerCrashed
from autograder.grading.session import GradingSession
from autograder.results import Diagnosis
from tests.toy import HONEST, copy_course, session_of, submission, write_submission

# --------------------------------------------------------------------------------------------- fingerprints


def failing(body: Callable[..., None], **arguments: object) -> Fingerprint:
    found = fingerprint(body, arguments)
    assert found is not None
    return found


def judged(got: torch.Tensor, expected: torch.Tensor) -> Fingerprint:
    return failing(lambda: assert_close(got, expected))


def test_the_same_wrong_values_have_one_fingerprint_whatever_the_rounding():
    right = torch.arange(6.0)
    assert judged(right * 2, right).matches(judged(right * 2 + 1e-5, right))


@pytest.mark.parametrize(
    "other",
    [
        torch.arange(6.0) * 3,
        torch.arange(6.0).flip(0) * 2,  # the same values in another order
        torch.arange(6.0)[None] * 2,
        torch.arange(6.0).double() * 2,
        torch.tensor([0, 2, 4, 6, 8, float("nan")]),
    ],
)
def test_other_wrong_values_have_another(other):
    right = torch.arange(6.0)
    assert not judged(right * 2, right).matches(judged(other, right))


def test_what_passes_has_none():
    assert fingerprint(lambda: assert_close(torch.ones(2), torch.ones(2)), {}) is None


def test_where_no_values_are_judged_the_texts_count():
    def body(text: str) -> None:
        raise CheckFailure(("wrong", text))

    one = failing(body, text="k=0 is not refused")
    assert one.matches(failing(body, text="k=0 is not refused"))
    assert not one.matches(failing(body, text="k=1 is not refused"))


def test_values_of_lists_and_numbers_count_too():
    def body(values: list[float]) -> None:
        note(values, "losses")
        raise CheckFailure(("expected", "losses that fall"))

    assert not failing(body, values=[1.0, 2.0]).matches(failing(body, values=[1.0, 3.0]))


@pytest.mark.parametrize("error", [NotImplementedError(), WorkerCrashed("died")])
def test_what_is_no_answer_comes_through(error):
    def body() -> None:
        raise error

    with pytest.raises(type(error)):
        fingerprint(body, {})


# --------------------------------------------------------------------------------------- probes and tables

PROBES = [Probe("check", i, f"{i}") for i in range(4)]


def wrong(total: float) -> Fingerprint:
    return Fingerprint("kind", total, abs(total))


def test_probes_are_few_and_tell_every_mistake_from_every_other():
    answers = {
        "a": dict(zip(PROBES, [wrong(1), None, None, wrong(5)], strict=True)),
        "b": dict(zip(PROBES, [wrong(1), None, wrong(2), wrong(5)], strict=True)),
        "c": dict(zip(PROBES, [wrong(3), None, None, wrong(5)], strict=True)),
    }
    chosen = choose_probes(answers)
    assert PROBES[1] not in chosen  # every mistake passes it
    prints = {name: [each[probe] for probe in chosen] for name, each in answers.items()}
    table = ExerciseTable(tuple(chosen), tuple(known_mistake(n, f"not {n}", p) for n, p in prints.items()))
    assert [table.diagnose(each) for each in prints.values()] == [Diagnosis(n, f"not {n}") for n in "abc"]


def test_a_table_survives_its_file_and_tells_nothing_to_a_reader(tmp_path):
    prints = [wrong(1.5), None, wrong(-2.5)]
    table = ExerciseTable(tuple(PROBES[:3]), (known_mistake("scaled by d", "Divide by √d.", prints),))
    text = table_text({"attention": table})
    assert "scaled" not in text
    assert "Divide" not in text
    path = tmp_path / DIAGNOSIS
    path.write_text(text)
    assert read_table(path) == {"attention": table}
    assert read_table(path)["attention"].diagnose(prints) == Diagnosis("scaled by d", "Divide by √d.")
    for near in ([wrong(1.6), None, wrong(-2.5)], [wrong(1.5), wrong(1), wrong(-2.5)], [None, None, None]):
        assert table.diagnose(near) is None
    assert read_table(tmp_path / "none.json") == {}


def test_mistakes_that_cannot_be_told_apart_share_a_hint_or_are_not_named():
    prints = [wrong(1.0)]
    same = [known_mistake(name, "hint", prints) for name in ("a", "b")]
    found = ExerciseTable(tuple(PROBES[:1]), tuple(same)).diagnose(prints)
    assert found == Diagnosis("a or b", "hint")
    other = [*same, known_mistake("c", "another hint", prints)]
    assert ExerciseTable(tuple(PROBES[:1]), tuple(other)).diagnose(prints) is None


def test_a_case_is_known_by_its_values():
    def digest(**case: object) -> str:
        return case_digest(case)

    assert digest(x=torch.ones(2), n=1) == digest(x=torch.ones(2), n=1)
    others = [digest(x=torch.ones(2), n=2), digest(x=torch.ones(3), n=1), digest(x=torch.zeros(2), n=1)]
    assert digest(x=torch.ones(2), n=1) not in others
    assert digest(x=torch.empty(0, 2)) != digest(x=torch.empty(2, 0))


# -------------------------------------------------------------------------------------- a course with tables

MISTAKES = """
[[mistake]]
exercise = "scale"
name = "adds the factor"
old = "x * factor"
new = "x + factor"
hint = "To scale is to multiply."

[[mistake]]
exercise = "scale"
name = "takes negative factors"
old = "factor < 0"
new = "False"
hint = "Look at what the page says of negative factors."

[[mistake]]
exercise = "noise"
name = "global randomness"
old = ", generator=generator"
new = ""
hint = "Hand the generator on."
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = copy_course(tmp_path_factory.mktemp("diagnosed") / "course")
    (course.solutions / "toy" / "mistakes.toml").write_text(MISTAKES)
    unit = course.unit("toy")
    with session_of(course) as session:
        tables = build_tables(session, unit, lambda mistake: None)
    assert tables.problems == ()
    for path, text in tables.texts.items():
        path.write_text(text)
    return course


@pytest.fixture(scope="module")
def session(course: Course) -> Iterator[GradingSession]:
    with session_of(course) as session:
        yield session


def arith(old: str, new: str) -> str:
    assert old in HONEST["arith"]
    return HONEST["arith"].replace(old, new)


ADDS = arith("return x * factor", "y = x.clone()\n    y += torch.full_like(x, factor)\n    return y")


def test_a_report_names_the_mistake_in_another_style(session):
    [scale, *others] = session.grade(submission(arith=ADDS)).exercises
    assert scale.diagnosis == Diagnosis("adds the factor", "To scale is to multiply.")
    told = [check.message for check in scale.checks if check.message]
    assert "known mistake  adds the factor\n" in told[0]
    assert "hint           To scale is to multiply." in told[0]
    assert not any("known mistake" in text for text in told[1:])
    assert [each.diagnosis for each in others] == [None] * len(others)


@pytest.mark.parametrize(
    "source",
    [
        HONEST["arith"],
        arith("x * factor", "x - factor"),  # wrong in a way of its own
        ADDS.replace("factor < 0", "False"),  # two mistakes at once
        arith("return x * factor", "raise NotImplementedError"),
        arith("return x * factor", "return x / 0 * None"),
        arith("return x * factor", "return x.new_zeros(x.shape)"),
    ],
    ids=["right", "another", "two", "not written", "raises", "zeros"],
)
def test_nobody_else_is_told_of_it(session, source):
    assert session.grade(submission(arith=source)).exercises[0].diagnosis is None


def test_pytest_says_the_same_on_a_students_machine(course, tmp_path):
    folder = write_submission(tmp_path / "mine", arith=ADDS)
    for way in ([], ["--worker"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "assignments/toy",
             f"--submission={folder}", *way],
            cwd=course.root, capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.stdout.count("known mistake  adds the factor") == 1, done.stdout + done.stderr
        assert "hint           To scale is to multiply." in done.stdout


def test_where_other_cases_are_drawn_nothing_is_named(course, tmp_path):
    path = course.unit("toy").public / DIAGNOSIS
    text = path.read_text()
    folder = write_submission(tmp_path / "mine", arith=ADDS)
    try:
        path.write_text(text.replace('"digest":"', '"digest":"x'))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "assignments/toy", f"--submission={folder}"],
            cwd=course.root, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        path.write_text(text)
    assert "scales every element   0 of" in done.stdout
    assert "known mistake" not in done.stdout


def test_the_public_table_has_cases_of_public_checks_only(course):
    unit = course.unit("toy")
    assert unit.hidden is not None
    public, hidden = read_table(unit.public / DIAGNOSIS), read_table(Path(unit.hidden) / DIAGNOSIS)
    assert {probe.check.split("/")[0] for table in public.values() for probe in table.probes} == {
        "assignments"
    }
    assert set(hidden) == {"scale", "noise"}
