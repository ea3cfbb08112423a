"""A submission, read from disk as data: nothing of it is parsed, compiled or run here.

What is wrong with a file is one clear sentence that costs the exercises of that module and
nothing else. The same reader serves grading and a student's own machine.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import stat
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILE_BYTES = 1 << 20
MAX_TOTAL_BYTES = 2 << 20
MAX_FILES = 100
MAX_ENTRIES = 10_000
# What editors save as. Python knows more, and some decode a file of a megabyte in minutes (punycode).
ENCODINGS = frozenset(
    "utf-8 utf-8-sig ascii iso8859-1 iso8859-2 iso8859-5 iso8859-9 iso8859-15 cp1250 cp1251 cp1252 cp1254 "
    "koi8-r mac-roman gb2312 gbk gb18030 big5 shift_jis cp932 euc_jp euc_kr cp949".split()
)


@dataclass(frozen=True)
class Submission:
    """The Python sources of one student's folder for one unit.

    `sources` maps a module's plain name to its text, `problems` maps the modules that cannot be
    read to the sentence that says why, and `notes` holds what is worth saying but costs nothing.
    """

    student: str
    unit: str
    folder: Path
    sources: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """A sha256 over all that grading reads of it."""
        digest = hashlib.sha256()
        for kind, texts in (("source", self.sources), ("problem", self.problems)):
            for name, text in sorted(texts.items()):
                content = text.encode("utf-8", "surrogatepass")
                # Lengths keep a text's end apart from the next one's name.
                digest.update(f"{kind} {name} {len(content)} ".encode() + content)
        return digest.hexdigest()

    def path(self, module: str) -> str:
        """The file name that tracebacks show for `module`."""
        return str(self.folder / f"{module}.py")


class UnreadableSubmission(Exception):
    """The folder as a whole cannot be read; the message is one sentence for people."""


def read_submission(folder: Path, modules: Iterable[str], student: str, unit: str) -> Submission:
    """Read `folder`: the unit's own `modules` first, then the student's helper files.

    Raises UnreadableSubmission where the folder is missing, is no folder or is a symbolic link.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError as error:
        raise UnreadableSubmission(f"{folder.name}: {_reason(error)}.") from None
    if stat.S_ISLNK(mode):
        raise UnreadableSubmission(f"{folder.name} is a symbolic link; hand in the folder itself.")
    if not stat.S_ISDIR(mode):
        raise UnreadableSubmission(
            f"{folder.name} is a file; hand in a folder that holds the unit's modules."
        )

    sources: dict[str, str] = {}
    problems: dict[str, str] = {}
    modules = tuple(modules)
    helpers, notes = _helper_names(folder, modules)
    room = MAX_TOTAL_BYTES
    for module in (*modules, *helpers):
        file = f"{module}.py"
        try:
            text = _read_source(folder / file)
            room -= len(text)
            if room < 0:
                raise _BadSource(
                    f"is beyond the {MAX_TOTAL_BYTES >> 20} MiB that a whole submission may have."
                )
            sources[module] = text
        except FileNotFoundError:
            problems[module] = f"{file} is missing; hand it in under exactly this name."
        except _BadSource as error:
            problems[module] = f"{file} {error}"
    return Submission(student, unit, folder, sources, problems, notes)


class _BadSource(Exception):
    """Ends the sentence that begins with the file's name."""


def _read_source(path: Path) -> str:
    # O_NOFOLLOW and fstat on the open descriptor: the file that was checked is the file that is
    # read, whatever is done to the folder meanwhile. O_NONBLOCK: opening a named pipe must not wait.
    try:
        descriptor = os.open(path, os.O_RDONLY | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK"))
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink():
            raise _BadSource("is a symbolic link; hand in the file itself.") from None
        raise _BadSource(f"cannot be read ({_reason(error)}).") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _BadSource("is not a regular file; hand in a plain Python file.")
    with open(descriptor, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _BadSource(
            f"is larger than {MAX_FILE_BYTES >> 20} MiB ({status.st_size} bytes); hand in source code only."
        )
    if b"\0" in data:
        raise _BadSource(
            f"holds a null byte (at offset {data.index(0)}); it is a binary file, or was saved as UTF-16: "
            "save it as UTF-8."
        )
    try:
        encoding = _encoding(data)
        if codecs.lookup(encoding).name not in ENCODINGS:
            raise LookupError(encoding)
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except (SyntaxError, LookupError):
        raise _BadSource("declares or uses an unknown encoding; save it as UTF-8.") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _BadSource(f"is not valid {error.encoding} (line {line}); save it as UTF-8.") from None


def _encoding(data: bytes) -> str:
    """The encoding that a source declares, UTF-8 where it declares none."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError as error:
        if str(error).startswith("invalid or missing"):  # nothing declared, and the first lines are not UTF-8
            return "utf-8"
        raise


def _helper_names(folder: Path, modules: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
    names: list[str] = []
    notes: list[str] = []
    with os.scandir(folder) as entries:
        for seen, entry in enumerate(entries):
            if seen == MAX_ENTRIES:
                notes.append(f"more than {MAX_ENTRIES} files: no helper is looked for behind these.")
                break
            name, dot, suffix = entry.name.rpartition(".")
            if (
                dot
                and suffix == "py"
                and name.isidentifier()
                and name not in modules
                and not _belongs_to_course(name)
            ):
                names.append(name)
    names.sort()
    if len(names) > MAX_FILES:
        notes.append(
            f"{len(names)} helper files: only the first {MAX_FILES} in alphabetical order were read."
        )
        del names[MAX_FILES:]
    return names, tuple(notes)


def _belongs_to_course(name: str) -> bool:
    """Test files come from the course: a copy in the student's folder is never looked at."""
    return name.startswith("test_") or name == "conftest"


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))  # absent on Windows


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
