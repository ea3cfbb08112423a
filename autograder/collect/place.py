"""Deliveries laid down as `submitted/<student>/<unit>/*.py`, each wholly or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.collect.deliveries import CollectError, Delivery
from autograder.collect.members import Refused
from autograder.printable import printable

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@dataclass
class Collected:
    """Students whose files were laid down, whose older ones were left, and a sentence for each refused."""

    placed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def collect(deliveries: Iterable[Delivery], submitted: Path, unit: str, *, replace: bool = True) -> Collected:
    """Lay each delivery into `submitted`; one that is refused costs nobody else anything.

    A submission that is there is replaced whole, or left where `replace` is False or the new one is
    refused. Raises CollectError where `submitted` cannot be written.
    """
    if problem := _bad_component(unit):
        raise CollectError(f"the unit's name {unit!r} {problem}")
    found = Collected()
    seen: dict[str, str] = {}
    for delivery in deliveries:
        student = delivery.student
        shown = printable(student, keep="")
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", student).casefold())
        problem = delivery.refused or _bad_component(student)
        if not problem and key in seen:
            same = (
                "comes twice" if seen[key] == student else f"is also written {printable(seen[key], keep='')}"
            )
            problem = f"{same}; only the first is taken."
        if problem:
            found.refused.append(f"{shown} {problem}")
            continue
        seen[key] = student
        target = submitted / student / unit
        try:
            if target.exists() and not replace:
                found.kept.append(student)
                continue
            _place(target, delivery.files)
            found.placed.append(student)
        except Refused as error:
            found.refused.append(f"{shown} {error}")
        except OSError as error:
            raise CollectError(f"{target} cannot be written ({error.strerror or error}).") from None
    return found


def _place(target: Path, files: Mapping[str, bytes]) -> None:
    for path in (target.parent, target):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise Refused(f"has something else than a folder at {path.name}; move it away.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # a name with a dot is passed over by whoever grades meanwhile
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, data in files.items():
            descriptor = os.open(new / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with open(descriptor, "wb") as file:
                file.write(data)
                os.fchmod(descriptor, 0o644)  # whatever the umask is
                file.flush()
                os.fsync(descriptor)
        os.chmod(new, 0o755)
        if target.exists():
            _exchange(new, target)
        else:
            os.rename(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _exchange(new: Path, target: Path) -> None:
    """Give two folders each other's name: in one step where the system can, else in three."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        rename = None
    if rename is not None:
        names = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target))
        if rename(*names, _RENAME_EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EINVAL):  # the kernel or the file system has no such thing
            raise OSError(number, os.strerror(number), str(target))
    aside = new.with_name(f"{new.name}.old")
    os.rename(target, aside)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(aside, target)
        raise
    os.rename(aside, new)


def _bad_component(name: str) -> str:
    """Why a name is none for a folder here, or nothing."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable():
        return (
            "is no name for a folder: it is empty, begins with a dot or holds slashes or control characters."
        )
    if len(name.encode()) > 200:
        return "is too long a name for a folder."
    return ""
