"""The student repository: what of the course is public, with stubs for solutions, after a search for leaks.

    assignments/     the units' handouts, manifests, checks, cases; stubs generated afresh
    autograder/      the engine that runs
    data/
    release/         everything in it, at the top: README.md (`<!-- units -->` becomes a table), workflows, …
    pyproject.toml, constraints.txt, LICENSE

Nothing else is copied, whatever lies in the course's folder. A marker file lists what was written, so that a
later release into the same folder replaces and removes exactly that, and nothing that somebody changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.course import ENGINE, Course, CourseError, Unit, course_files
from autograder.leaks import Leak, find_leaks
from autograder.stubs import stubs

MARKER = ".release.json"
UNITS_PLACEHOLDER = "<!-- units -->"
# The student repository has no tests of its own: a bare `pytest` there runs the assignments' checks.
COURSE_TESTPATHS, STUDENT_TESTPATHS = 'testpaths = ["tests"]', 'testpaths = ["assignments"]'
# A leftover (attention.py.orig, an archive of solutions) must be noticed, not released.
ASSIGNMENT_SUFFIXES = frozenset(
    ".csv .gif .ipynb .jpeg .jpg .json .md .npy .npz .pdf .png .py .safetensors .svg .toml .tsv .txt".split()
)
SHOWN = 10
NOT_OURS = b"\0 neither a released file nor a place for one"


class ReleaseError(CourseError):
    """The release was refused and nothing was written; the message says why."""


class LeakError(ReleaseError):
    """The release would have given something away."""

    def __init__(self, leaks: list[Leak]) -> None:
        self.leaks = leaks
        more = f"\n  and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
        shown = "".join(f"\n  {leak}" for leak in leaks[:SHOWN])
        super().__init__(f"nothing was released, it would give away what is hidden:{shown}{more}")


@dataclass(frozen=True)
class Report:
    """What a release did to `dest`; names are relative to it. `kept` are files that the course no longer
    releases and that somebody changed."""

    dest: Path
    version: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self) -> str:
        done = f"{len(self.added)} files added, {len(self.changed)} changed, {len(self.removed)} removed"
        kept = f"; left alone, for they were changed: {', '.join(self.kept)}" if self.kept else ""
        return f"released course {self.version[:12]} to {self.dest}: {done}{kept}."


def release(course: Course, dest: Path) -> Report:
    """Write the student repository to `dest`: a new or empty folder, or an earlier release.

    In an earlier release, files that are not the release's own stay as they are. Raises LeakError where
    something hidden would get out, ReleaseError where `dest` or the course does not fit; either way
    nothing is left behind.
    """
    dest = dest.resolve()
    _check_place(course.root.resolve(), dest)
    earlier = _read_marker(dest)
    files = _released_files(course)
    files[MARKER] = _marker(course, files)
    with tempfile.TemporaryDirectory(dir=dest.parent, prefix=f".{dest.name}.") as temporary:
        staged = Path(temporary) / dest.name
        for name, content in files.items():
            target = staged / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        leaks = find_leaks(course, staged)
        if leaks:
            raise LeakError(leaks)
        if dest.is_dir() and any(dest.iterdir()):
            return _update(dest, staged, files, earlier, course.version)
        if dest.is_dir():
            dest.rmdir()
        os.replace(staged, dest)
    return Report(dest, course.version, tuple(sorted(files)), (), (), ())


def _check_place(root: Path, dest: Path) -> None:
    if dest.is_relative_to(root) and dest.relative_to(root).parts[:1] != ("build",):
        raise ReleaseError(
            f"{dest} is inside the course itself; release to a folder outside, or under build/."
        )
    if not dest.parent.is_dir():
        raise ReleaseError(f"{dest} cannot be written: {dest.parent} is no folder.")
    if dest.exists() and not dest.is_dir():
        raise ReleaseError(f"{dest} is a file; name a folder.")
    # a new repository's clone, with nothing in it but .git, is as good as an empty folder
    entries = {path.name for path in dest.iterdir()} if dest.is_dir() else set()
    if entries - {".git"} and MARKER not in entries:
        raise ReleaseError(
            f"{dest} is not empty and no earlier release ({MARKER} is missing); name a new folder."
        )


def _released_files(course: Course) -> dict[str, bytes]:
    """Every file of the release by its name. Raises ReleaseError where the course does not fit."""
    files: dict[str, bytes] = {}
    for folder in (course.assignments, ENGINE, course.root / "data", course.root / "release"):
        _refuse_links(folder)
    for path in _assignment_files(course):
        files[path.relative_to(course.root).as_posix()] = path.read_bytes()
    for stub in stubs(course):
        files[stub.path.relative_to(course.root).as_posix()] = stub.source.encode()
    for path in course_files(ENGINE):
        files[f"autograder/{path.relative_to(ENGINE).as_posix()}"] = path.read_bytes()
    for path in course_files(course.root / "data"):
        files[path.relative_to(course.root).as_posix()] = path.read_bytes()
    for name in ("constraints.txt", "LICENSE"):
        if (course.root / name).exists():
            files[name] = _read_top(course, name)
    files["pyproject.toml"] = _replaced(
        _read_top(course, "pyproject.toml"), COURSE_TESTPATHS, STUDENT_TESTPATHS, "pyproject.toml"
    )
    for path in sorted((course.root / "release").rglob("*")):
        if path.is_file():
            files[path.relative_to(course.root / "release").as_posix()] = path.read_bytes()
    if "README.md" not in files:
        raise ReleaseError("release/README.md is missing: it is the student repository's front page.")
    files["README.md"] = _replaced(
        files["README.md"], UNITS_PLACEHOLDER, _units_table(course.units), "release/README.md"
    )
    return files


def _assignment_files(course: Course) -> Iterator[Path]:
    """What the units' folders and assignments/ itself hold; a folder without a manifest is not ready."""
    units = {unit.name for unit in course.units}
    for path in course_files(course.assignments):
        folders = path.relative_to(course.assignments).parts[:-1]
        if folders and folders[0] not in units:
            continue
        if path.suffix not in ASSIGNMENT_SUFFIXES:
            name = path.relative_to(course.root).as_posix()
            raise ReleaseError(
                f"{name} is no kind of file that is released; remove it, or give it a known suffix."
            )
        yield path


def _refuse_links(folder: Path) -> None:
    """A link would be released as what it leads to, a solution for instance."""
    if folder.is_symlink():
        raise ReleaseError(f"{folder} is a symbolic link; only real folders and files are released.")
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if Path(parent, name).is_symlink():
                raise ReleaseError(
                    f"{Path(parent, name)} is a symbolic link; only real folders and files are released."
                )


def _read_top(course: Course, name: str) -> bytes:
    path = course.root / name
    if path.is_symlink() or not path.is_file():
        raise ReleaseError(f"{path} is missing or no regular file, and a release needs it.")
    return path.read_bytes()


def _replaced(content: bytes, old: str, new: str, name: str) -> bytes:
    if content.count(old.encode()) != 1:
        raise ReleaseError(
            f"{name} must hold {old!r} exactly once: the release puts {new.split(chr(10))[0]!r} there."
        )
    return content.replace(old.encode(), new.encode())


def _units_table(units: tuple[Unit, ...]) -> str:
    rows = ["| unit | what it is about | exercises | time |", "| --- | --- | --- | --- |"]
    for unit in units:
        hours = max(1, round(sum(exercise.minutes for exercise in unit.exercises) / 30)) / 2
        link = f"[{unit.name}](assignments/{unit.name}/README.md)"
        rows.append(f"| {link} | {unit.title} | {len(unit.exercises)} | about {hours:g} h |")
    return "\n".join(rows)


def _marker(course: Course, files: dict[str, bytes]) -> bytes:
    document = {
        "note": "Written by `autograder release`: what it released, to know it again. Please leave it here.",
        "course": course.version,
        "files": {name: _digest(content) for name, content in sorted(files.items())},
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def _read_marker(dest: Path) -> dict[str, str]:
    """The files of the earlier release in `dest` and their digests; empty where there is none."""
    if not (dest / MARKER).is_file():
        return {}
    try:
        files = json.loads((dest / MARKER).read_bytes())["files"]
        paths = [PurePosixPath(name) for name in files]
        if any(path.is_absolute() or ".." in path.parts for path in paths):
            raise ValueError
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ReleaseError(
            f"{dest / MARKER} is damaged: which files are the release's own is not known; name a new folder."
        ) from None


def _update(
    dest: Path, staged: Path, files: dict[str, bytes], earlier: dict[str, str], version: str
) -> Report:
    """Bring an earlier release up to date. Nothing is touched where somebody else's file is in the way."""
    added: list[str] = []
    changed: list[str] = []
    in_the_way: list[str] = []
    for name, content in files.items():
        current = _content(dest, name)
        if current is None:
            added.append(name)
        elif current != content:
            # a release that was cut short has left new files, which equal `content`
            is_own = name == MARKER or _digest(current) == earlier.get(name)
            (changed if is_own else in_the_way).append(name)
    gone = [name for name in earlier if name not in files and _content(dest, name) is not None]
    removed = [name for name in gone if _digest(_content(dest, name) or b"") == earlier[name]]
    if in_the_way:
        shown = ", ".join(in_the_way[:SHOWN])
        raise ReleaseError(
            f"nothing was released: in {dest}, {shown} changed since the last release or was never "
            "in one; move or restore what stands there."
        )
    for name in [*added, *changed]:
        if name != MARKER:
            (dest / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged / name, dest / name)
    for name in removed:
        (dest / name).unlink()
        _remove_empty_folders((dest / name).parent, dest)
    os.replace(staged / MARKER, dest / MARKER)  # last: until then the earlier release's digests count
    kept = [name for name in gone if name not in removed]
    changed = [name for name in changed if name != MARKER]
    return Report(dest, version, tuple(added), tuple(changed), tuple(removed), tuple(kept))


def _content(dest: Path, name: str) -> bytes | None:
    """What stands in `dest` under this name; NOT_OURS where it, or a folder on the way, cannot be ours."""
    path = dest / name
    for folder in list(path.parents)[: len(PurePosixPath(name).parts) - 1]:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            return NOT_OURS
    if not os.path.lexists(path):
        return None
    return path.read_bytes() if path.is_file() and not path.is_symlink() else NOT_OURS


def _remove_empty_folders(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
