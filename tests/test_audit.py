"""The audit: what survives, what is rejected, what hits another exercise, what is recorded as equivalent."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("grading needs Linux", allow_module_level=True)

from autograder.audit.command import audit
from autograder.audit.equivalents import EQUIVALENTS, EquivalentError
from autograder.audit.findings import (
    Counts,
    ExerciseFindings,
    Findings,
    JudgedMutant,
    Kind,
    Report,
    UnitFindings,
    Verdict,
)
from autograder.audit.judgement import findings
from autograder.audit.mutants import Mutant
from autograder.audit.related import exercises_used
from autograder.audit.report import document, markdown, write_summary
from autograder.audit.run import Scope, Task, judge, plan, tasks
from autograder.course import Course, CourseError
from autograder.grading.processes import Failed, Grader, ProcessDied
from tests.toy import HONEST, copy_course, session_of

MISTAKES = """[[mistake]]
exercise = "scale"
name = "adds the factor"
old = "x * factor"
new = "x + factor"
hint = "Multiply."

[[mistake]]
exercise = "scale"
name = "refuses a factor of 0, too"
old = "factor < 0"
new = "factor <= 0"
hint = "0 is not negative."

[[mistake]]
exercise = "Affine"
name = "forgets the bias"
old = " + self.bias"
new = ""
hint = "Add it."
"""

# Right, but for noise, which repeats itself.
ALTERNATIVE = HONEST["arith"].replace("x * factor", "factor * x").replace("torch.randn", "0 * torch.randn")

STRONG = """

@exercise("scale", points=3)
def test_zero_is_not_negative(student):
    assert_close(student.scale(torch.ones(2), 0.0), torch.zeros(2))
"""

# Calls scale by a name that is put together when it runs, which no reader of names finds.
ODD = """

@exercise("noise", points=2)
def test_noise_too(student):
    assert_close(getattr(student, "sc" + "ale")(torch.ones(2), 3.0), torch.full((2,), 3.0))


@exercise("noise", points=2)
def test_nothing(student):
    pass
"""

EQUIVALENT = """[[equivalent]]
exercise = "scale"
before = "if factor < 0:"
after = "if factor <= 0:"
reason = "Nobody scales by 0."
"""


def toy(folder: Path) -> Course:
    """The toy course with lists of mistakes and alternatives, of which one is wrong."""
    course = copy_course(folder)
    hidden = course.solutions / "toy"
    (hidden / "mistakes.toml").write_text(MISTAKES)
    style = hidden / "alternatives" / "reversed"
    style.mkdir(parents=True)
    (style / "arith.py").write_text(ALTERNATIVE)
    (style / "layers.py").write_text(HONEST["layers"])
    for name, text in HONEST.items():
        body = text.replace("### BEGIN SOLUTION", "raise NotImplementedError")
        (course.assignments / "toy" / f"{name}.py").write_text(body)
    return course


@dataclass(frozen=True)
class Audited:
    course: Course
    found: Findings

    def __getitem__(self, exercise: str) -> ExerciseFindings:
        [unit] = self.found.units
        return next(each for each in unit.exercises if each.name == exercise)


def audited(course: Course, **scope: object) -> Audited:
    """An audit in this process."""
    plans = plan(course, Scope(course.units, **scope))  # type: ignore[arg-type]
    with session_of(course) as session:
        grader = Grader(course, session)
        outcomes = [(task, judge(grader, task)) for task in tasks(plans)]
    return Audited(course, findings(course, plans, list(reversed(outcomes))))


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return audited(toy(tmp_path_factory.mktemp("weak") / "course"))


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """What the weak one lacks is there: a check, and an alternative that is right."""
    course = toy(tmp_path_factory.mktemp("strong") / "course")
    checks = course.assignments / "toy" / "test_arith.py"
    checks.write_text(checks.read_text() + STRONG)
    shutil.copy(
        course.solutions / "toy" / "arith.py", course.solutions / "toy/alternatives/reversed/arith.py"
    )
    return audited(course, exercise="scale")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """A check that passes with a stub, one that meddles with another exercise, an equivalent that is none."""
    course = toy(tmp_path_factory.mktemp("odd") / "course")
    checks = course.assignments / "toy" / "test_arith.py"
    checks.write_text(checks.read_text() + ODD)
    false = EQUIVALENT.replace("if factor < 0:", "return x * factor").replace(
        "if factor <= 0:", "return x / factor"
    )
    (course.solutions / "toy" / "equivalents.toml").write_text(EQUIVALENT + false)
    return audited(course, exercise="scale")


# ---------------------------------------------------------------------------------------------- what is found


def changes(exercise: ExerciseFindings, verdict: Verdict) -> set[tuple[str, str]]:
    found = [each.mutant for each in exercise.mutants if each.verdict is verdict]
    return {(mutant.operator, mutant.after) for mutant in found}


def test_a_weak_check_lets_a_mutant_and_a_mistake_survive(weak: Audited) -> None:
    assert changes(weak["scale"], Verdict.SURVIVED) == {("comparison", "if factor <= 0:")}
    assert ("arithmetic", "return x / factor") in changes(weak["scale"], Verdict.CAUGHT)
    assert weak["scale"].surviving_mistakes == ("refuses a factor of 0, too",)
    [survivor] = [each for each in weak["scale"].mutants if each.verdict is Verdict.SURVIVED]
    assert survivor.diff.split("\n")[-3:-1] == ["-    if factor < 0:", "+    if factor <= 0:"]
    assert not weak.found.is_on_target


def test_a_strong_one_catches_all(strong: Audited) -> None:
    assert strong["scale"].surviving_mistakes == ()
    assert changes(strong["scale"], Verdict.SURVIVED) == set()
    assert strong["scale"].counts.is_on_target
    assert strong.found.counts.is_on_target


def test_an_alternative_that_is_rejected_is_a_false_alarm(weak: Audited) -> None:
    [alarm] = weak["noise"].false_alarms
    assert (alarm.style, alarm.check.rpartition("::")[2]) == (
        "reversed",
        "test_noise_depends_on_the_generator_alone",
    )
    assert "noise" in alarm.message
    assert weak["scale"].false_alarms == ()


def test_a_mistake_may_hit_what_uses_it_and_nothing_else(weak: Audited) -> None:
    assert exercises_used(weak.course, weak.course.unit("toy")) == {
        "scale": {"scale"},
        "noise": {"noise"},
        "Affine": {"Affine"},
        "train": {"train", "Affine"},  # its check trains one
    }
    assert weak["Affine"].unrelated == ()  # though training fails with it
    assert weak["Affine"].surviving_mistakes == ()


def test_a_mistake_that_hits_an_unrelated_exercise_is_told(odd: Audited) -> None:
    [hit] = odd["scale"].unrelated
    assert (hit.mistake, hit.exercise) == ("adds the factor", "noise")
    assert not Counts(unrelated=1).is_on_target


def test_a_stub_that_passes_a_check_is_told(weak: Audited, odd: Audited) -> None:
    assert {name: weak[name].passed_by_stub for name in ("scale", "Affine")} == {"scale": (), "Affine": ()}
    assert [check.rpartition("::")[2] for check in odd["noise"].passed_by_stub] == ["test_nothing"]


# ------------------------------------------------------------------------------------------------ equivalents


def test_what_is_recorded_as_equivalent_counts_for_nothing_and_keeps_its_reason(odd: Audited) -> None:
    [equivalent] = [each for each in odd["scale"].mutants if each.verdict is Verdict.EQUIVALENT]
    assert equivalent.mutant.after == "if factor <= 0:"
    assert equivalent.reason == "Nobody scales by 0."
    assert odd["scale"].counts.share == 1
    assert "Nobody scales by 0." in markdown(odd.found)


def test_an_equivalent_that_checks_catch_is_refuted(odd: Audited) -> None:
    assert odd["scale"].refuted == ("return x * factor -> return x / factor",)
    assert not Counts(refuted=1).is_on_target


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            EQUIVALENT.replace("< 0", "< 00"),
            "equivalent 1 matches no mutant of 'scale' any more: 'if factor < 00:'",
        ),
        (EQUIVALENT.replace('"scale"', '"scales"'), "equivalent 1 matches no mutant of 'scales' any more"),
        (EQUIVALENT * 2, "equivalent 2 is listed twice"),
        (EQUIVALENT.replace('reason = "Nobody scales by 0."', ""), "equivalent 1: 'reason' is missing"),
        (
            EQUIVALENT.replace("Nobody scales by 0.", ""),
            "equivalent 1: 'reason' must be a text that is not empty",
        ),
        (EQUIVALENT + 'why = ""\n', "equivalent 1: unknown key 'why'"),
        (EQUIVALENT.replace("[[equivalent]]", "[[equivalents]]"), "unknown key 'equivalents'"),
        ("[[equivalent", "is not valid TOML"),
    ],
)
def test_an_entry_that_is_stale_or_malformed_is_refused(entry: str, says: str, tmp_path: Path) -> None:
    course = toy(tmp_path / "course")
    (course.solutions / "toy" / "equivalents.toml").write_text(entry)
    with pytest.raises(EquivalentError) as refused:
        plan(course, Scope(course.units))
    assert str(refused.value).startswith("solutions/toy/equivalents.toml")
    assert says in str(refused.value)


ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not (ROOT / "solutions").is_dir(), reason="a released course has no solutions")
def test_no_entry_of_this_course_is_stale() -> None:
    course = Course(ROOT)
    units = tuple(unit for unit in course.units if (course.solutions / unit.name / EQUIVALENTS).exists())
    plan(course, Scope(units, kinds=frozenset({Kind.MUTANTS})))


# ------------------------------------------------------------------------------------------------ the command


def run(course: Course, out: Path, *, kinds: frozenset[Kind] = frozenset(Kind), **options: object) -> int:
    settings = {"unit": None, "jobs": 1, "sample": None, "exercise": None, "readme": False, **options}
    return audit(course, out=out, kinds=kinds, **settings)  # type: ignore[arg-type]


def test_one_process_and_two_write_the_same(
    weak: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents, pages = [], []
    for jobs in (1, 2):
        assert run(weak.course, tmp_path / f"{jobs}", jobs=jobs) == 1
        documents.append(json.loads((tmp_path / f"{jobs}" / "audit.json").read_text()))
        pages.append((tmp_path / f"{jobs}" / "audit.md").read_text())
        assert documents[-1].pop("seconds") > 0
    assert documents[0] == documents[1]
    assert pages[0] == pages[1]
    assert "+    if factor <= 0:" in pages[0]
    settings = documents[0].pop("settings")
    assert {**document(weak.found, {}, 0), "settings": {}, "seconds": 0} == {
        **documents[0],
        "settings": {},
        "seconds": 0,
    }
    assert settings["kinds"] == sorted(Kind)
    printed = capsys.readouterr().out
    assert "toy · scale: no check catches “comparison”" in printed
    assert "toy · noise: a false alarm on reversed" in printed


def test_a_sample_is_the_same_in_every_run(weak: Audited) -> None:
    scope = Scope(weak.course.units, sample=2)
    [first], [again] = plan(weak.course, scope), plan(weak.course, scope)
    assert first.mutants == again.mutants
    assert {name: sum(m.exercise == name for m in first.mutants) for name in ("scale", "train")} == {
        "scale": 2,
        "train": 2,
    }
    [whole] = plan(weak.course, Scope(weak.course.units))
    assert set(first.mutants) < set(whole.mutants)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"unit": "nothing"}, "there is no unit 'nothing'"),
        ({"exercise": "nothing"}, "there is no exercise 'nothing' in this course"),
        ({"exercise": "nothing", "unit": "toy"}, "there is no exercise 'nothing' in unit 'toy'"),
        ({"readme": True, "sample": 1}, "--readme is for an audit of whole units"),
        ({"readme": True, "exercise": "scale"}, "--readme is for an audit of whole units"),
    ],
)
def test_bad_usage_is_one_sentence(
    weak: Audited, options: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(CourseError, match=says):
        run(weak.course, tmp_path / "out", **options)


# ------------------------------------------------------------------------------------------------- the report


def of(**verdicts: int) -> ExerciseFindings:
    mutant = Mutant("e", "m", "constant", "a = 1", "a = 2", 1, "")
    judged = [JudgedMutant(mutant, Verdict(name)) for name, count in verdicts.items() for _ in range(count)]
    return ExerciseFindings("e", 0, (), (), (), tuple(judged), (), (), (), 0, ())


@pytest.mark.parametrize(
    ("named", "misnamed", "is_on_target"), [(19, 0, True), (18, 0, False), (19, 1, False)]
)
def test_reports_name_nineteen_mistakes_of_twenty_and_none_wrongly(
    named: int, misnamed: int, is_on_target: bool
) -> None:
    right, other, none = (
        Report("m", "", "m", True), Report("m", "", "n", False), Report("m", "", None, None)
    )  # fmt: skip
    reports = ([right] * named + [other] * misnamed + [none] * 20)[:20]
    exercise = ExerciseFindings("e", 20, tuple(reports), (), (), (), (), (), (), 0, ())
    assert (exercise.counts.named, exercise.counts.misnamed) == (named, misnamed)
    assert Findings((UnitFindings("toy", (exercise,)),), ()).is_on_target is is_on_target


def test_a_report_is_judged_by_the_mistake_that_it_names(strong: Audited) -> None:
    assert {report.is_right for report in strong["scale"].reports} == {None}  # this course has no tables
    assert all("0 of" in report.text for report in strong["scale"].reports)


@pytest.mark.parametrize(
    ("counts", "share", "is_on_target"),
    [
        (of(caught=98, survived=2).counts, 0.98, True),
        (of(caught=97, survived=3).counts, 0.97, False),
        (of(caught=49, survived=1, equivalent=50).counts, 0.98, True),
        (of(equivalent=3).counts, None, True),
        (Counts(mistakes=2, mistakes_caught=1), None, False),
        (Counts(unrelated=1), None, False),
        (Counts(false_alarms=1), None, False),
        (Counts(passed_by_stub=1), None, False),
    ],
)
def test_the_target(counts: Counts, share: float | None, is_on_target: bool) -> None:
    assert (counts.share, counts.is_on_target) == (share, is_on_target)


def test_a_run_that_fails_is_told_and_off_target(weak: Audited) -> None:
    [unit] = weak.course.units
    [each] = plan(weak.course, Scope((unit,), kinds=frozenset({Kind.STUBS})))
    task = Task(Kind.STUBS, "toy", 0, None, each.solution)
    found = findings(weak.course, [each], [(task, Failed(ProcessDied()))])
    assert found.not_judged == ("toy, the solution: ProcessDied",)
    assert not found.is_on_target
    assert "- toy, the solution: ProcessDied" in markdown(found)


def test_the_readme_gets_a_line_a_unit_between_its_markers(tmp_path: Path) -> None:
    course = copy_course(tmp_path / "course")
    for name in ("first", "second"):
        shutil.copytree(course.assignments / "toy", course.assignments / name)
    readme = course.root / "README.md"
    readme.write_text("# A\n\n<!-- audit -->\nold\n<!-- /audit -->\n\nB\n")
    write_summary(course, Findings((UnitFindings("second", (of(caught=2),)),), ()))
    text = readme.read_text()
    assert text.startswith("# A\n\n<!-- audit -->\n| unit |")
    assert "| second | 0/0 | 0 | 2/2 | 0 | 0 | 100 % | 0 | 0 | 0/0 |\n" in text
    assert text.endswith("\n<!-- /audit -->\n\nB\n")
    assert "old" not in text
    write_summary(course, Findings((UnitFindings("first", (of(caught=3, survived=1),)),), ()))
    lines = readme.read_text().splitlines()
    first = lines.index("| first | 0/0 | 0 | 3/4 | 0 | 1 | 75 % | 0 | 0 | 0/0 |")
    assert lines[first + 1] == "| second | 0/0 | 0 | 2/2 | 0 | 0 | 100 % | 0 | 0 | 0/0 |"  # what it had
    assert lines[first + 2] == "| in all | 0/0 | 0 | 5/6 | 0 | 1 | 83.3 % | 0 | 0 | 0/0 |"
    before = readme.read_text()
    write_summary(course, Findings((UnitFindings("second", (of(caught=2),)),), ()))
    assert readme.read_text() == before
    readme.write_text("# A\n")
    with pytest.raises(CourseError, match=r"README\.md has no place for the audit's table"):
        write_summary(course, Findings((), ()))
