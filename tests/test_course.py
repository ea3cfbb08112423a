"""What a course says about itself, and the one sentence for each way in which its manifests can be wrong."""

from pathlib import Path

import pytest

from autograder.course import Course, CourseError, Exercise
from tests.small_course import write_course

REAL = Path(__file__).resolve().parents[1]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return write_course(tmp_path / "course")


def test_a_course_is_found_from_any_folder_in_it(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Course.find(course.root).root == course.root.resolve()
    assert Course.find(course.assignments / "means").root == course.root.resolve()
    monkeypatch.chdir(course.root / "data")
    assert Course.find().root == course.root.resolve()


def test_outside_of_a_course_is_said(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"is in no course: .* assignments/\.$"):
        Course.find(tmp_path)


def test_a_unit_is_what_its_manifest_says(course: Course) -> None:
    (unit,) = course.units
    assert (unit.name, unit.title, unit.modules, unit.forbidden) == ("means", "Means", ("means",), ())
    assert unit.exercises == (Exercise("weighted_mean", "means", 20), Exercise("RunningMean", "means", 10))
    assert unit.public == course.root / "assignments/means"
    assert unit.hidden == course.root / "solutions/means"
    assert course.unit("means") == unit


def test_a_released_course_has_no_hidden_side(course: Course) -> None:
    course.solutions.rename(course.root.parent / "elsewhere")
    assert course.unit("means").hidden is None


def test_a_folder_without_a_manifest_is_no_unit(course: Course) -> None:
    (course.assignments / "drafts").mkdir()
    assert [unit.name for unit in course.units] == ["means"]


@pytest.mark.parametrize("name", ["mean", "", ".", "../assignments/means", "drafts"])
def test_an_unknown_unit_is_answered_with_the_known_ones(course: Course, name: str) -> None:
    with pytest.raises(CourseError, match=r"there is no unit .*; the units of this course are: means\.$"):
        course.unit(name)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('title = "Means"', "", "'title' is missing"),
        ('title = "Means"', "title = 3", "'title' must be a text that is not empty, not 3"),
        ('title = "Means"', 'title = "Means', "is not valid TOML: .* line 1"),
        (
            'title = "Means"',
            'titel = "Means"',
            "unknown key 'titel'; known are exercise, forbidden, modules, parity, preload",
        ),
        ('modules = ["means"]', "", "'modules' is missing"),
        ('modules = ["means"]', "modules = []", "'modules' is empty"),
        ('modules = ["means"]', 'modules = "means"', "'modules' must be a list of names"),
        ('modules = ["means"]', 'modules = ["means.py"]', "'means.py', which is not a plain module name"),
        ('modules = ["means"]', "modules = [1]", "'modules' holds 1, which is not a plain module name"),
        ('modules = ["means"]', 'modules = ["means", "means"]', "name 'means' is listed twice"),
        ("\n\n[[", '\nforbidden = ["LSTM"]\n[[', "'LSTM', which is not a dotted name"),
        ("minutes = 20", 'minutes = 20\nforbidden = ["LSTM"]', "exercise 1: 'forbidden' holds 'LSTM', which"),
        ("minutes = 20", "", "exercise 1: 'minutes' is missing"),
        ("minutes = 20", "minutes = 0", "exercise 1: 'minutes' must be a whole number of at least 1, not 0"),
        ("minutes = 20", "minutes = true", "exercise 1: 'minutes' must be a whole number"),
        ("minutes = 20", "minutes = 20\npoints = 3", "exercise 1: unknown key 'points'"),
        ('"RunningMean"', '"weighted_mean"', "exercise 'weighted_mean' is listed twice"),
        ('"RunningMean"', '"running mean"', "exercise 2: 'name' must be the function or class to write"),
        ('module = "means"', 'module = "mean"', r"exercise 1: module 'mean' is not one of .* \(means\)"),
        ("[[exercise]]", "[exercise_]", "is not valid TOML"),
    ],
)
def test_a_malformed_manifest_is_one_sentence(course: Course, old: str, new: str, sentence: str) -> None:
    manifest = course.assignments / "means/unit.toml"
    manifest.write_text(manifest.read_text().replace(old, new, -1 if old == "[[exercise]]" else 1))
    with pytest.raises(CourseError, match=rf"^assignments/means/unit\.toml.*{sentence}.*\.$") as caught:
        course.unit("means")
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_text_is_one_sentence(course: Course) -> None:
    (course.assignments / "means/unit.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CourseError, match=r"^assignments/means/unit.toml is not valid UTF-8\.$"):
        course.unit("means")


@pytest.mark.parametrize(
    "name",
    [
        "assignments/means/test_means.py",
        "assignments/means/cases.py",
        "assignments/means/unit.toml",
        "solutions/means/test_means.py",
        "solutions/means/oracles.py",
        "data/README.md",
        "constraints.txt",
    ],
)
def test_what_decides_a_score_changes_the_version(course: Course, name: str) -> None:
    before = course.version
    with (course.root / name).open("a") as file:
        file.write("\n# changed\n")
    assert Course(course.root).version != before


@pytest.mark.parametrize(
    "name",
    [
        "assignments/means/README.md",
        "assignments/means/means.py",
        "assignments/means/__pycache__/cases.cpython-311.pyc",
        "assignments/means/.cases.py.swp",
        "solutions/means/mistakes.toml",
        "solutions/means/equivalents.toml",
        "solutions/means/alternatives/views/means.py",
        "examples/submitted/ann/means/means.py",
        "release/README.md",
    ],
)
def test_what_does_not_decide_a_score_leaves_the_version(course: Course, name: str) -> None:
    before = course.version
    (course.root / name).parent.mkdir(exist_ok=True)
    with (course.root / name).open("a") as file:
        file.write("\n# changed\n")
    assert Course(course.root).version == before


def test_the_version_does_not_depend_on_where_the_course_lies(course: Course, tmp_path: Path) -> None:
    assert write_course(tmp_path / "another place").version == course.version


def test_the_engine_decides_scores(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    monkeypatch.setattr("autograder.course.ENGINE", engine)
    before = course.version
    (engine / "reports").mkdir()
    (engine / "reports/style.css").write_text("h1 { color: red }\n")  # comes after a score is known
    assert Course(course.root).version == before
    (engine / "checks.py").write_text("tolerance = 1\n")
    assert Course(course.root).version != before


def test_every_manifest_of_this_course_is_sound() -> None:
    units = Course.find(REAL).units
    assert units
    for unit in units:
        assert unit.exercises
        assert {exercise.module for exercise in unit.exercises} == set(unit.modules)


def test_every_unit_of_this_course_is_tested():
    root = Path(__file__).resolve().parents[1]
    tested = {path.stem.removeprefix("test_") for path in (root / "tests/units").glob("test_*.py")}
    assert tested == {unit.name for unit in Course(root).units}
