"""Reports: whole HTML that shows what was submitted and runs none of it, and numbers that are right."""

from __future__ import annotations

import html
import itertools
import os
import random
import re
import shutil
import subprocess
import time
import tomllib
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autograder import reports
from autograder.grading.class_folder import Rejected
from autograder.reports import SimilarPair, class_page, student_page, write_reports
from autograder.reports.pages import index_page, page_name
from autograder.reports.summary import summarize
from autograder.reports.text import failure_texts, rows_of, shown
from autograder.results import (
    CheckResult,
    DeviceState,
    DeviceVerdict,
    Diagnosis,
    DtypesVerdict,
    ExerciseResult,
    Status,
    UnitResult,
)
from autograder.store.results import Graded

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(reports.__file__).parent / "templates"
PUBLIC, HIDDEN = "assignments/toy/test_arith.py::test_", "solutions/toy/test_arith.py::test_"
DIAGNOSIS = Diagnosis("factor squared", "Multiply once:\nnot twice.")
ROWS = """\
  smallest case  x (1, 3) [[1.0, 2.0, 3.0]]
                 factor 2
  wrong          output is not right: 3 of 3 values differ
  expected       [[2.0, 4.0, 6.0]]
  got            [[4.0, 8.0, 12.0]]"""
MESSAGE = f"""\
scale · every value is multiplied   0 of 1 point
{ROWS}
  known mistake  factor squared
  hint           Multiply once:
                 not twice.
  printed        hello"""
HOSTILE = (
    "<script>document.title='run'</script>\"'><img src=x onerror=\"document.title='run'\">"
    "</svg></title></pre></style>]]>--><!-- {{ 7 * 7 }} $\\frac$ $ "
    "\x00\x1b[31m\u202egnp.exe\u2066\ud800\uffff"
)


def check(
    name: str, status: Status = Status.PASSED, message: str = "", exercise: str = "scale", of: str = PUBLIC
):
    return CheckResult(f"{of}{name}", exercise, status, message)


def exercise(name: str = "scale", points: float = 4.0, passed: int = 4, failed: int = 0, message: str = ""):
    checks = [check(f"p{i}", exercise=name) for i in range(passed)]
    checks += [
        check(f"f{i}", Status.FAILED, message or f"{name} · law {i}   0 of 1 point\n  got  {i}", name)
        for i in range(failed)
    ]
    return ExerciseResult(name, points, tuple(checks))


def graded(*exercises: ExerciseResult, student: str = "ada", unit: str = "toy", seconds: float = 1.5, **more):
    more.setdefault("sandbox", ("rlimits", "landlock", "seccomp"))
    result = UnitResult(student, unit, exercises, **more)
    return Graded(result, "d1" * 32, "v1" * 32, "2026-11-22T03:00:00+00:00", seconds)


ORDINARY = graded(
    ExerciseResult(
        "scale",
        4.0,
        (
            check("every_value", Status.FAILED, MESSAGE),
            check("zero"),
            check("secret_law", Status.FAILED, "scale · secret law   0 of 1 point\n  secret  777", of=HIDDEN),
            check("other_secret", of=HIDDEN),
            CheckResult(
                f"{PUBLIC}works_on_a_gpu_as_on_the_cpu[scale]",
                "scale",
                Status.PASSED,
                verdict=DeviceVerdict(
                    DeviceState.SIMULATED, "a simulated GPU", "arith.py:3 copies to the CPU"
                ),
            ),
            CheckResult(
                f"{PUBLIC}works_in_every_floating_dtype[scale]",
                "scale",
                Status.PASSED,
                verdict=DtypesVerdict(("float64", "bfloat16")),
            ),
        ),
        DIAGNOSIS,
    ),
    exercise("shift"),
    ExerciseResult(
        "lookup",
        2.0,
        (
            check("one", exercise="lookup"),
            CheckResult(
                f"{PUBLIC}works_on_a_gpu_as_on_the_cpu[lookup]",
                "lookup",
                Status.SKIPPED,
                "lookup · works on a GPU as on the CPU   not verifiable here, costs no points\n"
                "  reason  no tensors",
                DeviceVerdict(DeviceState.UNVERIFIABLE, "a simulated GPU", "no tensors"),
            ),
        ),
    ),
    student="Zoë 🦊 Müller",
    notes=("arith.py was handed in twice",),
)
WIDE = graded(
    *(
        exercise(
            f"an_exercise_with_quite_a_long_name_{i}",
            10 / 3,
            passed=i % 4,
            failed=3,
            message="e · law   0 of 1 point\n  smallest case  x (64, 64) "
            + ", ".join(["-1.234e-05"] * 300)
            + "\n                 y "
            + "9" * 400
            + "\n  got            "
            + "x" * 900,
        )
        for i in range(30)
    ),
    student="عائشة بنت عبد الرحمن",
)
EVIL = graded(
    ExerciseResult(
        HOSTILE,
        1.0,
        (
            CheckResult(
                f"{PUBLIC}{HOSTILE}", HOSTILE, Status.FAILED, f"{HOSTILE}\n  printed  {HOSTILE}\n{HOSTILE}"
            ),
            CheckResult(HOSTILE, HOSTILE, Status.CRASHED, f"t\n  crashed  {HOSTILE}"),
            CheckResult("a", HOSTILE, Status.SKIPPED, f"{HOSTILE}\n  reason  {HOSTILE}"),
            CheckResult(
                "b", HOSTILE, Status.PASSED, "", DeviceVerdict(DeviceState.DIFFERS, HOSTILE, HOSTILE)
            ),
            CheckResult("c", HOSTILE, Status.PASSED, "", DtypesVerdict((HOSTILE,), HOSTILE)),
        ),
        Diagnosis(HOSTILE, HOSTILE),
    ),
    student=HOSTILE,
    notes=(HOSTILE,),
    sandbox=(HOSTILE,),
)
EVIL = replace(EVIL, digest="<b>" + HOSTILE, version="<b>" + HOSTILE, graded_at=HOSTILE)


def class_of(count: int) -> list[Graded]:
    """A class with every kind of ending, always the same."""
    draw = random.Random(count)
    students = []
    for i in range(count):
        exercises = []
        for j in range(14):
            passed = min(9, draw.randint(2, 14))
            each = exercise(f"exercise_number_{j}", 100 / 14, passed, 9 - passed)
            if passed < 4:
                each = replace(each, diagnosis=Diagnosis(f"mistake {j % 5}", "The hint for it."))
            exercises.append(each)
        if i % 10 == 3:
            lost = "t   0 of 1 point\n  time limit  the submission used more than 4 s of CPU time"
            exercises[0] = ExerciseResult("exercise_number_0", 100 / 14, (check("t", Status.TIMEOUT, lost),))
        students.append(graded(*exercises, student=f"student{i:03}", seconds=draw.uniform(1, 60)))
    return students


CLASS = [ORDINARY, graded(exercise("scale", passed=0, failed=4), student="bo"), graded(exercise("scale"))]
SIMILAR = [SimilarPair("bo", "nobody", 0.4), SimilarPair("bo", "ada", 0.93, ("arith.py: 84 of 90 lines",))]
ODD_CLASS = {
    "similar": [SimilarPair(HOSTILE, HOSTILE, 0.5, (HOSTILE,))],
    "not_graded": [Rejected(HOSTILE, HOSTILE)],
    "title": HOSTILE,
}
PAGES = {
    "ordinary": lambda: student_page(ORDINARY, title="Toys"),
    "everything": lambda: student_page(ORDINARY, visible=lambda _: True),
    "wide": lambda: student_page(WIDE),
    "hostile": lambda: student_page(EVIL, title=HOSTILE),
    "no exercise": lambda: student_page(graded()),
    "no points": lambda: student_page(graded(exercise(points=0.0))),
    "full marks": lambda: student_page(graded(exercise(), exercise("shift"))),
    "no sandbox": lambda: student_page(graded(exercise(passed=0, failed=1), sandbox=())),
    "class": lambda: class_page(CLASS, title="Toys", similar=SIMILAR),
    "class of 60": lambda: class_page(class_of(60)),
    "class of wide": lambda: class_page(
        [WIDE, replace(WIDE, result=replace(WIDE.result, student="x" * 200))]
    ),
    "hostile class": lambda: class_page([EVIL], **ODD_CLASS),
    "nobody": lambda: class_page([], not_graded=[Rejected("lea", "is a file")]),
    "index": lambda: index_page({"toy": CLASS, HOSTILE: [EVIL]}, {"toy": "a.html", HOSTILE: "b.html"}, {}),
}
INLINE = {"a", "b", "bdi", "code", "i", "wbr"}
VOID = {"meta", "link", "br", "img", "wbr", "hr", "input"}
ELEMENTS = set(
    "html head meta title style body header main footer section article div p span b small i code pre bdi a "
    "wbr h1 h2 h3 h4 ul ol li dl dt dd table thead tbody tr th td svg g path text defs use clippath rect "
    "desc".split()
)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    parent: Element | None
    text: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        return "".join(self.text)


class Page(HTMLParser):
    """A page taken apart; an end tag that closes another element than the innermost is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._words: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {[each.tag for each in self._open]}"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        if tag not in INLINE:
            self._words.append(" ")
        self.elements.append(Element(tag, dict(attrs), self._open[-1] if self._open else None))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}> at {self.getpos()}"
        self._open.pop()

    def handle_data(self, data):
        if self._open and self._open[-1].tag != "style":
            self._words.append(data)
        for element in self._open:
            element.text.append(data)

    def all(self, *tags: str) -> list[Element]:
        return [each for each in self.elements if each.tag in tags]

    @property
    def text(self) -> str:
        """What there is to read, with blocks apart."""
        return re.sub(r"\s+", " ", "".join(self._words))


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: make() for name, make in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_accessible(pages, name):
    page = Page(pages[name])
    assert {each.tag for each in page.elements} <= ELEMENTS
    ids = [each.attributes["id"] for each in page.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in page.elements:
        for reference in (each.attributes.get("aria-labelledby") or "").split():
            assert reference in ids
        for value in each.attributes.values():
            assert {one or other for one, other in re.findall(r"url\(#(.+?)\)|^#(.+)", value or "")} <= {*ids}
        if each.tag == "th":
            assert each.attributes["scope"] in ("col", "row")
    levels = [int(each.tag[1]) for each in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(each.content.strip() for each in page.all("h1", "h2", "h3", "h4", "a", "title"))
    assert [each.attributes["lang"] for each in page.all("html")] == ["en"]
    assert len(page.all("main")) == 1
    assert all(
        (each.parent.tag, each.content[-1]) == ("pre", "\n")
        for each in page.all("span")
        if "line" in str(each.attributes)
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_else_and_may_run_nothing(pages, name):
    page = Page(pages[name])
    [policy] = [each for each in page.all("meta") if "http-equiv" in each.attributes]
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert policy is page.all("meta")[1], "it holds for what follows it"
    for each in page.elements:
        for attribute, value in each.attributes.items():
            assert not attribute.startswith(("on", "xmlns", "xlink")), attribute
            assert attribute not in ("src", "srcset", "action", "data"), attribute
            if attribute == "href":
                assert re.fullmatch(r"[#A-Za-z0-9_~-][A-Za-z0-9._~-]*", value), value
            assert not re.search(r"url\((?!#)", value or ""), value
    assert len(page.all("style")) == 1
    assert not re.search(r"url|@import|http", page.all("style")[0].content)


@pytest.mark.parametrize("name", ["class", "class of 60", "hostile class"])
def test_a_picture_is_told_in_words_and_coloured_by_the_page(pages, name):
    page = Page(pages[name])
    pictures = page.all("svg")
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.attributes["role"] == "img"
        inside = [each for each in page.elements if each.parent is picture]
        assert [each.tag for each in inside[:2]] == ["title", "desc"]
        assert picture.attributes["aria-labelledby"].split() == [each.attributes["id"] for each in inside[:2]]
        assert re.search(r"\d+ %", inside[1].content)
    styles = {each.attributes.get("style") or "" for each in page.elements}
    assert not [style for style in styles if re.search(r"#[0-9a-f]{6}(?!\))", style)], "a colour of its own"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["$x^2$ & $\\frac$", "<b>\x1b\uffff\ud800]]>", "עדה 🦊"])
def test_a_picture_shows_any_name_as_it_is(name):
    page = Page(class_page([graded(exercise(name))]))
    assert shown(name) in [each.content.strip() for each in page.all("text")]
    assert not [each for each in page.all("b") if each.parent.tag in ("text", "svg", "desc", "g")]


def test_what_a_submission_says_is_shown_and_is_no_markup(pages):
    """The characters that nobody sees are spelled out, in every place."""
    for name in ("hostile", "hostile class", "index"):
        page = Page(pages[name])
        assert "<script>document.title='run'</script>\"'><img src=x onerror=" in page.text
        assert "{{ 7 * 7 }}" in page.text
        assert "\\x00\\x1b[31m\\u202egnp.exe\\u2066\\ud800\\uffff" in page.text
        assert not set("\x00\x1b\u202e\u2066\ud800\uffff") & set(pages[name])
        pages[name].encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\nlines", "plain\nlines"),
        ("Zoë Müller עדה 🦊", "Zoë Müller עדה 🦊"),
        ("👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"),
        ("a\u200db \u200c", "a\\u200db \\u200c"),
        ("a\tb\r\x7f\x85", "a\\x09b\\x0d\\x7f\\x85"),
        ("\u202e\u2066\u200f\ufeff\xad\u2028", "\\u202e\\u2066\\u200f\\ufeff\\xad\\u2028"),
        ("\ud800 \uffff \U000e0041", "\\ud800 \\uffff \\U000e0041"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, expected):
    assert shown(text) == expected


def test_a_student_reads_scores_states_failures_and_where_they_come_from(pages):
    text = Page(pages["ordinary"]).text
    for expected in (
        "toy · Toys Zoë 🦊 Müller 8.67 of 10 points",
        "scale GPU: simulated float64, bfloat16 ◐ partial 4 of 6 2.67 of 4",
        "shift ✓ passed 4 of 4 4 of 4",
        "lookup GPU: not verifiable here ✓ passed 1 of 1 2 of 2",
        "Known mistake factor squared Hint Multiply once: not twice.",
        "failed every value is multiplied — 0 of 1 point",
        "arith.py:3 copies to the CPU",
        "no tensors lookup",
        "arith.py was handed in twice",
        "Sandbox: rlimits, landlock, seccomp.",
        "Of 2 hidden checks, 1 passed.",
    ):
        assert expected in text, text
    assert text.count("factor squared") == text.count("not twice.") == 1, "told once"


def test_states_of_exercises_are_words():
    states = [
        exercise("a"),
        exercise("b", passed=1, failed=1),
        exercise("c", passed=0, failed=1),
        exercise("d", passed=0),
        exercise("e", passed=0, failed=1),
    ]
    verdicts = [
        DeviceVerdict(DeviceState.VERIFIED, "a GPU"),
        DeviceVerdict(DeviceState.DIFFERS, "a GPU"),
        DtypesVerdict((), "no tensors"),
        None,
        DtypesVerdict((), fails=True),
    ]
    tried = [
        replace(each, checks=(replace(each.checks[0], verdict=verdict), *each.checks[1:]))
        if verdict
        else each
        for each, verdict in zip(states, verdicts, strict=True)
    ]
    text = Page(student_page(graded(*tried))).text
    assert "a GPU: verified ✓ passed" in text
    assert "b GPU: differs ◐ partial" in text
    assert "c dtypes: not verifiable here ✗ failed" in text
    assert "d – not judged" in text
    assert "e dtypes: differs ✗ failed" in text


def test_failure_texts_keep_their_rows(pages):
    [pre] = Page(pages["ordinary"]).all("pre")
    assert pre.content.strip("\n") == re.sub("(?m)^  ", "", ROWS) + "\nprinted        hello"
    assert pre.attributes["style"] == "--column: 15ch"


def test_a_hidden_check_is_only_counted(pages):
    everything = Page(pages["everything"]).text
    assert "secret law" in everything
    assert "777" in everything
    assert "hidden" not in everything
    assert "secret" not in pages["ordinary"]
    assert "777" not in pages["ordinary"]
    one = graded(ExerciseResult("scale", 1.0, (check("s", Status.FAILED, of=HIDDEN),)))
    assert "Of 1 hidden check, 0 passed." in student_page(one)
    unseen = replace(ORDINARY.result.exercises[0], diagnosis=None)
    page = student_page(graded(unseen), visible=lambda _: False)
    assert "Of 6 hidden checks, 4 passed." in page
    for told in ("every value", "smallest", "simulated", "float64", "copies to the CPU"):
        assert told not in page


def test_checks_that_say_the_same_are_told_once():
    same = [
        check(f"f{i}", Status.ERROR, f"scale · law {i}   0 of 1 point\n  problem  missing") for i in range(3)
    ]
    other = check("other", Status.FAILED, "scale · law 4   0 of 1 point\n  got  1")
    texts = failure_texts([*same, other])
    assert [text.titles for text in texts] == [
        tuple(f"law {i} — 0 of 1 point" for i in range(3)),
        ("law 4 — 0 of 1 point",),
    ]
    page = Page(student_page(graded(ExerciseResult("scale", 1.0, (*same, other)))))
    assert page.text.count("problem missing") == 1
    assert page.text.count("not importable law") == 3


@pytest.mark.parametrize(
    "body", ["", "  no rows at all", "\n\n", "x", "  a  b\nc", "    deep  x\n  y", "  é  ü\n     ö"]
)
def test_any_text_becomes_rows_and_none_of_it_is_lost(body):
    lines = [line for row in rows_of(body) for line in row.lines]
    assert "".join("".join(lines).split()) == "".join(body.split())


def test_a_class_in_numbers(pages):
    summary = summarize(CLASS)
    assert summary.shares == (pytest.approx(8.6667 / 10), 0.0, 1.0)
    assert (summary.full, summary.none) == (1, 1)
    assert summary.median == 4.0
    scale = summary.exercises[0]
    assert (scale.name, scale.handed_in, scale.full, scale.none) == ("scale", 3, 1, 1)
    assert scale.mean == pytest.approx((2.6667 + 0 + 4) / 3)
    text = Page(pages["class"]).text
    for expected in (
        "Submissions 3 Mean 4.22 of 10 Median 4 of 10 Full points 1 No points 1",
        "1 submission: factor squared scale",
        "scale 2.22 of 4 33 % 33 %",
        "Nothing timed out, crashed or could not be imported.",
        "bo and ada arith.py: 84 of 90 lines 93 % bo and nobody 40 %",
        "bo 0 of 1 exercises 4 failed of 4 checks 0 of 4",
    ):
        assert expected in text, text


def test_common_mistakes_slow_submissions_and_events_come_in_order():
    summary = summarize(class_of(60))
    counts = [each.count for each in summary.mistakes]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) > 20
    seconds = [each.seconds for each in summary.slowest]
    assert seconds == sorted((each.seconds for each in class_of(60)), reverse=True)[:10]
    assert [(event.student, event.kind, event.checks) for event in summary.events] == [
        (f"student{i:03}", "timed out", 1) for i in range(3, 60, 10)
    ]
    assert summary.events[0].detail == "the submission used more than 4 s of CPU time"


def test_a_class_page_says_what_it_was_not_given(pages):
    assert "Similar" not in pages["class of 60"]
    assert "No pair stands out." in class_page(CLASS, similar=[])
    assert "No submission was graded." in pages["nobody"]
    assert "is a file" in Page(pages["nobody"]).text
    unsafe = class_page([*CLASS, graded(exercise(), student="eve", sandbox=())])
    assert "Graded without the sandbox: eve." in Page(unsafe).text
    assert "without the sandbox" not in pages["class"]
    with pytest.raises(ValueError, match="one unit, not about other, toy"):
        class_page([*CLASS, graded(unit="other")])


def test_a_class_of_300_takes_no_time():
    students = class_of(300)
    class_page(students[:2])  # imports and caches of its own
    started = time.process_time()
    page = class_page(students)
    assert time.process_time() - started < 4
    assert page.count("student299.toy.html") >= 1


def test_a_page_is_the_same_every_time(pages):
    for name in ("ordinary", "class of 60", "hostile class"):
        assert PAGES[name]() == pages[name]


ODD_NAMES = [
    "../up",
    "javascript:alert(1)",
    "a/b",
    "index",
    "class",
    "x" * 300,
    "%2e",
    "עדה",
    "ada",
    'q"q',
    "-",
]


def test_every_page_lies_in_the_folder_and_every_link_leads_to_one(tmp_path):
    students = [
        graded(exercise(), student=name, unit=unit) for name in ODD_NAMES for unit in ("toy", "index", "a.b")
    ]
    folder = tmp_path / "out" / "reports"
    written = write_reports(folder, students, titles={"toy": "Toys"}, similar={"toy": []})
    assert len(set(written)) == len(written) == 3 * len(ODD_NAMES) + 3 + 1
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert written[-1] == folder / "index.html"
    reached, ahead = set(), [folder / "index.html"]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        links = [folder / each.attributes["href"] for each in Page(path.read_text()).all("a")]
        ahead += [link for link in links if link not in reached]
    assert reached == set(written)


def test_with_one_unit_its_class_page_is_the_index(tmp_path):
    written = write_reports(tmp_path, CLASS, similar={"toy": SIMILAR})
    names = {page_name(each.result.student, "toy") for each in CLASS}
    assert {path.name for path in written} == {*names, "index.html"}
    assert (tmp_path / "index.html").read_text() == class_page(CLASS, similar=SIMILAR)
    assert "secret" not in (tmp_path / page_name(ORDINARY.result.student, "toy")).read_text()
    write_reports(tmp_path, CLASS, visible=lambda _: True)
    assert "secret" in (tmp_path / page_name(ORDINARY.result.student, "toy")).read_text()
    empty = write_reports(tmp_path / "empty", [])
    assert [path.name for path in empty] == ["index.html"]


def test_a_page_that_cannot_be_written_is_the_one_that_was_there(tmp_path, monkeypatch):
    write_reports(tmp_path, CLASS)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_reports(tmp_path, [replace(each, version="new") for each in CLASS])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_every_template_is_installed():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    package = TEMPLATES.parent
    declared = {path for pattern in patterns["autograder.reports"] for path in package.glob(pattern)}
    assert declared == set(TEMPLATES.iterdir())


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_from_what_it_stands_on():
    """WCAG's level AA, in light and in dark."""
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "style.css").read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colors = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", block))
        for ground, texts in {
            "--paper": ["--ink", "--muted", "--link", "--good", "--warn", "--bad"],
            "--raised": ["--ink", "--muted", "--link"],
            "--hint": ["--ink", "--warn"],
        }.items():
            for text in texts:
                assert contrast(colors[ground], colors[text]) >= 4.5, (ground, text)
        assert contrast(colors["--paper"], colors["--bar"]) >= 3


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the path")


@pytest.fixture
def browse(tmp_path):
    """Runs the browser on a page's text and returns what it prints."""

    runs = itertools.count()  # a profile each: a browser that is still closing would take the next one over

    def run(source: str, *options: str) -> str:
        path = tmp_path / "page.html"
        path.write_text(source, encoding="utf-8")
        command = [
            BROWSER,
            *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
            *(
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={tmp_path / f'profile{next(runs)}'}",
            ),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium has none for root
            *options,
            path.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


RUNS = "<script>document.title = 'run'</script>"
MEASURE = """
<title>measuring</title><script>
function measure(frame) {
  const page = frame.contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("pre, table, main, svg, h1")].filter(
    e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth ||
         e.getBoundingClientRect().right > root.clientWidth + 1);
  frame.title = [root.clientWidth, root.scrollWidth, wide.length, root.scrollHeight, page.title].join("|");
}
</script>
"""


def measured(browse, pages: list[str], width: int, allowed: str) -> list[list[str]]:
    """What the browser says of each page in a frame of that width."""
    frames = "".join(
        f'<iframe sandbox="allow-same-origin {allowed}" style="border:0;width:{width}px;height:844px" '
        f'onload="measure(this)" srcdoc="{html.escape(page)}"></iframe>'
        for page in pages
    )
    dom = browse(MEASURE + frames, "--dump-dom", "--window-size=1280,900", "--virtual-time-budget=5000")
    told = [html.unescape(each).split("|") for each in re.findall(r' title="(.*?)"', dom)]
    assert len(told) == len(pages)
    return told


@in_browser
def test_on_a_phone_nothing_is_wider_than_the_screen(pages, browse):
    told = measured(browse, list(pages.values()), 390, "allow-scripts")
    for name, (width, scrolled, wide, _, title) in zip(pages, told, strict=True):
        assert int(width) <= 390, name
        assert (int(scrolled), int(wide)) == (int(width), 0), name
        assert title != "run", name


@in_browser
def test_what_a_submission_says_does_not_run(pages, browse):
    """Neither with the page's policy nor by its markup alone; and the policy stops what would be markup."""

    def title_of(source: str) -> str:
        return re.search("<title>(.*?)</title>", browse(source, "--dump-dom"), re.DOTALL).group(1)

    for name in ("hostile", "hostile class"):
        without = re.sub("<meta http-equiv[^>]*>", "", pages[name])
        assert without != pages[name]
        assert title_of(without) != "run"
    plain = re.sub("<meta http-equiv[^>]*>", "", pages["ordinary"])
    assert title_of(plain.replace("</body>", f"{RUNS}</body>")) == "run"
    assert title_of(pages["ordinary"].replace("</body>", f"{RUNS}</body>")) == "Zoë 🦊 Müller · toy"


@in_browser
def test_without_javascript_a_page_is_laid_out_the_same(pages, browse):
    scripted = re.sub("<meta http-equiv[^>]*>", "", pages["class"]).replace("</body>", f"{RUNS}</body>")
    sources = [pages["class"], pages["ordinary"], scripted]
    on, off = (measured(browse, sources, 1280, allowed) for allowed in ("allow-scripts", ""))
    assert (on[2][-1], off[2][-1]) == ("run", "toy · Toys · class"), "off is off"
    assert on[:2] == off[:2]
    assert all(int(height) > 500 for _, _, _, height, _ in off)
