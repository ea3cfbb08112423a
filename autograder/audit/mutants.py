"""The mechanical mutants of a unit's solutions: each one small change that a student might have made.

Only marked code is changed: each exercise's own, and that of the private functions and classes beside it,
which belong to the first exercise that names them, directly or over one another.
"""

from __future__ import annotations

import ast
import hashlib
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

from autograder.audit import calls, expressions, statements
from autograder.audit.source import Edit, Source
from autograder.course import Unit

Operator = Callable[[ast.AST, Source], Iterator[Edit]]

# The first that makes a change gives it its name.
OPERATORS: dict[str, Operator] = {
    "arithmetic": expressions.arithmetic,
    "factors swapped": expressions.factors_swapped,
    "comparison": expressions.comparison,
    "range shortened": expressions.range_shortened,
    "and, or, not": expressions.boolean,
    "mask inverted": expressions.mask_inverted,
    "another dimension": calls.another_dimension,
    "arguments swapped": calls.arguments_swapped,
    "keyword dropped": calls.keyword_dropped,
    "transpose dropped": calls.transpose_dropped,
    "another reduction": calls.another_reduction,
    "another function": calls.another_function,
    "function dropped": calls.function_dropped,
    "dtype fixed": calls.dtype_fixed,
    "detach dropped": calls.detach_dropped,
    "slice widened": expressions.slice_widened,
    "index": expressions.index,
    "constant": expressions.constant,
    "sign dropped": expressions.sign_dropped,
    "statement deleted": statements.statement_deleted,
    "condition forced": statements.condition_forced,
    "branches swapped": statements.branches_swapped,
    "detach inserted": statements.detach_inserted,
}


@dataclass(frozen=True)
class Mutant:
    """A change of the solution of `exercise`: `source` is the text of `module` with it.

    `before` and `after` are the lines that change, `number` counts those of an exercise that read the same.
    """

    exercise: str
    module: str
    operator: str
    before: str
    after: str
    number: int
    source: str

    @property
    def id(self) -> str:
        """The same as long as these lines are, wherever in the file they stand."""
        return f"{self.exercise} | {self.operator} | {self.before} | {self.after} | {self.number}"

    @property
    def order(self) -> str:
        """By which a sample is taken: as good as random, and the same in every run."""
        return hashlib.sha256(self.id.encode()).hexdigest()


def mutants(unit: Unit, sources: Mapping[str, str]) -> list[Mutant]:
    """Every mutant of the unit's solution modules, by exercise in the unit's order, then as the text goes."""
    modules = {name: Source(name, sources[name]) for name in unit.modules}
    owned = _definitions_of_exercises(unit, modules)
    by_hand = {exercise.name for exercise in unit.exercises if exercise.by_hand}
    made: list[Mutant] = []
    for exercise in unit.exercises:
        counts: Counter[tuple[str, str, str]] = Counter()
        for source, definition in owned[exercise.name]:
            begin, end = source.span(definition)
            seen = {ast.dump(ast.parse(source.text[begin:end]))}
            for operator, edit in _edits(source, definition, by_hand=exercise.name in by_hand):
                text = source.edited(edit)
                grown = len(text) - len(source.text)
                try:
                    syntax = ast.dump(ast.parse(text[begin : end + grown]))
                except SyntaxError:  # a formula that was held together by what is gone
                    continue
                if syntax in seen:
                    continue
                seen.add(syntax)
                before, after = changed_lines(source.text, text)
                lines = operator, before, after
                counts[lines] += 1
                made.append(Mutant(exercise.name, source.module, *lines, counts[lines], text))
    return made


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """The lines that differ, without their indentation."""
    old, new = before.split("\n"), after.split("\n")
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    tail = next(
        (
            i
            for i, (a, b) in enumerate(zip(reversed(old[same:]), reversed(new[same:]), strict=False))
            if a != b
        ),
        min(len(old), len(new)) - same,
    )
    sides = ("\n".join(lines[same : len(lines) - tail]) for lines in (old, new))
    first, second = (textwrap.dedent(side).strip() for side in sides)
    return first, second


def diff(before: str, after: str, name: str) -> str:
    """The change as a unified diff, with a line of context."""
    lines = unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=1)
    return "\n".join(lines)


def _edits(source: Source, definition: ast.stmt, *, by_hand: bool) -> Iterator[tuple[str, Edit]]:
    for node in source.marked(definition):
        for name, operator in OPERATORS.items():
            # what may not use autograd has no graph to be cut from
            if not (by_hand and name.startswith("detach")):
                for edit in operator(node, source):
                    yield name, edit


def _definitions_of_exercises(
    unit: Unit, modules: Mapping[str, Source]
) -> dict[str, list[tuple[Source, ast.stmt]]]:
    """Each exercise's own definition, and those of the helpers that it is the first to name."""
    names = {exercise.name for exercise in unit.exercises}
    order = sorted(unit.exercises, key=lambda exercise: unit.modules.index(exercise.module))
    owned: dict[str, list[tuple[Source, ast.stmt]]] = {exercise.name: [] for exercise in unit.exercises}
    taken: set[tuple[str, str]] = set()
    for exercise in order:
        pending = [(exercise.module, exercise.name)]
        while pending:
            module, name = pending.pop(0)
            found = _find(modules, module, name)
            if found is None or found in taken or (name in names and name != exercise.name):
                continue
            taken.add(found)
            source = modules[found[0]]
            definition = source.statements[name]
            owned[exercise.name].append((source, definition))
            pending += [(found[0], each) for each in sorted(names_in(definition))]
    return owned


def names_in(node: ast.AST) -> set[str]:
    """Every name and attribute that is mentioned there."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _find(modules: Mapping[str, Source], module: str, name: str) -> tuple[str, str] | None:
    """Where `name`, met in `module`, is defined: there, or in the one it is imported from."""
    if name in modules[module].statements:
        return module, name
    for node in modules[module].tree.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module in modules:
            for alias in node.names:
                if (alias.asname or alias.name) == name and name in modules[node.module].statements:
                    return node.module, name
    return None
