"""A solution module as text and as syntax: where each exercise's marked code stands in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from autograder.stubs import solution_regions

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Edit:
    """`text` in place of the characters from `begin` to `end`."""

    begin: int
    end: int
    text: str


class Source:
    """The text of the solution module called `module`. Raises StubError where its markers are misplaced."""

    def __init__(self, module: str, text: str) -> None:
        self.module = module
        self.text = text
        self.tree = ast.parse(text)
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        regions = solution_regions(text, f"{module}.py")
        self._regions = [range(first, first + len(lines)) for first, lines in regions]
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    @cached_property
    def statements(self) -> dict[str, ast.stmt]:
        """What the module defines at its top level, by name; what is imported is defined elsewhere."""
        found: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            for name in defined_names(node):
                found[name] = node
        return found

    def marked(self, definition: ast.stmt) -> Iterator[ast.AST]:
        """The nodes of `definition` that stand between markers and are code that runs, in the text's order.

        Annotations, docstrings, formatted strings and all that a `raise` says are left out. (Formatted
        strings are also what `ast` gives no reliable positions for, before Python 3.12.)
        """
        stack: list[ast.AST] = [definition]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.expr | ast.stmt | ast.keyword) and self._is_marked(node):
                yield node
            stack.extend(reversed(list(_code_children(node))))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where the node's text begins and ends."""
        first, last = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        begin, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
        return self._offset(first, begin), self._offset(last, end)

    def text_of(self, node: ast.AST) -> str:
        begin, end = self.span(node)
        return self.text[begin:end]

    def replace(self, node: ast.AST, text: str) -> Edit:
        return Edit(*self.span(node), text)

    def between(self, before: ast.AST, after: ast.AST) -> tuple[int, int]:
        """Where the text between two nodes begins and ends: an operator, parentheses, commas, a comment."""
        return self.span(before)[1], self.span(after)[0]

    def edited(self, edit: Edit) -> str:
        return self.text[: edit.begin] + edit.text + self.text[edit.end :]

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def function_of(self, node: ast.AST) -> Function | None:
        """The innermost function that the node stands in."""
        return next((each for each in self.ancestors(node) if isinstance(each, Function)), None)

    def _is_marked(self, node: ast.expr | ast.stmt | ast.keyword) -> bool:
        return any(node.lineno in region and (node.end_lineno or 0) in region for region in self._regions)

    def _offset(self, line: int, column: int) -> int:
        """The character at which `ast` says a node begins: it counts bytes within a line."""
        text = self._lines[line - 1]
        return self._starts[line - 1] + len(text.encode()[:column].decode())


def defined_names(node: ast.stmt) -> list[str]:
    """The names that a top-level statement defines, imports aside."""
    if isinstance(node, Definition):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]


def is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _code_children(node: ast.AST) -> Iterator[ast.AST]:
    if is_docstring(node) or isinstance(node, ast.Raise | ast.JoinedStr):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not is_docstring(child):
                yield child
