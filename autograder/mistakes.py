"""The wrong turns that students take: each a small edit of a solution, with a hint.

They stand in `solutions/<unit>/mistakes.toml`, one table each:

    [[mistake]]
    exercise = "scaled_dot_product_attention"
    name = "scaled by d instead of √d"
    old = "math.sqrt(q.shape[-1])"
    new = "q.shape[-1]"
    hint = "…"

A training bug that the threshold of a learning task must catch, with any seed, names that task:
`misses = "dates"`.

`old` stands exactly once between the solution markers of its exercise and is replaced there only, so
the same text in a docstring or in another exercise does no harm.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.course import CourseError
from autograder.stubs import solution_regions
from autograder.submission import Submission
from autograder.toml_lists import read_entries

REQUIRED = ("exercise", "name", "old", "new", "hint")
KEYS = (*REQUIRED, "misses")
BUG_KEYS = ("exercise", "name", "old", "new")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class MistakeError(CourseError):
    """An entry of a mistakes.toml cannot be used; the message is one sentence that says which and why."""


@dataclass(frozen=True)
class Mistake:
    """One wrong turn in `exercise`, which stands in `module`; its name is unique within the exercise.

    `misses` names the learning task whose threshold it fails to reach with any seed.
    """

    exercise: str
    name: str
    old: str
    new: str
    hint: str
    module: str
    misses: str | None = None


def load_mistakes(path: Path) -> list[Mistake]:
    """The mistakes of one unit in the file's order; the solution modules are those beside `path`.

    Raises MistakeError at the first entry that is malformed or does not apply to its solution.
    """
    return _load(path, "mistake", KEYS)


def load_device_bugs(path: Path) -> list[Mistake]:
    """What stands in `device_bugs.toml`: edits of the same form, headed [[bug]] and without a hint.

    They leave a solution right on the CPU and wrong on a GPU. None where there is no such file.
    """
    return _load(path, "bug", BUG_KEYS) if path.exists() else []


def _load(path: Path, heading: str, keys: tuple[str, ...]) -> list[Mistake]:
    where = "/".join(path.parts[-3:])
    table = read_entries(path, heading, where, MistakeError)
    sources = _solutions(path.parent)
    mistakes: list[Mistake] = []
    names: set[tuple[str, str]] = set()
    for number, entry in enumerate(table, 1):
        mistake = _read_mistake(entry, keys, sources, f"{where}: {heading} {number}")
        if (mistake.exercise, mistake.name) in names:
            raise MistakeError(
                f"{where}: {heading} {number}: {mistake.exercise!r} already has a {heading} {mistake.name!r}."
            )
        names.add((mistake.exercise, mistake.name))
        mistakes.append(mistake)
    return mistakes


def apply(mistake: Mistake, source: str) -> str:
    """The solution module `source` with the mistake made in it.

    Raises MistakeError where `source` lacks the exercise, where `old` does not stand exactly once in
    the exercise's solution, or where the result is not valid Python.
    """
    what = f"{mistake.exercise!r}: mistake {mistake.name!r}"
    spans = list(_solution_spans(source, mistake))
    found = sum(source.count(mistake.old, begin, end) for begin, end in spans)
    if found != 1:
        times = "does not occur" if found == 0 else f"occurs {found} times, not once,"
        raise MistakeError(f"{what}: its 'old' {times} in the exercise's solution: {mistake.old!r}.")
    at = max(source.find(mistake.old, begin, end) for begin, end in spans)
    changed = source[:at] + mistake.new + source[at + len(mistake.old) :]
    try:
        ast.parse(changed)
    except SyntaxError as error:
        raise MistakeError(
            f"{what}: the changed solution is not valid Python (line {error.lineno}: {error.msg})."
        ) from None
    return changed


def mistaken(solution: Submission, mistake: Mistake) -> Submission:
    """The unit's solution with the mistake made in it."""
    wrong = apply(mistake, solution.sources[mistake.module])
    return replace(solution, sources={**solution.sources, mistake.module: wrong})


def _solution_spans(source: str, mistake: Mistake) -> Iterator[tuple[int, int]]:
    """Where in `source` the marked regions of the mistake's exercise begin and end."""
    definition = _definitions(source).get(mistake.exercise)
    if definition is None:
        raise MistakeError(f"{mistake.exercise!r}: {mistake.module}.py does not define it at its top level.")
    lines = source.split("\n")
    for first, region in solution_regions(source, f"{mistake.module}.py"):
        # The BEGIN marker, in the line before, is inside the definition; END, a comment, may lie behind it.
        if definition.lineno < first <= (definition.end_lineno or 0):
            begin = sum(len(line) + 1 for line in lines[: first - 1])
            yield begin, begin + len("\n".join(region))


def _definitions(source: str) -> dict[str, Definition]:
    return {node.name: node for node in ast.parse(source).body if isinstance(node, Definition)}


def _solutions(folder: Path) -> dict[str, str]:
    """The sources of the unit's solution modules, by module name; checks are none."""
    return {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.py"))
        if not path.name.startswith("test_")
    }


def _read_mistake(
    entry: Mapping[str, Any], keys: tuple[str, ...], sources: Mapping[str, str], where: str
) -> Mistake:
    for key in sorted(entry.keys() - set(keys)):
        raise MistakeError(f"{where}: unknown key {key!r}; known are {', '.join(keys)}.")
    texts: dict[str, str] = {"hint": ""}
    for key in keys:
        value = entry.get(key)
        if value is None and key not in REQUIRED:
            continue
        if value is None:
            raise MistakeError(f"{where}: {key!r} is missing.")
        if not isinstance(value, str):
            raise MistakeError(f"{where}: {key!r} must be a text, not {value!r}.")
        if not value.strip() and key != "new":  # an empty `new` is a forgotten line
            raise MistakeError(f"{where}: {key!r} is empty.")
        texts[key] = value
    if texts["old"] == texts["new"]:
        raise MistakeError(f"{where}: 'old' and 'new' are the same, so nothing would change.")
    modules = [module for module, source in sources.items() if texts["exercise"] in _definitions(source)]
    if not modules:
        raise MistakeError(f"{where}: there is no exercise {texts['exercise']!r} in the solutions beside it.")
    mistake = Mistake(**texts, module=modules[0])
    try:
        apply(mistake, sources[mistake.module])
    except MistakeError as error:
        raise MistakeError(f"{where}: {error}") from None
    return mistake
