"""The student repository: what is in it, what it never holds, and that nothing hidden gets out in any wrapping."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import py_compile
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autograder.course import Course, CourseError
from autograder.leaks import Leak, find_leaks
from autograder.release import MARKER, LeakError, ReleaseError, Report, release
from autograder.stubs import make_stub
from tests import small_course
from tests.small_course import FILES, write_course, write_files

REAL = Path(__file__).resolve().parents[1]

TELLING = "shares = torch.where(total > 0, weights / total, torch.zeros_like(weights))"
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
    """A small course with a small engine; the real one takes a second to read."""
    write_files(tmp_path / "engine", small_course.ENGINE)
    for module in ("course", "hidden", "release"):
        monkeypatch.setattr(f"autograder.{module}.ENGINE", tmp_path / "engine")
    return write_course(tmp_path / "course")


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "out" / "students"


@pytest.fixture(autouse=True)
def _parent(dest: Path) -> None:
    dest.parent.mkdir()


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def add(course: Course, name: str, content: str | bytes) -> None:
    path = course.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def refused(course: Course, dest: Path) -> list[Leak]:
    """The leaks for which a release is refused, which leaves nothing behind."""
    with pytest.raises(LeakError) as caught:
        release(course, dest)
    assert list(dest.parent.iterdir()) == []
    assert str(caught.value).startswith("nothing was released, it would give away what is hidden:\n  ")
    return caught.value.leaks


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


# Leaks in the course's public files


def test_an_uncleared_module_is_found(course: Course, dest: Path) -> None:
    add(course, "assignments/means/help.py", FILES["solutions/means/means.py"])
    leaks = refused(course, dest)
    assert {leak.path for leak in leaks} == {"assignments/means/help.py"}
    # both lines of the first region, the comment, the short lines of the last region together
    assert {15, 16, 17, 31} <= {leak.line for leak in leaks}


def test_a_solutions_line_is_found_in_prose_and_in_a_test(course: Course, dest: Path) -> None:
    add(course, "assignments/means/README.md", f"# Means\n\nHint: use `{TELLING}`, you see.\n")
    add(
        course,
        "assignments/means/test_means.py",
        FILES["assignments/means/test_means.py"] + f"\n\n        {TELLING}\n",
    )
    first, second = refused(course, dest)
    what = f"gives away a solution (solutions/means/means.py:14): {TELLING}"
    assert first == Leak("assignments/means/README.md", 3, what)
    assert (second.path, second.line) == ("assignments/means/test_means.py", 14)
    assert str(first) == f"assignments/means/README.md:3: {what}"


def test_another_layout_hides_nothing(course: Course, dest: Path) -> None:
    wrapped = """
    shares   =   torch.where(
        total > 0,
        weights / total,
        torch.zeros_like(weights),
    )  # so
    """
    add(course, "autograder/nowhere.py", wrapped)  # the engine that runs is elsewhere: not released
    release(course, dest)
    add(course, "data/README.md", wrapped)
    with pytest.raises(LeakError) as caught:
        release(course, dest)
    assert [(leak.path, leak.line) for leak in caught.value.leaks] == [("data/README.md", 2)]
    assert (dest / "data/README.md").read_text() == FILES["data/README.md"]


def test_a_hidden_check_is_found_under_another_file_name(course: Course, dest: Path) -> None:
    add(course, "assignments/means/test_more.py", FILES["solutions/means/test_means.py"])
    leaks = refused(course, dest)
    names = {leak.what.rsplit(" ", 1)[1] for leak in leaks if "a hidden check's name" in leak.what}
    assert names == {"test_equal_weights_of_a_single_row", "test_any_weights_agree_with_a_loop"}


def test_a_hidden_check_is_found_under_another_name_of_its_own(course: Course, dest: Path) -> None:
    copy = FILES["solutions/means/test_means.py"].replace("def test_", "def test_really_")
    add(course, "assignments/means/test_more.py", copy)
    assert {leak.line for leak in refused(course, dest)} >= {8, 10, 11, 17, 18}


def test_a_hidden_check_may_add_cases_to_a_public_one(course: Course, dest: Path) -> None:
    """The same law, word for word, with other cases: what is not public is the cases."""
    shared = "    result = student.weighted_mean(case.x, case.equal_weights)"
    assert shared in FILES["assignments/means/test_means.py"]
    assert shared in FILES["solutions/means/test_means.py"]
    release(course, dest)
    add(course, "assignments/means/README.md", "    @given(case=mean_cases(max_size=1, allow_zero=True))\n")
    with pytest.raises(LeakError, match=r"solutions/means/test_means\.py:8"):
        release(course, dest)


def test_an_oracle_is_found_under_another_name(course: Course, dest: Path) -> None:
    oracle = FILES["solutions/means/oracles.py"].replace("mean_by_loops", "slow_mean")
    add(course, "assignments/means/cases.py", FILES["assignments/means/cases.py"] + "\n\n" + oracle)
    assert [leak.line for leak in refused(course, dest)] == [6, 7]


@pytest.mark.parametrize(
    "text",
    [
        "Mind: only weights that add up to the number of rows hide this.".replace("only", "Only"),
        "Which sum makes the shares\n> add up to 1?".replace("> ", ""),
        "one divides by the number of rows instead of the sum of weights",
        "weights / weights.new_full((), float(len(weights)))",
        "    normalised = weights.div(weights.sum().clamp_min(1e-300))",
        "# weights that are all zero would divide zero by zero, and poison the gradient",
    ],
)
def test_hints_mistakes_alternatives_and_comments_are_found(course: Course, dest: Path, text: str) -> None:
    add(course, "assignments/means/README.md", f"# Means\n\n{text}\n")
    assert {leak.line for leak in refused(course, dest)} == {3}


def test_short_lines_alone_say_nothing(course: Course, dest: Path) -> None:
    add(
        course,
        "assignments/means/README.md",
        "    total = weights.sum()\n    self.rate = rate\n    return self.mean\n",
    )
    add(course, "assignments/means/extra.py", "import torch\nfrom torch import Tensor\n")
    release(course, dest)


def test_a_hidden_file_of_another_kind_is_found(course: Course, dest: Path) -> None:
    add(course, "solutions/means/golden.npz", b"\x01\x02golden")
    add(course, "data/values.npz", b"\x01\x02golden")
    assert refused(course, dest) == [Leak("data/values.npz", 0, "is a copy of solutions/means/golden.npz.")]


# Leaks in any wrapping


def notebook() -> bytes:
    cells = [
        {"cell_type": "markdown", "source": ["# Means\n"]},
        {"cell_type": "code", "source": ["shares = torch.where(\n", "  total > 0, weights / total,\n",
                                         "  torch.zeros_like(weights))\n"]},
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}}).encode()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/readme.txt", f"\n{TELLING}\n")
    return file.getvalue()


def zipped_twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.zip", zipped())
    return b"#!/bin/sh\n" + file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        entry = tarfile.TarInfo("inner.txt")
        entry.size = len(TELLING)
        archive.addfile(entry, io.BytesIO(TELLING.encode()))
    return file.getvalue()


def npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, notes=np.array([TELLING, "more"]))
    return file.getvalue()


def bytecode(tmp_path: Path) -> bytes:
    (tmp_path / "m.py").write_text(f"def f(weights, total, torch):\n    {TELLING}\n    return shares\n")
    py_compile.compile(str(tmp_path / "m.py"), str(tmp_path / "m.bin"))
    return (tmp_path / "m.bin").read_bytes()


def encrypted() -> bytes:
    data = bytearray(zipped())
    data[data.index(b"PK\x03\x04") + 6] |= 1  # the flags in the member's header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


PACKED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "notebook": ("a.ipynb", notebook, "a.ipynb!cell 2"),
    "json": ("a.json", lambda: json.dumps({"x": [{"y": f"…\n{TELLING}"}]}).encode(), "a.json"),
    "zip": ("a.npz", zipped, "a.npz!inner/readme.txt"),
    "zip in zip behind a script": ("a.txt", zipped_twice, "a.txt!inner.zip!inner/readme.txt"),
    "npz": ("b.npz", npz, "b.npz!notes.npy"),
    "tar.gz": ("a.txt", tarred, "a.txt!!inner.txt"),
    "gz": ("a.txt", lambda: gzip.compress(TELLING.encode()), "a.txt!"),
    "bz2": ("a.txt", lambda: bz2.compress(TELLING.encode()), "a.txt!"),
    "xz": ("a.txt", lambda: lzma.compress(TELLING.encode()), "a.txt!"),
    "base64": ("a.txt", lambda: b"see:\n" + base64.encodebytes(TELLING.encode()), "a.txt!base64"),
    "base64 of gz": ("a.txt", lambda: base64.b64encode(gzip.compress(TELLING.encode())) + b"\nend", "a.txt!base64!"),
    "utf-16": ("a.txt", lambda: TELLING.encode("utf-16"), "a.txt"),
    "latin-1": ("a.txt", lambda: f"né\n{TELLING}".encode("latin-1"), "a.txt"),
    "string literal": ("a.py", lambda: f'HELP = "like so:\\n\\t{TELLING}\\n"'.encode(), "a.py"),
    "windows line ends": ("a.md", lambda: f"# Means\r\n\r\n\t{TELLING}\r\n".encode(), "a.md"),
    "encrypted zip": ("a.npz", encrypted, "a.npz"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKED)
def test_packing_hides_nothing(course: Course, tmp_path: Path, kind: str) -> None:
    name, content, where = PACKED[kind]
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(content())
    leaks = find_leaks(course, tmp_path / "tree")
    assert where in {leak.path for leak in leaks}


def test_bytecode_and_libraries_are_not_released(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "m.txt").write_bytes(bytecode(tmp_path))
    (folder / "fast.so").write_bytes(b"anything")
    leaks = find_leaks(course, folder)
    assert [leak.path for leak in leaks] == ["fast.so", "m.txt"]
    assert all("cannot be searched" in leak.what for leak in leaks)


def test_links_and_hidden_names_are_leaks(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    write_files(folder, {"solutions/readme.txt": "", "data/mistakes.toml": ""})
    (folder / "link").symlink_to(course.solutions)
    leaks = find_leaks(course, folder)
    assert [leak.path for leak in leaks] == [
        "data/mistakes.toml",
        "link",
        "solutions",
        "solutions/readme.txt",
    ]


def test_a_bomb_is_not_unpacked(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.contents.MAX_UNPACKED_BYTES", 1 << 20)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.txt").write_bytes(gzip.compress(bytes(2 << 20)))
    (leak,) = find_leaks(course, tmp_path / "tree")
    assert leak == Leak("a.txt", 0, "unpacks to more than 1 MiB.")


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
    result = subprocess.run(
        [*run, f"--exercise={unit.exercises[0].name}"], cwd=dest, capture_output=True, text=True, timeout=300
    )
    assert "NotImplementedError" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 1


def test_an_engine_of_a_release_says_where_it_is(dest: Path) -> None:
    release(Course.find(REAL), dest)
    result = subprocess.run(
        [sys.executable, "-c", "import autograder; print(autograder.__file__)"],
        cwd=dest, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert Path(result.stdout.strip()) == dest / "autograder/__init__.py"
