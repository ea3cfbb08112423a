"""Deliveries read as data: what is whole is laid down, what is hostile is refused, the rest goes on."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder.collect.archives import read_archive, read_file, read_folder
from autograder.collect.deliveries import (
    CollectError,
    Delivery,
    canvas_deliveries,
    git_deliveries,
    moodle_deliveries,
    roster_deliveries,
)
from autograder.collect.members import Limits, Refused, sources_of
from autograder.collect.place import collect
from autograder.git_data import GitDataError, open_repository
from autograder.submission_time import commit_time, newest_file_time

UNIT = "a3_attention"
CODE = b"x = 1\n"
SMALL = Limits(members=20, total_bytes=4 << 20, ratio=100)


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content, method)
    return data.getvalue()


def tar_of(
    *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w:gz"
) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def encrypted() -> bytes:
    data = bytearray(zip_of(("a.py", CODE)))
    data[6] |= 1  # the flags, in the local header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def lying() -> bytes:
    """A bomb whose headers say that it holds 10 bytes."""
    data = bytearray(zip_of(("a.py", b"\0" * (3 << 20))))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    return bytes(data)


HOSTILE = {
    "zip slip": (zip_of(("../a.py", CODE)), r"a path that leads out of it \(\.\./a\.py\)"),
    "zip slip within": (zip_of(("x/../../a.py", CODE)), "a path that leads out of it"),
    "zip absolute": (zip_of(("/etc/a.py", CODE)), r"an absolute path \(/etc/a\.py\)"),
    "zip drive": (zip_of(("C:a.py", CODE)), r"a drive letter \(C:a\.py\)"),
    "zip backslash": (zip_of(("..\\a.py", CODE)), "a name with a backslash"),
    "zip escape": (zip_of(("\x1b[2J.py", CODE)), r"control characters or broken text \(\\x1b\[2J\.py\)"),
    "zip symlink": (zip_of((special("a.py", stat.S_IFLNK), b"/etc/passwd")), "holds a symbolic link"),
    "zip device": (zip_of((special("a.py", stat.S_IFCHR), b"")), "holds a device or pipe"),
    "zip pipe": (zip_of((special("a.py", stat.S_IFIFO), b"")), "holds a device or pipe"),
    "zip encrypted": (encrypted(), "is encrypted"),
    "zip lzma": (zip_of(("a.py", CODE), method=zipfile.ZIP_LZMA), "compressed in an unusual way"),
    "zip count": (zip_of(*((f"{i}.py", b"") for i in range(21))), "more than 20 files"),
    "zip bytes": (zip_of(("a.bin", os.urandom(5 << 20))), "unpacks to more than 4194304 bytes"),
    "zip ratio": (zip_of(("a.bin", b"\0" * (3 << 20))), "more than 100 times its size"),
    "zip lies": (lying(), r"is a broken archive"),
    "zip in zip": (zip_of(("a.py", CODE), ("b.ZIP", zip_of())), r"another archive \(b\.ZIP\)"),
    "zip case": (zip_of(("a.py", CODE), ("A.py", CODE)), "a.py and A.py, which differ in case or Unicode"),
    "zip unicode": (
        zip_of(("é.py", CODE), ("e\u0301.py", CODE)),
        "which differ in case or Unicode form only",
    ),
    "zip twice": (zip_of(("a.py", CODE), ("./a.py", CODE)), r"holds a\.py twice"),
    "zip cut": (zip_of(("a.py", CODE))[:-10], "is no zip, tar or tar.gz"),
    "zip damaged": (zip_of(("a.py", CODE), method=0).replace(CODE, b"y = 1\n"), "is a broken archive"),
    "tar slip": (tar_of(("../a.py", CODE)), "a path that leads out of it"),
    "tar absolute": (tar_of(("/a.py", CODE), mode="w"), "an absolute path"),
    "tar symlink": (tar_of(("a.py", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "holds a symbolic link"),
    "tar hard link": (tar_of(("a.py", b""), kind=tarfile.LNKTYPE, link="b.py"), "holds a hard link"),
    "tar device": (tar_of(("a.py", b""), kind=tarfile.CHRTYPE), "holds a device, pipe or sparse file"),
    "tar pipe": (tar_of(("a.py", b""), kind=tarfile.FIFOTYPE), "holds a device, pipe or sparse file"),
    "tar bomb": (gzip.compress(b"\0" * (9 << 20)), "unpacks to more than 4194304 bytes"),
    "tar bytes": (tar_of(("a.bin", b"\0" * (5 << 20))), "unpacks to more than"),
    "tar ratio": (tar_of(("a.bin", b"\0" * (3 << 20))), "more than 100 times its size"),
    "tar count": (tar_of(*((f"{i}.py", b"") for i in range(21))), "more than 20 files"),
    "tar twice": (tar_of(("a.py", CODE), ("a.py", CODE)), r"holds a\.py twice"),
    "tar in tar": (tar_of(("a.tar", CODE)), "another archive"),
    "tar cut": (tar_of(("a.py", b"x" * 2000), mode="w")[:1500], "is a broken archive"),
    "gz cut": (tar_of(("a.py", os.urandom(2000)))[:-100], "is a broken archive"),
    "nothing": (b"", "is no zip, tar or tar.gz"),
    "text": (CODE * 100, "is no zip, tar or tar.gz"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_its_reason(name):
    data, message = HOSTILE[name]
    with pytest.raises(Refused, match=message) as told:
        read_archive(data, SMALL)
    assert str(told.value).isprintable()
    assert str(told.value).endswith(".")


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_an_honest_archive_gives_its_python_files(make):
    data = make(("w/a.py", CODE), ("w/notes.txt", b"hi"), ("w/deep/b.py", b""), ("big.py", b" " * 900_000))
    assert read_archive(data, SMALL) == {"w/a.py": CODE, "w/deep/b.py": b"", "big.py": b" " * 900_000}


def test_folders_are_read_without_following_links(tmp_path):
    (tmp_path / "w/deep").mkdir(parents=True)
    (tmp_path / "w/deep/a.py").write_bytes(CODE)
    assert read_folder(tmp_path, SMALL) == {"w/deep/a.py": CODE}
    (tmp_path / "w/link").symlink_to("/etc")
    with pytest.raises(Refused, match="holds a symbolic link"):
        read_folder(tmp_path, SMALL)
    with pytest.raises(Refused, match="is a symbolic link"):
        read_file(tmp_path / "w/link")
    (tmp_path / "w/link").unlink()
    os.mkfifo(tmp_path / "w/pipe")
    with pytest.raises(Refused, match="holds a device or pipe"):
        read_folder(tmp_path, SMALL)
    with pytest.raises(Refused, match="is no regular file"):
        read_file(tmp_path / "w/pipe")


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["a.py", "sub/b.py"], ["a.py"]),
        (
            ["x-main/a.py", "x-main/tests/b.py", "__MACOSX/x/a.py", ".idea/a.py", "x-main/._a.py"],
            ["x-main/a.py"],
        ),
        (["setup.py", f"assignments/{UNIT}/a.py", "assignments/a1/b.py"], [f"assignments/{UNIT}/a.py"]),
    ],
)
def test_the_folder_of_the_unit_is_taken_or_else_the_uppermost(names, taken):
    files = {name: name.encode() for name in names}
    assert sorted(sources_of(files, UNIT).values()) == [name.encode() for name in taken]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x/a.py", "y/b.py"], r"in several folders \(x, y\); name the right one a3"),
        (["__MACOSX/a.py"], "no Python"),
    ],
)
def test_what_is_ambiguous_is_refused(names, message):
    with pytest.raises(Refused, match=message):
        sources_of(dict.fromkeys(names, CODE), UNIT)


def laid_down(submitted: Path) -> dict[str, bytes]:
    return {str(p.relative_to(submitted)): p.read_bytes() for p in submitted.rglob("*") if p.is_file()}


def test_canvas(tmp_path):
    download = tmp_path / "submissions.zip"
    download.write_bytes(
        zip_of(
            ("lovelaceada_LATE_12_456_a3.zip", zip_of((f"{UNIT}/attention.py", CODE))),
            ("pascalblaise_13_457_attention-2.py", b"y = 2\n"),
            ("pascalblaise_13_458_masks.py", b"z = 3\n"),
            ("eveevil_14_459_a3.zip", zip_of(("../a.py", CODE))),
            ("unknown_15_460_attention.py", CODE),
            ("notes.txt", b"?"),
        )
    )
    students = {"12": "ada", "13": "blaise", "14": "eve"}
    found = collect(canvas_deliveries(download, UNIT, students), tmp_path / "submitted", UNIT)
    assert found.placed == ["ada", "blaise"]
    assert sorted(found.refused) == [
        "eve holds a path that leads out of it (../a.py).",
        "notes.txt is not named as a submission in such a download is.",
        "unknown_15 is not in the roster (number 15).",
    ]
    assert laid_down(tmp_path / "submitted") == {
        f"ada/{UNIT}/attention.py": CODE,
        f"blaise/{UNIT}/attention.py": b"y = 2\n",
        f"blaise/{UNIT}/masks.py": b"z = 3\n",
    }
    names = [each.student for each in canvas_deliveries(download, UNIT) if not each.refused]
    assert names == ["lovelaceada_12", "pascalblaise_13", "unknown_15"]


def test_a_file_twice_in_what_canvas_numbered_is_refused(tmp_path):
    download = tmp_path / "submissions.zip"
    download.write_bytes(zip_of(("a_1_2_m.py", CODE), ("a_1_3_m-1.py", b"")))
    [delivery] = canvas_deliveries(download, UNIT)
    assert delivery.refused == "holds m.py twice."
    download.write_bytes(zip_of(("a_1_2_m.py", CODE), ("a_1_3_a3.zip", zip_of(("m.py", b"")))))
    [delivery] = canvas_deliveries(download, UNIT)
    assert delivery.refused == "holds m.py twice."


def test_a_link_in_the_download_itself_is_refused(tmp_path):
    download = tmp_path / "submissions.zip"
    link = special("a_1_2_m.py", stat.S_IFLNK)
    download.write_bytes(zip_of((link, b"/etc/passwd"), ("b_2_3_m.py", CODE)))
    a, b = canvas_deliveries(download, UNIT)
    assert (a.refused, b.refused) == ("holds a symbolic link ('a_1_2_m.py').", "")


def test_moodle_as_a_zip_and_as_a_folder(tmp_path):
    members = (
        ("Ada Lovelace_12_assignsubmission_file_/a3.tar.gz", tar_of(("attention.py", CODE))),
        ("Blaise Pascal_13_assignsubmission_file_/attention.py", b"y = 2\n"),
        ("Eve_14_assignsubmission_file_/a3.zip", zip_of((special("a.py", stat.S_IFLNK), b"x"))),
    )
    download = tmp_path / "submissions.zip"
    download.write_bytes(zip_of(*members))
    with zipfile.ZipFile(download) as archive:
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked/stray").mkdir()
    students = {"12": "ada", "13": "blaise", "14": "eve"}
    for source in (download, tmp_path / "unpacked"):
        submitted = tmp_path / f"submitted {source.name}"
        found = collect(moodle_deliveries(source, UNIT, students), submitted, UNIT)
        assert found.placed == ["ada", "blaise"]
        assert "eve holds a symbolic link ('a.py')." in found.refused
        assert laid_down(submitted) == {
            f"ada/{UNIT}/attention.py": CODE,
            f"blaise/{UNIT}/attention.py": b"y = 2\n",
        }
    assert "stray is not named as Moodle names a submission's folder." in found.refused


def test_a_roster_names_files(tmp_path):
    (tmp_path / "1.zip").write_bytes(zip_of(("attention.py", CODE)))
    (tmp_path / "attention.py").write_bytes(CODE)
    (tmp_path / "3.rar").write_bytes(b"Rar!")
    roster = tmp_path / "roster.csv"
    roster.write_text("student,file\nada,1.zip\nblaise,attention.py\nchen,3.rar\ndora,4.zip\n")
    found = collect(roster_deliveries(roster, UNIT), tmp_path / "submitted", UNIT)
    assert found.placed == ["ada", "blaise"]
    assert found.refused == [
        "chen is no zip, tar or tar.gz.",
        "dora cannot be read (no such file or directory).",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("student\nada\n", "has no column 'file'; it needs student, file"),
        ("student,file\nada,1\nada,2\n", "names the student 'ada' twice"),
        ("student,file\nada\n", "row 1 lacks student or file"),
        ("student,file\nada,1,2\n", "row 1 lacks student or file, or has cells too many"),
        (b"\xff", "cannot be read as CSV"),
    ],
)
def test_a_roster_that_cannot_be_used_is_one_sentence(tmp_path, text, message):
    roster = tmp_path / "roster.csv"
    roster.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CollectError, match=message):
        list(roster_deliveries(roster, UNIT))


def test_a_download_that_is_no_zip_is_one_sentence(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK")
    for read in (canvas_deliveries, moodle_deliveries):
        with pytest.raises(CollectError, match=r"x\.zip cannot be read as a zip"):
            list(read(tmp_path / "x.zip", UNIT))


def test_what_is_there_is_replaced_whole_or_left(tmp_path):
    first, second = ({"a.py": CODE, "b.py": CODE}, {"a.py": b"new\n"})
    umask = os.umask(0o077)
    try:
        assert collect([Delivery("ada", first)], tmp_path, UNIT).placed == ["ada"]
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / f"ada/{UNIT}/a.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / f"ada/{UNIT}").stat().st_mode) == 0o755
    assert collect([Delivery("ada", second)], tmp_path, UNIT, replace=False).kept == ["ada"]
    assert collect([Delivery("ada", {}, "is broken.")], tmp_path, UNIT).refused == ["ada is broken."]
    assert laid_down(tmp_path / f"ada/{UNIT}") == first
    assert collect([Delivery("ada", second)], tmp_path, UNIT).placed == ["ada"]
    assert laid_down(tmp_path) == {f"ada/{UNIT}/a.py": b"new\n"}


def test_what_cannot_be_written_leaves_the_old(tmp_path, monkeypatch):
    collect([Delivery("ada", {"a.py": CODE})], tmp_path, UNIT)

    def fails(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(CollectError, match=r"cannot be written \(No space left on device\)"):
        collect([Delivery("ada", {"a.py": b"new\n"})], tmp_path, UNIT)
    assert laid_down(tmp_path) == {f"ada/{UNIT}/a.py": CODE}
    assert os.listdir(tmp_path / "ada") == [UNIT]


def test_without_an_exchange_in_one_step_it_takes_three(tmp_path, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    for text in (CODE, b"new\n"):
        collect([Delivery("ada", {"a.py": text})], tmp_path, UNIT)
        assert laid_down(tmp_path) == {f"ada/{UNIT}/a.py": text}


def test_a_student_s_name_is_a_folder_s_name_and_nobody_else_s(tmp_path):
    submitted = tmp_path / "submitted"
    names = ["ada", "ada", "ADA", "..", "a/b", "", ".git", "x\n", "é", "e\u0301", "y" * 300]
    found = collect([Delivery(name, {"a.py": CODE}) for name in names], submitted, UNIT)
    assert found.placed == ["ada", "é"]
    assert found.refused[0] == "ada comes twice; only the first is taken."
    assert found.refused[1] == "ADA is also written ada; only the first is taken."
    assert len(found.refused) == 9
    assert sorted(os.listdir(tmp_path)) == ["submitted"]
    (submitted / "link").symlink_to(tmp_path)
    assert collect([Delivery("link", {"a.py": CODE})], submitted, UNIT).placed == []
    assert sorted(os.listdir(tmp_path)) == ["submitted"]


WHEN = "2026-11-22T03:04:05+01:00"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.hooksPath=/dev/null"]
    command += ["-c", "core.fsmonitor=false", "-c", "filter.mark.clean=", "-c", "filter.mark.smudge="]
    environment = {**os.environ, "GIT_COMMITTER_DATE": WHEN, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    """Two commits, the first alone with work on the unit; its settings and hooks would leave a mark."""
    folder = tmp_path / "repository"
    unit = folder / "assignments" / UNIT
    unit.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (unit / "attention.py").write_bytes(CODE)
    (unit / "notes.md").write_bytes(CODE)
    (folder / ".gitattributes").write_text("*.py filter=mark diff=mark text eol=crlf ident\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "work")
    (folder / "other.txt").write_text("x")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "later", "--date", WHEN)
    mark = f"touch {tmp_path}/marked; cat"
    for key in (
        *("core.fsmonitor", "core.pager", "core.sshCommand", "filter.mark.smudge", "filter.mark.clean"),
        *("diff.mark.textconv", "diff.external", "gpg.program", "uploadpack.packObjectsHook", "alias.log"),
    ):
        git(folder, "config", key, mark if key != "alias.log" else f"!{mark}")
    git(folder, "config", "log.showSignature", "true")
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        path = folder / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{mark}\n")
        path.chmod(0o755)
    yield folder
    assert not (tmp_path / "marked").exists()


def of_git(repository: Path, commit: str, folder: str = "") -> Delivery:
    roster = repository.parent / "roster.csv"
    roster.write_text(f"student,repository,commit,folder\nada,{repository.name},{commit},{folder}\n")
    [delivery] = git_deliveries(roster, UNIT)
    return delivery


def test_a_commit_is_read_as_it_was_committed(repository):
    before = sorted(str(path) for path in repository.rglob("*"))
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "assignments" / UNIT / "attention.py").write_text("not committed")
    assert of_git(repository, commit) == Delivery("ada", {"attention.py": CODE})
    assert sorted(str(path) for path in repository.rglob("*")) == before
    assert of_git(repository, commit, "nowhere").refused == "holds no Python file in 'nowhere'."
    assert "cannot be read by git" in of_git(repository, "0" * 40).refused
    assert "which is no commit's or file's full id" in of_git(repository, "--help").refused
    assert "which is no commit's or file's full id" in of_git(repository, "main").refused


def test_the_settings_of_a_repository_are_not_even_read(repository):
    commit = git(repository, "rev-parse", "HEAD")
    (repository / ".git/config").write_text("[core\n")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "log")
    assert of_git(repository, commit).files == {"attention.py": CODE}
    assert commit_time(repository, f"assignments/{UNIT}") == datetime.fromisoformat(WHEN)


@pytest.mark.parametrize("packed", [False, True])
def test_the_time_is_that_of_the_last_commit_on_the_unit(repository, packed):
    when = datetime.fromisoformat(WHEN)
    first = git(repository, "rev-parse", "HEAD~1")
    (repository / "assignments" / UNIT / "masks.py").write_bytes(CODE)
    if packed:
        git(repository, "-c", "alias.log=", "pack-refs", "--all")
    with open_repository(repository) as data:
        assert data.head() == git(repository, "rev-parse", "HEAD")
        assert data.time(data.head()) == when
    assert commit_time(repository, f"assignments/{UNIT}") == when
    assert commit_time(repository, f"assignments/{UNIT}", first).tzinfo is UTC
    with pytest.raises(GitDataError, match="no commit with a usable time that touches a9"):
        commit_time(repository, "a9")


def test_the_commit_that_counts_is_the_one_that_touched_the_unit(tmp_path):
    git(tmp_path, "init", "-q")
    for day, name in ((20, UNIT), (22, "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_bytes(CODE)
        git(tmp_path, "add", ".")
        environment = {**os.environ, "GIT_COMMITTER_DATE": f"2026-11-{day}T00:00:00Z"}
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", name]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert commit_time(tmp_path, UNIT) == datetime(2026, 11, 20, tzinfo=UTC)
    assert commit_time(tmp_path, "") == datetime(2026, 11, 22, tzinfo=UTC)


def test_links_submodules_and_pointers_in_a_commit_are_refused(repository):
    folder = repository / "assignments" / UNIT
    cases = {
        "link.py": "holds a symbolic link in place of link.py.",
        "module.py": "holds a submodule in place of module.py.",
        "pointer.py": "holds an LFS pointer in place of pointer.py; commit the file itself.",
        "Attention.py": "holds Attention.py and attention.py, which differ in case or Unicode form only.",
        "folder.py": "holds a folder in place of folder.py.",
    }
    for name, refused in cases.items():
        if name == "module.py":
            head = git(repository, "rev-parse", "HEAD")
            git(
                repository, "update-index", "--add", "--cacheinfo", f"160000,{head},assignments/{UNIT}/{name}"
            )
        else:
            data = {
                "link.py": b"/etc/passwd",
                "pointer.py": b"version https://git-lfs.github.com/spec/v1\n",
            }.get(name, CODE)
            path = repository.parent / "content"
            path.write_bytes(data)
            blob = git(repository, "hash-object", "-w", "--no-filters", str(path))
            mode = "120000" if name == "link.py" else "100644"
            inside = "/x" if name == "folder.py" else ""
            where = f"{mode},{blob},assignments/{UNIT}/{name}{inside}"
            git(repository, "update-index", "--add", "--cacheinfo", where)
        tree = git(repository, "write-tree")
        commit = git(repository, "commit-tree", tree, "-m", name)
        assert of_git(repository, commit).refused == refused
        git(repository, "read-tree", "HEAD")
    assert folder.is_dir()


def test_objects_of_somebody_else_are_not_borrowed(repository, tmp_path):
    commit = git(repository, "rev-parse", "HEAD")
    thief = tmp_path / "thief"
    thief.mkdir()
    git(thief, "init", "-q")
    objects = thief / ".git/objects"
    (objects / "info").mkdir(exist_ok=True)
    (objects / "info/alternates").write_text(f"{repository}/.git/objects\n")
    assert of_git(thief, commit).refused == "takes its objects from another repository."
    (objects / "info/alternates").unlink()
    (objects / "aa").symlink_to(repository / ".git/objects" / commit[:2])
    assert "by a symbolic link" in of_git(thief, commit).refused
    (objects / "aa").unlink()
    assert "cannot be read by git" in of_git(thief, commit).refused
    assert of_git(tmp_path / "nothing", commit).refused == "is no git repository."


def test_a_shallow_clone_and_a_bare_one_are_read_too(repository, tmp_path):
    commit = git(repository, "rev-parse", "HEAD")
    for name, option in (("shallow", "--depth=1"), ("bare", "--bare")):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
        command = ["git", "-c", "uploadpack.packObjectsHook=", "clone", "-q", option]
        subprocess.run([*command, f"file://{repository}", tmp_path / name], env=environment, check=True)
        assert of_git(tmp_path / name, commit).files == {"attention.py": CODE}
        assert commit_time(tmp_path / name, f"assignments/{UNIT}").tzinfo is UTC
    (tmp_path / "marked").unlink(missing_ok=True)  # cloning is not ours: it may run what it likes


def test_the_newest_file_s_time(tmp_path):
    assert newest_file_time(tmp_path) is None
    (tmp_path / "link.py").symlink_to("/dev/null")
    for times in ((100, 300), (300, 100)):  # in whichever order the folder lists them
        for seconds, name in zip((*times, 900), ("a.py", "b.py", "notes.txt"), strict=True):
            (tmp_path / name).write_bytes(CODE)
            os.utime(tmp_path / name, (0, seconds))
        assert newest_file_time(tmp_path) == datetime.fromtimestamp(300, UTC)
