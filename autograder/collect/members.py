"""What an archive or a folder of somebody else may hold, and how much of it is read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO

from autograder.printable import printable

_DRIVE = re.compile(r"[A-Za-z]:")
_ARCHIVES = tuple(".zip .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst .lzma .lz4 .7z .rar .jar .whl .egg".split())
_CHUNK = 1 << 16
_FREE_OF_RATIO = 1 << 20  # bytes: a short file of blanks is no bomb


class Refused(Exception):
    """A submission is not taken; the message ends the sentence that begins with the student's name."""


@dataclass(frozen=True)
class Limits:
    """What one submission may unpack to: members, bytes in all, and times the size of its archive."""

    members: int = 2000
    total_bytes: int = 32 << 20
    ratio: float = 100.0


@dataclass
class Members:
    """The files read of one submission, by path. Only Python files are kept; all are measured.

    `packed` is the size of the archive in bytes, None where nothing is packed.
    """

    limits: Limits
    packed: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)
    _count: int = 0
    _bytes: int = 0

    def enter(self, name: str) -> str:
        """The name of a member, folder or file, made plain; Refused where it is unsafe or one too many."""
        self._count += 1
        if self._count > self.limits.members:
            raise Refused(f"holds more than {self.limits.members} files and folders.")
        return safe_name(name)

    def add(self, name: str, file: IO[bytes]) -> None:
        """Read a file whose name `enter` gave; what it unpacks to is counted, whatever a header says."""
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in self._seen:
            other = self._seen[key]
            if other == name:
                raise Refused(f"holds {_shown(name)} twice.")
            raise Refused(
                f"holds {_shown(other)} and {_shown(name)}, which differ in case or Unicode form only."
            )
        self._seen[key] = name
        if name.lower().endswith(_ARCHIVES):
            raise Refused(f"holds another archive ({_shown(name)}); hand in the files themselves.")
        chunks = []
        while chunk := file.read(_CHUNK):
            self._bytes += len(chunk)
            if self._bytes > self.limits.total_bytes:
                raise Refused(f"unpacks to more than {self.limits.total_bytes} bytes.")
            if self.packed is not None and self._bytes > _FREE_OF_RATIO + self.limits.ratio * self.packed:
                raise Refused(f"unpacks to more than {self.limits.ratio:g} times its size.")
            if name.endswith(".py"):
                chunks.append(chunk)
        if name.endswith(".py"):
            self.files[name] = b"".join(chunks)


def safe_name(name: str) -> str:
    """A member's path below the folder that it is unpacked in; Refused where it could lead elsewhere."""
    if "\\" in name:
        raise Refused(f"holds a name with a backslash ({_shown(name)}).")
    if name.startswith("/"):
        raise Refused(f"holds an absolute path ({_shown(name)}).")
    if _DRIVE.match(name):
        raise Refused(f"holds a path with a drive letter ({_shown(name)}).")
    if ".." in name.split("/"):
        raise Refused(f"holds a path that leads out of it ({_shown(name)}).")
    if not name.isprintable():  # control characters, and what is not valid UTF-8
        raise Refused(f"holds a name with control characters or broken text ({_shown(name)}).")
    return PurePosixPath(name).as_posix()


def sources_of(files: dict[str, bytes], unit: str) -> dict[str, bytes]:
    """The Python files of a submission, by plain name: those of the folder that is named like the unit, or
    else of the uppermost folder that has any.

    Refused where there are none, or two such folders.
    """
    folders: dict[PurePosixPath, dict[str, bytes]] = {}
    for name, data in files.items():
        path = PurePosixPath(name)
        if "__MACOSX" not in path.parts and not any(part.startswith(".") for part in path.parts):
            folders.setdefault(path.parent, {})[path.name] = data
    of_unit = [folder for folder in folders if folder.name == unit] or list(folders)
    if not of_unit:
        raise Refused("holds no Python file.")
    depth = min(len(folder.parts) for folder in of_unit)
    uppermost = sorted(folder for folder in of_unit if len(folder.parts) == depth)
    if len(uppermost) > 1:
        listed = ", ".join(_shown(str(folder)) for folder in uppermost[:5])
        raise Refused(f"holds Python files in several folders ({listed}); name the right one {unit}.")
    return folders[uppermost[0]]


def _shown(name: str) -> str:
    name = printable(name, keep="")
    return name if len(name) <= 100 else f"{name[:100]}…"
