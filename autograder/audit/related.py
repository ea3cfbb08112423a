"""Which exercises use which: a mistake in one may cost points in those that are built on it, and in no other.

Told by names, in the solutions and in all that a check reaches in the course's files: whoever mentions what
another exercise defines uses it. That is more than what runs; what it leaves unrelated certainly is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autograder.audit.mutants import names_in
from autograder.audit.source import Definition, defined_names
from autograder.course import Course, Unit


def exercises_used(course: Course, unit: Unit) -> dict[str, set[str]]:
    """For each exercise those that it uses, itself among them, directly or over one another."""
    files = _Files(course)
    names = {exercise.name for exercise in unit.exercises}
    used: dict[str, set[str]] = {}
    for exercise in unit.exercises:
        solution = f"solutions.{unit.name}.{exercise.module}"
        mentioned = files.reached(solution, exercise.name, stop_at=names)
        for module, check in _checks(files, course, unit, exercise.name):
            mentioned |= files.reached(module, check)
        used[exercise.name] = (mentioned & names) | {exercise.name}
    while True:
        wider = {name: set().union(*(used[each] for each in direct)) for name, direct in used.items()}
        if wider == used:
            return used
        used = wider


@dataclass(frozen=True)
class _File:
    """A module of the course: what it defines, and what it imports from others."""

    tree: ast.Module

    @cached_property
    def definitions(self) -> dict[str, ast.stmt]:
        return {name: node for node in self.tree.body for name in defined_names(node)}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Each name that is imported, where from and what it is called there."""
        return {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }


class _Files:
    """The modules of a course by dotted name, read when they are needed."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._known: dict[str, _File | None] = {}

    def reached(self, module: str, name: str, stop_at: set[str] | None = None) -> set[str]:
        """All names that are mentioned in the definition of `name`, and in what that mentions in turn.

        What is mentioned of `stop_at` is not followed.
        """
        mentioned: set[str] = set()
        pending, seen = [(module, name)], {(module, name)}
        while pending:
            inside, each = pending.pop()
            file = self.get(inside)
            if file is None or each not in file.definitions:
                continue
            found = _mentioned(file.definitions[each])
            mentioned |= found
            for further in found - (stop_at or set()):
                for place in self._places(file, inside, further, found):
                    if place not in seen:
                        seen.add(place)
                        pending.append(place)
        return mentioned

    def get(self, module: str) -> _File | None:
        if module not in self._known:
            path = self._course.root.joinpath(*module.split(".")).with_suffix(".py")
            self._known[module] = _read(path)
        return self._known[module]

    def _places(self, file: _File, module: str, name: str, beside: set[str]) -> Iterator[tuple[str, str]]:
        """Where `name`, mentioned in a file together with the names `beside` it, may be defined."""
        if name in file.definitions:
            yield module, name
        if name in file.imports:
            origin, original = file.imports[name]
            package = module.rpartition(".")[0]
            yield origin, original
            yield f"{package}.{origin}", original  # solutions import one another without their package
        for alias in beside & file.imports.keys():  # cases.name
            origin, original = file.imports[alias]
            yield f"{origin}.{original}", name


def _checks(files: _Files, course: Course, unit: Unit, exercise: str) -> Iterator[tuple[str, str]]:
    """The checks of an exercise, as the names of modules and functions."""
    for folder in (unit.public, unit.hidden):
        for path in sorted(folder.glob("test_*.py")) if folder is not None else []:
            module = ".".join(path.relative_to(course.root).with_suffix("").parts)
            file = files.get(module)
            for name, node in file.definitions.items() if file is not None else ():
                if isinstance(node, Definition) and exercise in map(_marked_exercise, node.decorator_list):
                    yield module, name


def _marked_exercise(decorator: ast.expr) -> object:
    match decorator:
        case ast.Call(func=ast.Name(id="exercise"), args=[ast.Constant(value=name), *_]):
            return name
        case ast.Call(func=ast.Attribute(attr="exercise"), args=[ast.Constant(value=name), *_]):
            return name
    return None


def _mentioned(node: ast.AST) -> set[str]:
    found = names_in(node) | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    texts = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return found | {text for text in texts if isinstance(text, str) and text.isidentifier()}


def _read(path: Path) -> _File | None:
    try:
        return _File(ast.parse(path.read_text(encoding="utf-8")))
    except (OSError, SyntaxError):
        return None
