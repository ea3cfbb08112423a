"""The student repository: what is in it, what never is, and into which folders it goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import Course, CourseError
from autograder.leaks import find_leaks
from autograder.release import MARKER, ReleaseError, Report, release
from autograder.stubs import make_stub
from tests.small_course import FILES, TELLING, add, write_course_and_engine, write_files

REAL = Path(__file__).resolve().parents[1]

RELEASED = {
    ".github/workflows/check.yml",
    ".gitignore",
    MARKER,
    "README.md",
    "assignments/means/README.md",
    "assignments/means/cases.py",
    "assignments/means/means.py",
    "assignments/means/test_means.py",
    "assignments/means/unit.toml",
    "autograder/__init__.py",
    "autograder/checks.py",
    "constraints.txt",
    "data/README.md",
    "pyproject.toml",
}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    return write_course_and_engine(tmp_path, monkeypatch)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "students"


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# What is in a release


def test_a_release_holds_what_is_public_and_nothing_else(course: Course, dest: Path) -> None:
    report = release(course, dest)
    files = tree(dest)
    assert set(files) == set(report.added) == RELEASED
    assert files["assignments/means/means.py"].decode() == make_stub(FILES["solutions/means/means.py"], "")
    for name in ("assignments/means/README.md", "assignments/means/test_means.py", "constraints.txt"):
        assert files[name].decode() == FILES[name]
    assert b'testpaths = ["assignments"]' in files["pyproject.toml"]
    assert list(dest.parent.iterdir()) == [dest]
    assert str(report) == (
        f"released course {course.version[:12]} to {dest}: 14 files added, 0 changed, 0 removed."
    )


def test_the_front_page_lists_the_units(course: Course, dest: Path) -> None:
    release(course, dest)
    row = "| [means](assignments/means/README.md) | Means | 2 | about 0.5 h |"
    assert row in (dest / "README.md").read_text().splitlines()


def test_stubs_are_generated_afresh(course: Course, dest: Path) -> None:
    add(course, "assignments/means/means.py", FILES["solutions/means/means.py"])  # not cleared
    release(course, dest)
    assert b"SOLUTION" not in (dest / "assignments/means/means.py").read_bytes()


def test_leftovers_and_unfinished_units_stay_behind(course: Course, dest: Path) -> None:
    add(course, "assignments/means/__pycache__/means.cpython-311.pyc", b"bytecode")
    add(course, "assignments/means/.means.py.swp", TELLING)
    add(course, "assignments/drafts/means.py", TELLING)
    add(course, "notes.txt", TELLING)
    add(course, ".git/config", TELLING)
    release(course, dest)
    assert set(tree(dest)) == RELEASED


def test_a_file_of_an_unknown_kind_is_refused(course: Course, dest: Path) -> None:
    add(course, "assignments/means/means.py.orig", "x")
    with pytest.raises(ReleaseError, match=r"^assignments/means/means\.py\.orig is no kind of file"):
        release(course, dest)
    assert not dest.exists()


# Into which folders


def test_an_empty_folder_and_a_fresh_clone_will_do(course: Course, dest: Path) -> None:
    dest.mkdir()
    release(course, dest)
    clone = dest.parent / "clone"
    write_files(clone, {".git/config": "kept"})
    report = release(course, clone)
    assert set(report.added) == RELEASED
    assert tree(clone) == {**tree(dest), ".git/config": b"kept"}


@pytest.mark.parametrize("inside", [".", "assignments", "assignments/new", "solutions/new", "new"])
def test_the_course_itself_is_no_place_for_a_release(course: Course, inside: str) -> None:
    with pytest.raises(ReleaseError, match="is inside the course itself"):
        release(course, course.root / inside)


def test_its_build_folder_is(course: Course) -> None:
    (course.root / "build").mkdir()
    release(course, course.root / "build/students")
    assert set(tree(course.root / "build/students")) == RELEASED


def test_other_folders_are_left_alone(course: Course, dest: Path) -> None:
    write_files(dest, {"thesis.txt": "mine"})
    with pytest.raises(ReleaseError, match="is not empty and no earlier release"):
        release(course, dest)
    assert tree(dest.parent) == {"students/thesis.txt": b"mine"}
    with pytest.raises(ReleaseError, match="is a file; name a folder"):
        release(course, dest / "thesis.txt")
    with pytest.raises(ReleaseError, match=r"missing is no folder\.$"):
        release(course, dest / "missing/students")


# Into an earlier release


def test_a_later_release_replaces_what_it_manages_and_nothing_else(course: Course, dest: Path) -> None:
    add(course, "assignments/means/figures/old.svg", "<svg/>")
    release(course, dest)
    own = {".git/config": "git", "assignments/means/notes.md": "own notes", "LICENSE": "ours"}
    write_files(dest, own)
    (course.assignments / "means/figures/old.svg").unlink()
    add(course, "assignments/means/README.md", "# Means, corrected\n")
    add(course, "data/means.csv", "1,2\n")
    report = release(course, dest)
    assert report == Report(
        dest,
        course.version,
        added=("data/means.csv",),
        changed=("assignments/means/README.md",),
        removed=("assignments/means/figures/old.svg",),
        kept=(),
    )
    files = tree(dest)
    assert set(files) == RELEASED | set(own) | {"data/means.csv"}
    assert files["assignments/means/README.md"] == b"# Means, corrected\n"
    assert not (dest / "assignments/means/figures").exists()
    assert {name: files[name].decode() for name in own} == own
    again = release(course, dest)
    assert (again.added, again.changed, again.removed) == ((), (), ())


def test_somebodys_work_is_never_overwritten(course: Course, dest: Path) -> None:
    release(course, dest)
    write_files(dest, {"assignments/means/means.py": "my solution\n", "data/means.csv": "my data\n"})
    before = tree(dest.parent)
    add(course, "assignments/means/README.md", "# Means, corrected\n")
    add(course, "data/means.csv", "1,2\n")
    with pytest.raises(
        ReleaseError, match=r"nothing was released: .*means/means\.py, data/means\.csv changed"
    ):
        release(course, dest)
    assert tree(dest.parent) == before


def test_a_changed_file_that_is_no_longer_released_is_kept(course: Course, dest: Path) -> None:
    add(course, "data/means.csv", "1,2\n")
    release(course, dest)
    write_files(dest, {"data/means.csv": "my data\n"})
    (course.root / "data/means.csv").unlink()
    report = release(course, dest)
    assert report.kept == ("data/means.csv",)
    assert "left alone, for they were changed: data/means.csv" in str(report)
    assert (dest / "data/means.csv").read_text() == "my data\n"


def test_nothing_is_written_through_a_link(course: Course, dest: Path, tmp_path: Path) -> None:
    release(course, dest)
    (dest / "data/README.md").unlink()
    (dest / "data").rmdir()
    (dest / "data").symlink_to(tmp_path)
    with pytest.raises(ReleaseError, match=r"data/README\.md changed"):
        release(course, dest)
    assert not (tmp_path / "README.md").exists()


def test_a_release_that_was_cut_short_is_finished(course: Course, dest: Path) -> None:
    release(course, dest)
    marker = (dest / MARKER).read_bytes()
    add(course, "assignments/means/README.md", "# Means, corrected\n")
    release(course, dest)
    (dest / MARKER).write_bytes(marker)  # the marker comes last
    assert release(course, dest).changed == ()
    assert (dest / MARKER).read_bytes() != marker


@pytest.mark.parametrize("marker", ["", "[]", '{"files": {"../secret": "0"}}', '{"files": {"/secret": "0"}}'])
def test_a_damaged_marker_is_refused(course: Course, dest: Path, marker: str) -> None:
    write_files(dest, {MARKER: marker})
    with pytest.raises(ReleaseError, match="is damaged"):
        release(course, dest)


# What cannot be released


def test_links_are_refused(course: Course, dest: Path) -> None:
    (course.assignments / "means/extra.py").symlink_to(course.solutions / "means/means.py")
    with pytest.raises(ReleaseError, match=r"extra\.py is a symbolic link"):
        release(course, dest)
    (course.assignments / "means/extra.py").unlink()
    (course.root / "data/more").symlink_to(course.solutions)
    with pytest.raises(ReleaseError, match="more is a symbolic link"):
        release(course, dest)
    assert list(dest.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("pyproject.toml", '["tests"]', '["checks"]', "pyproject.toml must hold"),
        ("release/README.md", "<!-- units -->", "", "release/README.md must hold"),
        ("solutions/means/means.py", "### END SOLUTION", "", "means.py:.*inside the region"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    course: Course, dest: Path, name: str, old: str, new: str, sentence: str
) -> None:
    add(course, name, FILES[name].replace(old, new))
    with pytest.raises(CourseError, match=sentence):
        release(course, dest)
    assert list(dest.parent.iterdir()) == []


def test_a_released_course_cannot_be_released(course: Course, dest: Path) -> None:
    release(course, dest)
    with pytest.raises(CourseError, match="this is a released course"):
        release(Course(dest), dest.parent / "again")
    with pytest.raises(CourseError, match="holds no solutions/"):
        find_leaks(Course(dest), dest)


# The real course


def test_this_course_can_be_released_and_its_release_stands_alone(dest: Path) -> None:
    course = Course.find(REAL)
    report = release(course, dest)
    assert not {name.split("/")[0] for name in report.added} & {
        "solutions",
        "tests",
        "examples",
        "benchmarks",
        ".git",
    }
    unit = course.units[0]
    # `python -m` puts the release's folder first, so that its own engine is the one that is tested
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    where = subprocess.run(
        [sys.executable, "-c", "import autograder; print(autograder.__file__)"],
        cwd=dest, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert Path(where.stdout.strip()) == dest / "autograder/__init__.py"
    result = subprocess.run(
        [*run, f"--exercise={unit.exercises[0].name}"], cwd=dest, capture_output=True, text=True, timeout=300
    )
    assert "NotImplementedError" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 1
