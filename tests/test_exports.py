"""Results as other systems read them: nothing lost, nothing that a name or a message could steer."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from autograder.course import Course
from autograder.exports import gradescope_run
from autograder.exports.export import ExportError, number
from autograder.exports.gradebooks import canvas_csv, moodle_csv
from autograder.exports.gradescope import autograder_zip, results_json
from autograder.exports.junit import junit_xml
from autograder.exports.spreadsheet import text_cell
from autograder.exports.step_summary import step_summary
from autograder.policy import HiddenChecks
from autograder.results import CheckResult, ExerciseResult, Status, UnitResult
from autograder.store.results import Graded
from tests.small_course import TELLING, add, write_course

HOSTILE = (
    "scale · scales   0 of 1 point\n\n</pre></details><script>x</script> ]]> \x1b[2J\x00\ufffe"
    " **@all** `a` | &amp;"
)
PUBLIC, HIDDEN = "assignments/toy/test_arith.py::", "solutions/toy/test_arith.py::"
CHECKS = (
    CheckResult(f"{PUBLIC}test_scales_by_the_factor[wide]", "scale", Status.FAILED, HOSTILE),
    CheckResult(f"{PUBLIC}test_keeps_its_input", "scale", Status.PASSED),
    CheckResult(f"{HIDDEN}test_scales_nothing", "scale", Status.TIMEOUT, "secret case"),
    CheckResult(f"{PUBLIC}test_works_on_a_gpu_as_on_the_cpu[scale]", "scale", Status.SKIPPED, "no GPU"),
)
ROSTER = (
    "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Toy (11),Essay (12),Final Score\r\n"
    ",,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,9,20,(read only)\r\n"
    '"Lovelace, Ada",1,s1,ada,S1,,-3.5,77\r\n'
    '"=HYPERLINK(""x"")",2,s2,zoë 1,"S1;=1+1",4,-,\r\n'
    '"Student, Test",3,,,S1,,,\r\n'
)


def graded(student: str = "ada", unit: str = "Toy", points: float = 9.0) -> Graded:
    exercise = ExerciseResult("scale", points, CHECKS)
    return Graded(UnitResult(student, unit, (exercise,)), "d", "v", "2026-11-22T01:00:00+02:00", 1.25)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))


def test_canvas_gets_its_own_file_back_with_one_column_filled():
    export = canvas_csv(ROSTER, [graded("zoë 1"), graded("ada")])
    before, after = rows(ROSTER), rows(export.text)
    assert export.text.startswith("\ufeff")
    assert export.problems == ()
    assert after[:3] == before[:3]
    assert after[3] == [*before[3][:5], "3", "-3.5", "77"]
    assert after[4] == ['\'=HYPERLINK("x")', "2", "s2", "zoë 1", "S1;'=1+1", "3", "-", ""]
    assert after[5] == before[5]


def test_canvas_columns_are_named_by_the_unit_or_by_hand():
    roster = ROSTER.replace("Essay (12)", "Graphs (again) (12)").replace(",20,", ",,")
    results = [graded(), graded(unit="a5_gnn")]
    with pytest.raises(ExportError, match=r"no assignment 'a5_gnn'.*: Toy \(11\), Graphs \(again\) \(12\)\."):
        canvas_csv(roster, results)
    for name in ("Graphs (again)", "Graphs (again) (12)"):
        after = rows(canvas_csv(roster, results, assignments={"a5_gnn": name}).text)
        assert [row[5:7] for row in after[2:4]] == [["9", "9"], ["3", "3"]]  # an empty maximum is filled in


def test_canvas_lists_who_is_not_in_the_roster():
    export = canvas_csv(ROSTER, [graded("ada"), graded("eve\n")])
    assert export.problems == (
        "eve\\x0a has points for Toy and is not in the roster: no SIS Login ID is so called.",
    )
    assert rows(export.text)[3][5] == "3"


def test_canvas_with_semicolons_stays_so():
    export = canvas_csv(ROSTER.replace(",", ";").replace('"S1;=1+1"', "S1"), [graded()])
    assert export.text.splitlines()[3].startswith('"Lovelace; Ada";1;s1;ada;S1;3;')


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SIS Login ID", "Login", "the Canvas roster has no column 'SIS Login ID'; export it"),
        ("    Points Possible", "Possible", "the Canvas roster has no row 'Points Possible'; export it"),
        ("zoë 1", "ada", "the Canvas roster has two rows whose SIS Login ID is 'ada'; remove one."),
        (",9,20,", ",100,20,", r"'Toy \(11\)' has 100 points possible in Canvas and Toy has 9; change"),
        (",9,20,", ",x,20,", r"'Toy \(11\)' has x points possible in Canvas"),
        ("Essay (12)", "Toy (12)", "several assignments 'Toy'; name one with its id"),
        ("S1;=1+1", 'S1"x', "the Canvas roster is not valid CSV: "),
        (",S1,,,\r\n", ",S1,,,,\r\n", "has more cells than the headings"),
        (ROSTER, "\ufeff\r\n", "the Canvas roster is empty"),
    ],
)
def test_a_roster_that_cannot_be_merged_is_one_sentence(old, new, message):
    assert old in ROSTER
    with pytest.raises(ExportError, match=message):
        canvas_csv(ROSTER.replace(old, new), [graded()])


def test_a_result_that_comes_twice_or_is_no_number_is_refused():
    with pytest.raises(ExportError, match="ada has two results for Toy"):
        canvas_csv(ROSTER, [graded(), graded()])
    for value in (float("nan"), float("inf")):
        for export in (
            lambda score: canvas_csv(ROSTER, [graded()], score=score),
            lambda score: moodle_csv([graded()], "Toy", score=score),
            lambda score: results_json(graded(), score=score),
            lambda score: step_summary([graded()], score=score),
        ):
            with pytest.raises(ExportError, match="which no gradebook can hold"):
                export(lambda _, value=value: value)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\tx", "'\tx"),
        ("  =1", "  '=1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("-1+cmd", "'-1+cmd"),
        ("-3.5", "-3.5"),
        ("+1,5", "+1,5"),
        ("-2e-3", "-2e-3"),
        ("-7 %", "-7 %"),
        ("-", "-"),
        ("Jean-Luc", "Jean-Luc"),
        ("a@b.org", "a@b.org"),
        ("A-", "A-"),
        ("", ""),
    ],
)
def test_free_text_is_never_a_formula_and_numbers_stay_numbers(cell, written):
    assert text_cell(cell) == written
    assert text_cell(written) == written


def test_a_long_cell_costs_linear_time():
    for character in (" ", "\t", ";", "="):
        text_cell(character * 130_000)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (100, "100"), (66.66666, "66.6667"), (-0.00001, "0"), (1e16, "10000000000000000")],
)
def test_numbers_are_plain(value, written):
    assert number(value) == written


def test_moodle_gets_one_unit_and_no_empty_cell():
    results = [graded("zoë, 1"), graded("ada"), graded("bob", "other"), graded("@eve")]
    export = moodle_csv(results, "Toy", identity="email", item="Toy unit", score=lambda g: 2.5)
    assert export.text == 'email,Toy unit\r\nada,2.5\r\n"zoë, 1",2.5\r\n'
    [problem] = export.problems
    assert problem.startswith("@eve has 2.5 points and is left out: a spreadsheet could take the name")
    with pytest.raises(ExportError, match="there is no result for a9 to export"):
        moodle_csv(results, "a9")


@pytest.mark.parametrize(
    ("hidden", "visibility"),
    [
        (HiddenChecks.NEVER, "hidden"),
        (HiddenChecks.AFTER_DUE, "after_due_date"),
        (HiddenChecks.ALWAYS, "visible"),
    ],
)
def test_gradescope_reads_scores_and_hides_what_is_hidden(hidden, visibility):
    text = results_json(graded(), hidden=hidden)
    assert text.isascii()
    document = json.loads(text)
    assert (document["score"], document["max_score"], document["execution_time"]) == (3.0, 9.0, 1.25)
    assert (document["output_format"], document["stdout_visibility"]) == ("text", "hidden")
    tests = document["tests"]
    assert [test["name"] for test in tests] == [
        "scale · scales by the factor (wide)",
        "scale · keeps its input",
        "scale · scales nothing",
        "scale · works on a GPU as on the CPU",
    ]
    assert [test.get("score") for test in tests] == [0, 3, 0, None]
    assert [test.get("max_score") for test in tests] == [3, 3, 3, None]
    assert [test.get("status") for test in tests] == ["failed", "passed", "failed", None]
    assert [test["visibility"] for test in tests] == ["visible", "visible", visibility, "visible"]
    assert {test["output_format"] for test in tests} == {"text"}
    assert "\\x1b[2J" in tests[0]["output"]
    assert "\x1b" not in tests[0]["output"]


def zip_of(course: Course, **options: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(autograder_zip(course, "means", **options)))


def test_the_gradescope_zip_holds_no_solution(tmp_path):
    course = write_course(tmp_path)
    add(course, "README.md", "# Course\n")
    add(course, "solutions/means/diagnosis.json", "{}")
    add(course, "solutions/other/oracles.py", "secret = 1\n")
    archive = zip_of(course)
    names = set(archive.namelist())
    assert {"setup.sh", "run_autograder", "course/autograder/exports/gradescope_run.py"} <= names
    assert {name for name in names if "solutions" in name} == {
        "course/solutions/means/test_means.py",
        "course/solutions/means/oracles.py",
        "course/solutions/means/diagnosis.json",
    }
    for name in names:
        assert TELLING.encode() not in archive.read(name), name
        assert archive.getinfo(name).external_attr >> 16 & 0o111 == (
            0o111 if name in ("setup.sh", "run_autograder") else 0
        )
    assert autograder_zip(course, "means") == autograder_zip(course, "means")


def test_the_gradescope_scripts_are_sound_shell(tmp_path):
    course = write_course(tmp_path)
    add(course, "README.md", "# Course\n")
    archive = zip_of(course, torch_index="https://example.org/it's/$(id)", hidden=HiddenChecks.AFTER_DUE)
    for name in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n"], input=archive.read(name), check=True, capture_output=True)
    assert b"--index-url 'https://example.org/it'\"'\"'s/$(id)' " in archive.read("setup.sh")
    assert archive.read("run_autograder").endswith(b"gradescope_run means after-due\n")


def test_a_course_that_gradescope_could_not_use_is_refused(tmp_path):
    course = write_course(tmp_path)
    with pytest.raises(ExportError, match=r"no README\.md, without which"):
        autograder_zip(course, "means")
    shutil.rmtree(course.solutions)
    with pytest.raises(ExportError, match="no solutions of means"):
        autograder_zip(course, "means")


def test_gradescope_grades_what_lies_in_the_folder(tmp_path, monkeypatch):
    """The session itself is tested elsewhere; this is what goes in and comes out."""
    course = write_course(tmp_path / "course")
    add(course, "../submission/means/means.py", "x = 1\n")
    seen = []

    class Session:
        def __init__(self, course, units):
            assert units == ("means",)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def grade(self, submission):
            seen.append(submission.sources)
            return graded("student", "means").result

    monkeypatch.setattr(gradescope_run, "GradingSession", Session)
    monkeypatch.setattr(gradescope_run, "prepare", lambda: None)
    results = tmp_path / "results.json"
    for folder in (tmp_path / "submission", tmp_path / "submission/means"):
        gradescope_run.run(course, "means", HiddenChecks.ALWAYS, folder, results)
        assert json.loads(results.read_text())["score"] == 3.0
    assert seen == [{"means": "x = 1\n"}] * 2
    monkeypatch.chdir(course.root)
    assert gradescope_run.main(["no_unit", "never"]) == 1
    assert gradescope_run.main(["means", "sometimes"]) == 1


def test_junit_is_what_the_schema_says():
    root = ET.fromstring(junit_xml([graded("b\x00ob"), graded("ada")]).encode())
    assert (root.tag, root.attrib) == ("testsuites", {})
    assert [suite.get("name") for suite in root] == ["ada · Toy", "b\\x00ob · Toy"]
    for position, suite in enumerate(root):
        assert {name: suite.get(name) for name in set(suite.keys()) - {"name"}} == {
            "package": "Toy",
            "id": str(position),
            "timestamp": "2026-11-21T23:00:00",
            "hostname": "localhost",
            "tests": "4",
            "failures": "1",
            "errors": "1",
            "skipped": "1",
            "time": "1.25",
        }
        assert [child.tag for child in suite] == [
            "properties",
            *["testcase"] * 4,
            "system-out",
            "system-err",
        ]
        for case in suite.iter("testcase"):
            assert case.keys() == ["name", "classname", "time"]
            assert case.get("classname") == "Toy.scale"
        found = [(child.tag, child.get("type")) for case in suite.iter("testcase") for child in case]
        assert found == [("failure", "failed"), ("error", "timeout"), ("skipped", None)]


def test_junit_holds_any_text():
    every = "".join(map(chr, [*range(0x300), 0xD800, 0xFFFE, 0xFFFF, 0x2028, 0x10FFFF])) + "]]><x>&"
    check = CheckResult(f"{PUBLIC}test_x", "scale", Status.FAILED, every)
    result = UnitResult(every, "Toy", (ExerciseResult(every, 1.0, (check,)),))
    root = ET.fromstring(junit_xml([replace(graded(), result=result)]).encode())
    [failure] = root.iter("failure")
    assert failure.text is not None
    assert failure.text.endswith("\\xfffe\\xffff\\x2028\\x10ffff]]><x>&")


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-22T01:00:00"])
def test_junit_needs_a_time_with_a_zone(moment):
    with pytest.raises(ExportError, match="which is no time with a zone"):
        junit_xml([replace(graded(), graded_at=moment)])


class Tags(HTMLParser):
    """The elements of a page, and the text in `pre`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pre = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.append(tag)

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "pre":
            self.pre += data


def test_nothing_in_a_summary_is_more_than_text():
    name = 'a|b\n\n# <img src=x onerror=y> [l](http://x) `c` "@all'
    page = MarkdownIt("commonmark").render(step_summary([graded(name)]))
    found = Tags(page)
    assert set(found.tags) == set("h1 table tr th td code details summary pre".split())
    assert "[l](http://x)" in page
    assert found.pre.startswith(
        HOSTILE.replace("\x1b", "\\x1b").replace("\0", "\\x00").replace("\ufffe", "\\xfffe")
    )
    assert "secret case" not in page
    assert "hidden checks that failed: 1" in found.pre
    assert "secret case" in step_summary([graded()], shows=lambda *_: True)


def test_a_summary_leaves_out_whole_sections_and_says_so():
    results = [graded(f"student {i}") for i in range(40)]
    whole = step_summary(results)
    assert whole.count("<details>") == whole.count("</details>") == 40
    for limit in (1000, 5000, 12_000):
        page = step_summary(results, limit=limit)
        assert len(page.encode()) <= limit
        kept = page.count("</details>")
        assert page.count("<details>") == kept < 40
        left_out = 40 - kept + ("<table>" not in page)
        assert page.splitlines()[-1].startswith(f"{left_out} of 41 sections have no room")
    assert step_summary(results, limit=len(whole.encode()) + 300) == whole


def test_one_long_section_does_not_cost_the_others():
    check = replace(CHECKS[0], message="é" * 600_000)
    exercise = ExerciseResult("scale", 9.0, (check,))
    long = replace(graded("a"), result=UnitResult("a", "Toy", (exercise,)))
    page = step_summary([long, graded("b")])
    assert len(page.encode()) <= 1 << 20
    assert "<summary><code>b</code> <code>Toy</code></summary>" in page
    assert page.endswith(
        "1 of 3 sections have no room on this page, which holds 1048576 bytes; the reports have them all.\n"
    )
