"""What can lie in a class's folder is read as data, or told in one sentence that costs its module alone."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.grading.class_folder import read_class
from autograder.submission import (
    MAX_ENTRIES,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TOTAL_BYTES,
    Submission,
    UnreadableSubmission,
    read_submission,
)
from tests.toy import HONEST, MODULES, TOY, grade, scores, write_submission

GOOD = "def f():\n    return 1\n"
posix = pytest.mark.skipif(sys.platform == "win32", reason="these files exist on POSIX only")


def read(folder: Path, modules: tuple[str, ...] = ("attention",)) -> Submission:
    return read_submission(folder, modules, "ada", "unit")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission whose module `masks` is in order; `attention` is each test's."""
    made = tmp_path / "ada" / "unit"
    made.mkdir(parents=True)
    (made / "masks.py").write_text(GOOD)
    return made


def problem(folder: Path) -> str:
    """What is said of attention.py; its neighbour must not be touched by it."""
    start = time.monotonic()
    submission = read(folder, ("attention", "masks"))
    assert time.monotonic() - start < 5
    assert submission.sources == {"masks": GOOD}
    [(module, sentence)] = submission.problems.items()
    assert module == "attention"
    assert sentence.startswith("attention.py ")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 200
    return sentence


def test_sources_are_text_by_module(folder):
    (folder / "attention.py").write_text("# ümläut\nx = 'π'\n", encoding="utf-8")
    submission = read(folder, ("attention", "masks"))
    assert submission.sources == {"attention": "# ümläut\nx = 'π'\n", "masks": GOOD}
    assert (submission.problems, submission.notes) == ({}, ())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfx = '\xc3\xa9'\n", "x = 'é'\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n\x80", None),
        ("# coding: gbk\nx = '注意'\n".encode("gbk"), "# coding: gbk\nx = '注意'\n"),
        (b"x = 1\r\ny = 2\r", "x = 1\ny = 2\n"),
        (b"", ""),
    ],
)
def test_what_editors_save_is_read(folder, data, text):
    (folder / "attention.py").write_bytes(data)
    submission = read(folder)
    assert submission.problems == {}
    assert text is None or submission.sources["attention"] == text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"x = '\xe9'\n", "not valid utf-8 (line 1)"),
        (b"\n\n\nx = 'caf\xe9'\n", "not valid utf-8"),
        ("x = 1\n".encode("utf-16"), "null byte"),
        (b"\xff\xfex", "not valid utf-8"),
        (b"x = 1\n\0", "null byte (at offset 6)"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "null byte"),
        (b"\x89PNG\r\n\x1a\n", "not valid utf-8"),
        (b"# coding: no-such-thing\n", "unknown encoding"),
        (b"# coding: rot13\nvzcbeg bf\n", "unknown encoding"),
        (b"# coding: undefined\n", "unknown encoding"),
        (b"# coding: idna\n" + b"x" * 1000, "unknown encoding"),
        (b"# coding: utf-7\n+AAo-\n", "unknown encoding"),
        (b"# coding: unicode_escape\n\\x00\n", "unknown encoding"),
        (b"# coding: punycode\nx-" + b"a" * 1_000_000, "unknown encoding"),  # minutes of decoding
        (b"# coding: utf-16\nxx", "unknown encoding"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "unknown encoding"),
        (b"x" * (MAX_FILE_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_bytes_that_are_no_source_are_a_sentence(folder, data, says):
    (folder / "attention.py").write_bytes(data)
    assert says in problem(folder)


def test_a_missing_file_is_named(folder):
    assert "is missing" in problem(folder)


def test_another_spelling_is_a_missing_file(folder):
    (folder / "Attention.PY").write_text(GOOD)
    if not (folder / "attention.py").exists():  # a file system may not care for case
        assert "under exactly this name" in problem(folder)


@posix
def test_a_symbolic_link_is_refused_wherever_it_leads(folder, tmp_path):
    (tmp_path / "secret.py").write_text("SECRET = 1\n")
    for target in (tmp_path / "secret.py", "masks.py", "attention.py", "/dev/zero", tmp_path / "nothing"):
        (folder / "attention.py").symlink_to(target)
        assert "symbolic link" in problem(folder)
        (folder / "attention.py").unlink()


@posix
def test_a_helper_that_is_a_symbolic_link_is_not_read(folder, tmp_path):
    (tmp_path / "secret.py").write_text("SECRET = 1\n")
    (folder / "helper.py").symlink_to(tmp_path / "secret.py")
    assert "helper" not in read(folder, ("masks",)).sources


@posix
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o60600 | 0o010000)])
def test_what_is_no_regular_file_is_not_waited_for(folder, make):
    try:
        make(folder / "attention.py")
    except OSError:
        pytest.skip("not allowed here")
    sentence = problem(folder)
    assert "not a regular file" in sentence or "cannot be read" in sentence


@posix
def test_a_sparse_file_of_a_gigabyte_is_not_read(folder):
    with open(folder / "attention.py", "wb") as file:
        file.truncate(1 << 30)
    assert "larger than 1 MiB (1073741824 bytes)" in problem(folder)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_sentence(folder):
    (folder / "attention.py").write_text(GOOD)
    (folder / "attention.py").chmod(0)
    assert "permission denied" in problem(folder)


def test_an_unreadable_file_is_a_sentence_for_root_as_well(folder, monkeypatch):
    (folder / "attention.py").write_text(GOOD)
    opened = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("attention.py"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert problem(folder) == "attention.py cannot be read (permission denied)."


# ------------------------------------------------------------------------------ helper files


def test_helpers_are_read_and_what_belongs_to_the_course_is_not(folder):
    for name in (
        "helper.py",
        "torch.py",
        "test_masks.py",
        "conftest.py",
        "not-a-name.py",
        "notes.txt",
        "x.pyc",
        "été.py",
    ):
        (folder / name).write_text(GOOD)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text(GOOD)
    assert sorted(read(folder, ("masks",)).sources) == ["helper", "masks", "torch", "été"]


def test_a_thousand_helpers_cost_nothing_but_a_note(folder):
    for i in range(1000):
        (folder / f"h{i:03}.py").write_text(GOOD)
    submission = read(folder, ("masks",))
    assert len(submission.sources) == 1 + MAX_FILES
    assert submission.sources["masks"] == GOOD
    assert submission.notes == ("1000 helper files: only the first 100 in alphabetical order were read.",)


def test_the_modules_are_found_among_any_number_of_files(folder):
    for i in range(MAX_ENTRIES + 10):
        (folder / f"{i}.txt").touch()
    submission = read(folder, ("masks",))
    assert submission.sources["masks"] == GOOD
    assert len(submission.notes) == 1


def test_a_submission_has_a_size_in_all_and_the_modules_come_first(folder):
    large = "#" * (MAX_FILE_BYTES - 10) + "\n"
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text(large)
    submission = read(folder, ("masks", "c"))
    assert {"masks", "c"} <= submission.sources.keys()
    assert sum(map(len, submission.sources.values())) <= MAX_TOTAL_BYTES
    assert "2 MiB that a whole submission may have" in submission.problems["b"]


# ------------------------------------------------------------------------------ the folder


@posix
def test_a_folder_that_is_none_is_a_sentence(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    for name, says in (("link", "symbolic link"), ("file", "is a file"), ("missing", "no such file")):
        with pytest.raises(UnreadableSubmission, match=says):
            read(tmp_path / name)


# ------------------------------------------------------------------------------ the class

NAMES = [
    "Ada Lovelace",
    "o'brien",
    "ada.lovelace@example.org",
    "Zoë",
    "李明",
    "-rf",
    "--help",
    "[red]",
    "[b]",
    "a" * 200,
    "~",
    "$(id)",
]


def class_of(submitted: Path, *names: str) -> Path:
    for name in names:
        write_submission(submitted / name / "toy")
    return submitted


def test_students_have_the_names_they_have(tmp_path):
    tasks, rejected = read_class(class_of(tmp_path, *NAMES), Course(TOY))
    assert [(task.student, task.unit) for task in tasks] == [(name, "toy") for name in sorted(NAMES)]
    assert rejected == []


@posix
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tab\there", "control characters"),
        ("line\nend", "control"),
        ("\x1b[31mred", "control"),
        ("\u202eevil", "control"),
    ],
)
def test_names_that_would_break_a_terminal_are_refused(tmp_path, name, says):
    tasks, [rejected] = read_class(class_of(tmp_path, "good", name), Course(TOY))
    assert [task.student for task in tasks] == ["good"]
    assert says in str(rejected)
    assert str(rejected).isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names themselves")
def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    class_of(tmp_path, "good", os.fsdecode(b"caf\xe9"))
    tasks, [rejected] = read_class(tmp_path, Course(TOY))
    assert [task.student for task in tasks] == ["good"]
    assert str(rejected).startswith("caf\N{REPLACEMENT CHARACTER}: the name is not valid UTF-8")


@posix
def test_what_is_no_submission_is_told_and_costs_nobody(tmp_path):
    class_of(tmp_path, "good")
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".DS_Store").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / "linked").symlink_to("good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "no_unit").mkdir(parents=True)
    class_of(tmp_path, "both")
    (tmp_path / "both" / "no_unit").mkdir()
    (tmp_path / "linked_unit").mkdir()
    (tmp_path / "linked_unit" / "toy").symlink_to(tmp_path / "good" / "toy")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "toy").touch()
    tasks, rejected = read_class(tmp_path, Course(TOY))
    assert [task.student for task in tasks] == ["both", "good"]
    told = {r.where: r.reason for r in rejected}
    assert {where: word for where, word in SAID.items() if word not in told.get(where, "")} == {}
    assert told.keys() == SAID.keys()


SAID = {
    "notes.txt": "is a file",
    "linked": "symbolic link",
    "empty": "holds no unit's folder",
    "other": "holds no unit's folder",
    "both/no_unit": "is no unit; the units are toy",
    "linked_unit/toy": "symbolic link",
    "packed/toy": "unpack it first",
}


def test_one_unit_of_several(tmp_path):
    class_of(tmp_path, "good")
    assert [task.unit for task in read_class(tmp_path, Course(TOY), "toy")[0]] == ["toy"]


def test_an_empty_class_has_nothing_to_grade(tmp_path):
    assert read_class(tmp_path, Course(TOY)) == ([], [])


# ------------------------------------------------------------------------------ what it costs


@pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
def test_a_module_that_cannot_be_read_costs_its_exercises_and_nothing_else(tmp_path):
    latin1, linked = tmp_path / "latin1", tmp_path / "linked"
    for folder in (latin1, linked):
        write_submission(folder)
    (latin1 / "arith.py").write_bytes(b"# caf\xe9\n" + HONEST["arith"].encode())
    (linked / "layers.py").unlink()
    (linked / "layers.py").symlink_to(TOY / "solutions/toy/layers.py")
    submissions = [read_submission(folder, MODULES, folder.name, "toy") for folder in (latin1, linked)]
    first, second = grade(Course(TOY), submissions)
    assert scores(first) == {"scale": 0, "noise": 0, "Affine": 4, "train": 1}
    assert scores(second) == {"scale": 3, "noise": 2, "Affine": 0, "train": 0}
    for result, sentence in ((first, "not valid utf-8"), (second, "symbolic link")):
        failed = [
            check for exercise in result.exercises for check in exercise.checks if check.status != "passed"
        ]
        assert {check.status for check in failed} == {"error"}
        assert all(sentence in check.message for check in failed)
