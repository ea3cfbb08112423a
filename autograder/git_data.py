"""A repository of somebody else, read as data: one commit's files and times, nothing checked out.

Git is never run in that repository. It runs in an empty one of our own that borrows its objects, so no
setting, hook, filter, attribute, replacement or remote of it is ever looked at, and what is missing is
never fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SECONDS = 30.0
_SHA = re.compile(r"[0-9a-f]{40}")
_MAX_OBJECT_FILES = 200_000


class GitDataError(Exception):
    """The repository cannot be read; the message ends the sentence that begins with what it is of."""


@dataclass(frozen=True)
class Entry:
    """What stands in a folder of a commit: git's mode ("100644", "120000" for a link), id and plain name."""

    mode: str
    id: str
    name: str


class GitData:
    """Reads one repository; `open_repository` makes it."""

    def __init__(self, own: Path, git_dir: Path) -> None:
        self._own = own
        self._git_dir = git_dir

    def head(self) -> str:
        """The commit that is checked out there. Raises GitDataError where there is none."""
        text = _text(self._git_dir / "HEAD")
        if text.startswith("ref: "):
            ref = text.removeprefix("ref: ")
            if not re.fullmatch(r"refs/heads/[^\s\\]+", ref) or ".." in ref:
                raise GitDataError("has a HEAD that names no branch.")
            loose = self._git_dir / ref
            text = _text(loose) if loose.exists() else self._packed(ref)
        return _sha(text)

    def time(self, commit: str, folder: str = "") -> datetime:
        """When the last commit that touched `folder`, up to `commit`, was made, by its committer's clock.

        Whoever made it set that clock. Raises GitDataError where there is no such commit.
        """
        where = ["--", folder] if folder else []
        told = self._run("log", "-1", "--format=%ct", _sha(commit), *where).decode().strip()
        try:
            return datetime.fromtimestamp(int(told), UTC)
        except (ValueError, OverflowError, OSError):
            touched = f" that touches {folder}" if folder else ""
            raise GitDataError(f"has no commit with a usable time{touched}.") from None

    def entries(self, commit: str, folder: str = "") -> list[Entry]:
        """What stands in a folder of a commit; nothing where there is no such folder."""
        where = [f"{folder.strip('/')}/"] if folder else []
        listed = self._run("ls-tree", "-z", "--full-tree", _sha(commit), "--", *where)
        found = []
        for line in listed.split(b"\0")[:-1]:
            what, _, path = line.partition(b"\t")
            mode, _, object_id = what.decode().split(" ")
            found.append(Entry(mode, object_id, os.fsdecode(path).rpartition("/")[2]))
        return found

    def blob(self, object_id: str, limit: int) -> bytes:
        """A file's content. Raises GitDataError where it has more than `limit` bytes."""
        return self._run("cat-file", "blob", _sha(object_id), limit=limit)

    def _packed(self, ref: str) -> str:
        packed = self._git_dir / "packed-refs"
        for line in _text(packed, 16 << 20).splitlines() if packed.exists() else []:
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
        raise GitDataError("has no commit yet.")

    def _run(self, *arguments: str, limit: int = 16 << 20) -> bytes:
        # nothing of the caller's environment, either: GIT_* variables change what git does
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._own),
            "LC_ALL": "C",
            "GIT_DIR": str(self._own),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LITERAL_PATHSPECS": "1",
        }
        command = ["git", "--no-pager", "--no-optional-locks", "--bare", "-c", "core.fsmonitor=false"]
        process = subprocess.Popen(
            [*command, "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=self._own,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            data = process.stdout.read(limit + 1)
            if len(data) > limit:
                process.kill()
        finally:
            process.stdout.close()
            status = process.wait()
            timer.cancel()
        if len(data) > limit:
            raise GitDataError(f"holds something larger than {limit} bytes.")
        if status != 0:
            slow = status == -9
            raise GitDataError(
                f"took git more than {SECONDS:g} s." if slow else f"cannot be read by git ({arguments[0]})."
            )
        return data


@contextmanager
def open_repository(repository: Path) -> Iterator[GitData]:
    """Reads `repository`: a bare one, or a folder with one in `.git`. Raises GitDataError where it is none,
    or takes its objects from elsewhere, as another student's repository."""
    repository = repository.absolute()
    git_dir = repository if (repository / "objects").is_dir() else repository / ".git"
    objects = git_dir / "objects"
    if git_dir.is_symlink() or not objects.is_dir():
        raise GitDataError("is no git repository.")
    _reject_borrowed(objects)
    if "\n" in str(objects):
        raise GitDataError("lies in a folder whose name holds a line break.")
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        for each in ("objects/info", "refs"):
            (own / each).mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/none\n")
        (own / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        (own / "objects/info/alternates").write_text(f"{objects}\n")
        shallow = git_dir / "shallow"  # where a history was cut off; git would miss what is before
        if shallow.exists():
            commits = _text(shallow, 16 << 20).split()
            (own / "shallow").write_text("".join(f"{_sha(commit)}\n" for commit in commits))
        yield GitData(own, git_dir)


def _reject_borrowed(objects: Path) -> None:
    seen = 0
    if objects.is_symlink() or (objects / "info/alternates").exists():
        raise GitDataError("takes its objects from another repository.")
    for folder, folders, files in os.walk(objects):
        seen += len(files)
        if any(os.path.islink(os.path.join(folder, name)) for name in (*folders, *files)):
            raise GitDataError("takes its objects from another repository (by a symbolic link).")
        if seen > _MAX_OBJECT_FILES:
            raise GitDataError(f"holds more than {_MAX_OBJECT_FILES} object files.")


def _text(path: Path, limit: int = 4096) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            return file.read(limit).decode().strip()
    except (OSError, ValueError):
        raise GitDataError(f"has no readable {path.name}.") from None


def _sha(text: str) -> str:
    if not _SHA.fullmatch(text):
        raise GitDataError(f"is asked for {text[:60]!r}, which is no commit's or file's full id (40 digits).")
    return text
