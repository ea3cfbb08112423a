"""Text that a submission had a say in, made fit for a page, and failure texts taken apart into rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.results import CheckResult, Diagnosis, Status

# Control, format and surrogate characters, separators of lines and paragraphs: nobody sees them, and some
# reorder the rest.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # scripts and emoji need them between characters that are not ASCII
_NOT_IN_XML = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")


def shown(text: str) -> str:
    """The text with characters spelled out that cannot be seen, or that reorder what is around them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if _is_seen(text, position) else _spelled(character)
        for position, character in enumerate(text)
    )


def _is_seen(text: str, position: int) -> bool:
    character = text[position]
    if character in _JOINERS:
        around = text[position - 1 : position] + text[position + 1 : position + 2]
        return len(around) == 2 and not around.isascii()
    if _NOT_IN_XML.match(character):
        return False
    return character == "\n" or unicodedata.category(character) not in _UNSEEN


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True)
class Row:
    """One labelled row of a failure text; `lines` are its lines as they stand, with label and indent."""

    label: str
    lines: tuple[str, ...]
    column: int

    @property
    def text(self) -> str:
        """What stands right of the label."""
        return "\n".join(line[self.column :] for line in self.lines)


@dataclass(frozen=True)
class FailureText:
    """What one or more checks of an exercise say, told once where they say the same.

    `titles` are their laws, `column` is where the texts of its rows begin.
    """

    status: Status
    titles: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def column(self) -> int:
        return self.rows[0].column if self.rows else 0


def failure_texts(
    checks: Iterable[CheckResult], diagnosis: Diagnosis | None = None
) -> tuple[FailureText, ...]:
    """The messages of checks, in order, those that differ in their title only as one.

    The rows that tell `diagnosis` are left out: a page tells it in a better place.
    """
    titles: dict[tuple[Status, tuple[Row, ...]], list[str]] = {}
    for check in checks:
        if check.message:
            title, _, body = shown(check.message).partition("\n")
            rows = tuple(row for row in rows_of(body) if not _tells(row, diagnosis))
            titles.setdefault((check.status, rows), []).append(_law(title, check.exercise))
    return tuple(FailureText(status, tuple(laws), rows) for (status, rows), laws in titles.items())


def _law(title: str, exercise: str) -> str:
    """A title without the exercise's name, which stands above it, and with one space before the points."""
    return re.sub(r" {3,}", " — ", title.removeprefix(f"{shown(exercise)} · ").strip())


def _tells(row: Row, diagnosis: Diagnosis | None) -> bool:
    if diagnosis is None:
        return False
    told = {"known mistake": diagnosis.mistake, "hint": diagnosis.hint}.get(row.label)
    return told is not None and row.text == "\n".join(shown(told).splitlines())


def rows_of(body: str) -> tuple[Row, ...]:
    """The rows that `autograder.checks.failure.align` laid out; a text that it did not is one row a line."""
    lines = [line.removeprefix("  ") for line in body.split("\n")]
    first = re.match(r"\S+(?: \S+)* {2,}(?=\S)", lines[0])
    column = first.end() if first else 0
    rows: list[tuple[str, list[str]]] = []
    for line in lines:
        if column and rows and not line[:column].strip():
            rows[-1][1].append(line)
        elif column and line[column - 2 : column] == "  ":
            rows.append((line[:column].rstrip(), [line]))
        elif line or len(lines) > 1:
            rows.append(("", [line]))
    return tuple(Row(label, tuple(lines), column if label else 0) for label, lines in rows)
