"""What learning platforms and git deliver: one Python submission a student, or why there is none.

`students` maps the number that a platform gives each student to the name of the student's folder; who is
not in it is refused by the name that the platform shows. Without it (None) that name and number are used.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autograder.collect.archives import (
    ARCHIVES,
    BROKEN,
    checked_zip_entry,
    read_archive,
    read_file,
    read_folder,
)
from autograder.collect.members import Limits, Members, Refused, sources_of
from autograder.git_data import GitDataError, open_repository
from autograder.printable import printable
from autograder.submission import MAX_FILES

LIMITS = Limits()
MAX_DOWNLOAD_BYTES = 4 << 30  # a class's submissions in one zip
_CANVAS = re.compile(r"(?P<name>[^_/]+?)(?:_LATE)?_(?P<id>\d+)_\d+_(?P<file>[^/]+)", re.ASCII | re.DOTALL)
_AGAIN = re.compile(r"-\d+(?=\.py$)", re.ASCII)  # Canvas numbers files that are handed in again
_MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<id>\d+)_assignsubmission_[a-z]+_?/(?P<file>.+)", re.DOTALL)
_LFS = b"version https://git-lfs.github.com/spec/"


class CollectError(Exception):
    """Nothing can be collected so; the message is one sentence for people."""


@dataclass(frozen=True)
class Delivery:
    """One student's Python files by plain name, or the reason why there are none (it ends a sentence)."""

    student: str
    files: Mapping[str, bytes]
    refused: str = ""


def canvas_deliveries(
    download: Path, unit: str, students: Mapping[str, str] | None = None, limits: Limits = LIMITS
) -> Iterator[Delivery]:
    """The zip that Canvas makes of all submissions of an assignment, members named like
    `lovelaceada_LATE_123_456_a3.zip` (user, submission). Raises CollectError where it is no readable zip."""
    return _from_zip(download, _CANVAS, unit, students, limits)


def moodle_deliveries(
    download: Path, unit: str, students: Mapping[str, str] | None = None, limits: Limits = LIMITS
) -> Iterator[Delivery]:
    """The zip that Moodle makes of all submissions, or the folder that it was unpacked to, with folders
    named like `Ada Lovelace_123_assignsubmission_file_`. Raises CollectError where it cannot be read."""
    if not download.is_dir():
        yield from _from_zip(download, _MOODLE, unit, students, limits)
        return
    for folder in sorted(download.iterdir()):
        match = _MOODLE.fullmatch(f"{folder.name}/-")
        if match is None:
            yield Delivery(folder.name, {}, "is not named as Moodle names a submission's folder.")
            continue
        student, refused = _student(match, students)
        if refused:
            yield Delivery(student, {}, refused)
        else:
            yield _delivery(student, partial(_of_folder, folder, unit, limits))


def roster_deliveries(roster: Path, unit: str, limits: Limits = LIMITS) -> Iterator[Delivery]:
    """The archives or Python files that a CSV file `student,file` names, by paths from where it lies.

    Raises CollectError where it cannot be read, lacks a column or names a student twice.
    """
    for row in _rows(roster, ("student", "file")):
        yield _delivery(row["student"], partial(_of_file, roster.parent / row["file"], unit, limits))


def git_deliveries(roster: Path, unit: str, limits: Limits = LIMITS) -> Iterator[Delivery]:
    """One commit of each local repository that a CSV file `student,repository,commit[,folder]` names.

    Without a folder, `assignments/<unit>` or `<unit>` of the commit is read: its Python files as they were
    committed, with no filter. Links, submodules and LFS pointers are refused. Raises CollectError as
    `roster_deliveries` does.
    """
    for row in _rows(roster, ("student", "repository", "commit")):
        folders = (row["folder"],) if row.get("folder") else (f"assignments/{unit}", unit)
        repository, commit = roster.parent / row["repository"], row["commit"]
        yield _delivery(row["student"], partial(_of_commit, repository, commit, folders, limits))


def _from_zip(
    download: Path,
    pattern: re.Pattern[str],
    unit: str,
    students: Mapping[str, str] | None,
    limits: Limits,
) -> Iterator[Delivery]:
    try:
        if download.stat().st_size > MAX_DOWNLOAD_BYTES:
            raise CollectError(f"{download} is larger than {MAX_DOWNLOAD_BYTES} bytes; split it.")
        with zipfile.ZipFile(download) as archive:
            entries: dict[tuple[str, str], list[tuple[str, zipfile.ZipInfo]]] = {}
            for info in archive.infolist():
                if info.is_dir():
                    continue
                match = pattern.fullmatch(info.orig_filename)
                if match is None:
                    name = printable(info.orig_filename, keep="")
                    yield Delivery(name, {}, "is not named as a submission in such a download is.")
                    continue
                entries.setdefault(_student(match, students), []).append((match["file"], info))
            for (student, refused), files in sorted(entries.items(), key=lambda item: item[0]):
                if refused:
                    yield Delivery(student, {}, refused)
                else:
                    yield _delivery(student, partial(_of_entries, archive, files, unit, limits))
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CollectError(f"{download} cannot be read as a zip ({error}).") from None


def _student(match: re.Match[str], students: Mapping[str, str] | None) -> tuple[str, str]:
    """The student that a download's name is of, and why nothing can be taken, if so."""
    told = f"{match['name']}_{match['id']}"
    if students is None:
        return told, ""
    known = students.get(match["id"])
    return (known, "") if known is not None else (told, f"is not in the roster (number {match['id']}).")


def _delivery(student: str, read: Callable[[], Mapping[str, bytes]]) -> Delivery:
    try:
        files = read()
        if len(files) > MAX_FILES:
            raise Refused(f"holds more than {MAX_FILES} Python files.")
        for name, data in files.items():
            if data.startswith(_LFS):
                raise Refused(f"holds an LFS pointer in place of {printable(name)}; commit the file itself.")
    except (Refused, GitDataError) as error:
        return Delivery(student, {}, str(error))
    except OSError as error:
        return Delivery(student, {}, f"cannot be read ({(error.strerror or str(error)).lower()}).")
    return Delivery(student, files)


def _of_entries(
    archive: zipfile.ZipFile, entries: list[tuple[str, zipfile.ZipInfo]], unit: str, limits: Limits
) -> Mapping[str, bytes]:
    """What one student handed in: files, or archives of files, but no archives within those."""
    members, unpacked = Members(limits), []
    try:
        for given, info in entries:
            name = _AGAIN.sub("", members.enter(given))
            checked_zip_entry(info)
            with archive.open(info) as content:
                if name.lower().endswith(ARCHIVES):
                    data = content.read(limits.total_bytes + 1)
                    if len(data) > limits.total_bytes:
                        raise Refused(f"is larger than {limits.total_bytes} bytes.")
                    unpacked.append(read_archive(data, limits))
                else:
                    members.add(name, content)
    except BROKEN as error:
        raise Refused(f"is broken in the download ({type(error).__name__}).") from None
    files: dict[str, bytes] = {}
    for part in (members.files, *unpacked):
        for name, content_ in part.items():
            if name in files:
                raise Refused(f"holds {printable(name)} twice.")
            files[name] = content_
    return sources_of(files, unit)


def _of_folder(folder: Path, unit: str, limits: Limits) -> Mapping[str, bytes]:
    if folder.is_symlink() or not folder.is_dir():
        raise Refused("is no folder.")
    inside = [path for path in folder.iterdir() if path.name.lower().endswith(ARCHIVES)]
    if len(inside) == 1 and len(list(folder.iterdir())) == 1:
        return _of_file(inside[0], unit, limits)
    return sources_of(read_folder(folder, limits), unit)


def _of_file(path: Path, unit: str, limits: Limits) -> Mapping[str, bytes]:
    if path.suffix == ".py":
        return {path.name: read_file(path)}
    return sources_of(read_archive(read_file(path), limits), unit)


def _of_commit(
    repository: Path, commit: str, folders: tuple[str, ...], limits: Limits
) -> Mapping[str, bytes]:
    with open_repository(repository) as data:
        for folder in folders:
            entries = [each for each in data.entries(commit, folder) if each.name.endswith(".py")]
            if entries:
                break
        else:
            raise Refused(f"holds no Python file in {' or '.join(map(repr, folders))}.")
        members = Members(limits)
        for entry in entries[: limits.members + 1]:
            name = members.enter(entry.name)
            if entry.mode not in ("100644", "100755"):
                kind = {"120000": "a symbolic link", "160000": "a submodule"}.get(entry.mode, "a folder")
                raise Refused(f"holds {kind} in place of {printable(name)}.")
            members.add(name, io.BytesIO(data.blob(entry.id, limits.total_bytes)))
    return members.files


def _rows(roster: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with open(roster, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CollectError(f"{roster} cannot be read as CSV ({error}).") from None
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise CollectError(f"{roster} has no column {column!r}; it needs {', '.join(columns)}.")
    seen = set()
    for number, row in enumerate(rows, 1):
        if None in row or any(not row[column] for column in columns):
            raise CollectError(f"{roster}: row {number} lacks {' or '.join(columns)}, or has cells too many.")
        if row["student"] in seen:
            raise CollectError(f"{roster} names the student {row['student']!r} twice.")
        seen.add(row["student"])
    return rows
