"""A course on disk: its units, their manifests, and the version that a score belongs to.

Read by every command, also on a student's machine, where `solutions/` is absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.rules import Rules
from autograder.toml_lists import read_toml

MANIFEST = "unit.toml"
DIAGNOSIS = "diagnosis.json"  # known mistakes, and what they answer
TOLD = frozenset({DIAGNOSIS, "mistakes.toml", "equivalents.toml", "device_bugs.toml"})
# The engine's parts that come after a score is known, or that measure checks.
AFTERWARDS = frozenset(
    "audit collect exports gradebook reports store git_data.py policy.py submission_time.py".split()
)
ENGINE = Path(__file__).parent  # the one that runs, which an installation may keep outside the course


class CourseError(Exception):
    """The course cannot be read or used as asked; the message is one sentence for people."""


class Parity(StrEnum):
    """What cases of an exercise's other checks are tried on, too; the value is the law as it is told."""

    GPU = "works on a GPU as on the CPU"
    DTYPES = "works in float64, float32 and bfloat16"

    @property
    def test(self) -> str:
        """The name of the test that checks it, as it stands in the id of a check."""
        where = "on_a_gpu_as_on_the_cpu" if self is Parity.GPU else "in_every_floating_dtype"
        return f"test_works_{where}"


@dataclass(frozen=True)
class Exercise:
    """One function or class to write; `minutes` is what a student should plan for it.

    One `by_hand` computes gradients with algebra: autograd is out of its reach. `forbidden` are the
    library names that it may not call, and other exercises may.
    """

    name: str
    module: str
    minutes: int
    by_hand: bool = False
    forbidden: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Unit:
    """One folder of the course.

    `modules` are the plain names of the files that are handed in, `forbidden` the dotted library
    names that these may not call, `preload` the libraries besides torch and numpy that they may import.
    Every exercise is also tried in the ways of `parities`. `hidden` is None where the course was released
    without solutions.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    forbidden: tuple[str, ...]
    preload: tuple[str, ...]
    parities: tuple[Parity, ...]
    exercises: tuple[Exercise, ...]
    public: Path
    hidden: Path | None

    @property
    def rules(self) -> Rules:
        """What a submission of this unit may not do."""
        by_hand = tuple(each.path for each in self.exercises if each.by_hand)
        return Rules(
            self.forbidden, by_hand, {each.path: each.forbidden for each in self.exercises if each.forbidden}
        )


@dataclass(frozen=True)
class Course:
    """The course whose `assignments/` lies in `root`."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The course that `start` (by default the working folder) lies in.

        Raises CourseError where neither `start` nor a folder above it holds `assignments/`.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "assignments").is_dir():
                return cls(folder)
        raise CourseError(f"{start} is in no course: neither it nor a folder above it holds assignments/.")

    @property
    def assignments(self) -> Path:
        return self.root / "assignments"

    @property
    def solutions(self) -> Path:
        """Where solutions would lie; there is no such folder in a released course."""
        return self.root / "solutions"

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Every unit by name; a folder of assignments/ without a manifest is no unit."""
        return tuple(self.unit(name) for name in self._unit_names())

    def unit(self, name: str) -> Unit:
        """The unit called `name`. Raises CourseError where there is none or its manifest is malformed."""
        if name not in self._unit_names():
            known = ", ".join(self._unit_names()) or "none yet"
            raise CourseError(f"there is no unit {name!r}; the units of this course are: {known}.")
        return _read_unit(self.assignments / name, self.solutions / name)

    def preload(self, units: Iterable[str]) -> tuple[str, ...]:
        """The libraries that submissions of these units may import besides torch and numpy."""
        return tuple(sorted({name for unit in units for name in self.unit(unit).preload}))

    @cached_property
    def version(self) -> str:
        """A sha256 over all that decides a score: as long as it stays the same, so does every score.

        It covers checks, cases, manifests, the hidden modules, the data, the engine and the
        constraints; not handouts, stubs, notebooks, mistakes and alternatives, which change what a
        student is told at most.
        """
        digest = hashlib.sha256()
        for name, path in self._deciding_files():
            content = path.read_bytes()
            # Lengths keep a file's end apart from the next one's name.
            digest.update(b"%d %d %b%b" % (len(name), len(content), name.encode(), content))
        return digest.hexdigest()

    def _unit_names(self) -> tuple[str, ...]:
        return tuple(sorted(manifest.parent.name for manifest in self.assignments.glob(f"*/{MANIFEST}")))

    def _deciding_files(self) -> Iterator[tuple[str, Path]]:
        """The files that decide a score, by names that do not depend on where the course lies."""
        for unit in self.units:
            without_effect = {"README.md", *TOLD, *(f"{module}.py" for module in unit.modules)}
            for path in course_files(unit.public):
                if path.name not in without_effect and path.suffix != ".ipynb":
                    yield path.relative_to(self.root).as_posix(), path
            hidden = self.solutions / unit.name  # yields nothing where it is absent
            for path in course_files(hidden):
                if path.name not in TOLD and path.relative_to(hidden).parts[0] != "alternatives":
                    yield path.relative_to(self.root).as_posix(), path
        for path in course_files(self.root / "data"):
            yield path.relative_to(self.root).as_posix(), path
        for path in course_files(ENGINE):
            if path.relative_to(ENGINE).parts[0] not in AFTERWARDS:
                yield f"autograder/{path.relative_to(ENGINE).as_posix()}", path
        constraints = self.root / "constraints.txt"
        if constraints.is_file():
            yield constraints.name, constraints


def course_files(folder: Path) -> list[Path]:
    """All files under `folder`, caches and hidden files aside, in the same order on every machine."""

    def belongs(path: Path) -> bool:
        parts = path.relative_to(folder).parts
        return path.is_file() and "__pycache__" not in parts and not any(part[0] == "." for part in parts)

    return sorted(filter(belongs, folder.rglob("*")), key=lambda path: path.relative_to(folder).parts)


def _read_unit(public: Path, hidden: Path) -> Unit:
    where = f"assignments/{public.name}/{MANIFEST}"
    table = read_toml(public / MANIFEST, where, CourseError)
    _reject_unknown(table, {"title", "modules", "forbidden", "preload", "parity", "exercise"}, where)
    modules = _names(table, "modules", where)
    if not modules:
        raise CourseError(f"{where}: 'modules' is empty; name the files that are handed in.")
    tables = table.get("exercise", [])
    if not isinstance(tables, list) or not all(isinstance(entry, dict) for entry in tables):
        raise CourseError(f"{where}: 'exercise' must be a list of tables, each headed [[exercise]].")
    exercises = tuple(
        _read_exercise(entry, modules, f"{where}: exercise {number}")
        for number, entry in enumerate(tables, 1)
    )
    _reject_repeated([exercise.name for exercise in exercises], f"{where}: exercise")
    return Unit(
        name=public.name,
        title=_text(table, "title", where),
        modules=modules,
        forbidden=_forbidden(table, where),
        preload=_names(table, "preload", where) if "preload" in table else (),
        parities=_parities(table, where),
        exercises=exercises,
        public=public,
        hidden=hidden if hidden.is_dir() else None,
    )


def _read_exercise(table: Mapping[str, Any], modules: tuple[str, ...], where: str) -> Exercise:
    _reject_unknown(table, {"name", "module", "minutes", "by_hand", "forbidden"}, where)
    name = _text(table, "name", where)
    if not name.isidentifier():
        raise CourseError(f"{where}: 'name' must be the function or class to write, not {name!r}.")
    module = _text(table, "module", where)
    if module not in modules:
        raise CourseError(
            f"{where}: module {module!r} is not one of the unit's modules ({', '.join(modules)})."
        )
    minutes = table.get("minutes")
    if type(minutes) is not int or minutes < 1:  # a TOML boolean is a Python int
        wrong = "is missing" if minutes is None else f"must be a whole number of at least 1, not {minutes!r}"
        raise CourseError(f"{where}: 'minutes' {wrong}.")
    return Exercise(name, module, minutes, _flag(table, "by_hand", where), _forbidden(table, where))


def _parities(table: Mapping[str, Any], where: str) -> tuple[Parity, ...]:
    names = _names(table, "parity", where) if "parity" in table else ()
    known = {parity.name.lower(): parity for parity in Parity}
    for name in names:
        if name not in known:
            raise CourseError(f"{where}: unknown parity {name!r}; known are {', '.join(known)}.")
    return tuple(known[name] for name in names)


def _flag(table: Mapping[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise CourseError(f"{where}: {key!r} must be true or false, not {value!r}.")
    return value


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        wrong = "is missing" if value is None else f"must be a text that is not empty, not {value!r}"
        raise CourseError(f"{where}: {key!r} {wrong}.")
    return value


def _forbidden(table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    return _names(table, "forbidden", where, dotted=True) if "forbidden" in table else ()


def _names(table: Mapping[str, Any], key: str, where: str, *, dotted: bool = False) -> tuple[str, ...]:
    values = table.get(key)
    if values is None:
        raise CourseError(f"{where}: {key!r} is missing.")
    if not isinstance(values, list):
        raise CourseError(f"{where}: {key!r} must be a list of names, not {values!r}.")
    for value in values:
        parts = value.split(".") if isinstance(value, str) else [""]
        if not all(part.isidentifier() for part in parts) or (len(parts) > 1) is not dotted:
            kind = "a dotted name such as 'torch.nn.LSTM'" if dotted else "a plain module name without '.py'"
            raise CourseError(f"{where}: {key!r} holds {value!r}, which is not {kind}.")
    _reject_repeated(values, f"{where}: {key!r}: name")
    return tuple(values)


def _reject_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in sorted(table.keys() - known):
        raise CourseError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}.")


def _reject_repeated(names: list[str], where: str) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise CourseError(f"{where} {name!r} is listed twice.")
