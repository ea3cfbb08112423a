"""The search for secrets in a folder that is about to be released.

Every file is looked into, whatever it is called and however it is packed (`autograder.contents`), for
every secret (`autograder.hidden`). Links, hidden file names and what cannot be searched count as leaks.
Images, and PDF files with compressed pages, are searched as they are: what is written in them is not read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.contents import Opaque, contents
from autograder.course import Course, course_files
from autograder.hidden import Secret, secrets_of
from autograder.squeezed import Finder, Squeezed
from autograder.stubs import BEGIN, END

MARKER_LINE = re.compile(rf"^[ \t]*(?:{BEGIN}|{END})\s*$", re.MULTILINE)
HIDDEN_NAMES = frozenset(
    {"solutions", "alternatives", "mistakes.toml", "equivalents.toml", "device_bugs.toml", "oracles.py"}
)


@dataclass(frozen=True, order=True)
class Leak:
    """Something that must not be released: in `path`, at `line` (0: the file as a whole)."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


def find_leaks(course: Course, tree: Path) -> list[Leak]:
    """Everything in the folder `tree` that gives away what is under the course's solutions/.

    Raises CourseError where the course holds no solutions.
    """
    secrets = secrets_of(course)
    finder = Finder(secrets)
    copies = _digests(course)
    leaks: set[Leak] = set()
    for path in _entries(tree):
        name = path.relative_to(tree).as_posix()
        leaks.update(_name_leaks(name))
        if path.is_symlink():
            leaks.add(Leak(name, 0, "is a symbolic link, which may lead anywhere."))
        elif path.is_file():
            leaks.update(_file_leaks(name, path.read_bytes(), secrets, finder, copies))
    return sorted(leaks)


def _entries(tree: Path) -> Iterator[Path]:
    # rglob would follow links to folders in some versions of Python; this never does.
    for folder, subfolders, files in os.walk(tree):
        for entry in (*subfolders, *files):
            yield Path(folder, entry)


def _file_leaks(
    name: str, data: bytes, secrets: dict[str, Secret], finder: Finder, copies: dict[str, str]
) -> Iterator[Leak]:
    original = copies.get(hashlib.sha256(data).hexdigest())
    if original is not None:
        yield Leak(name, 0, f"is a copy of {original}.")
    for part in contents(name, data):
        if part.name != name:
            yield from _name_leaks(part.name)
        if isinstance(part, Opaque):
            yield Leak(part.name, 0, part.reason)
            continue
        for marker in MARKER_LINE.finditer(part.text):
            line = part.text.count("\n", 0, marker.start()) + 1
            yield Leak(part.name, line, f"holds a solution that is not cleared: {marker.group().strip()}")
        squeezed = Squeezed(part.text)
        for position, found in finder.find(squeezed.text):
            secret = secrets[found]
            what = f"gives away {secret.kind} ({secret.source}): {secret.shown}"
            yield Leak(part.name, squeezed.line(position), what)


def _name_leaks(name: str) -> Iterator[Leak]:
    hidden = HIDDEN_NAMES.intersection(name.replace("!", "/").split("/"))
    if hidden:
        yield Leak(name, 0, f"has a name that stands for what is hidden: {', '.join(sorted(hidden))}.")


def _digests(course: Course) -> dict[str, str]:
    """The hidden files that are no source code, by sha256: code is compared line by line."""
    files = [path for path in course_files(course.solutions) if path.suffix != ".py"]
    return {
        hashlib.sha256(data).hexdigest(): path.relative_to(course.root).as_posix()
        for path in files
        if (data := path.read_bytes()).strip()
    }
