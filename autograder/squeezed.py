"""Texts compared by what a reader sees in them, and many looked for at once.

Squeezed, a text has whitespace only between two words, one kind of quote and no trailing commas. So a
line of code is found re-indented, wrapped in another way, or in the middle of a sentence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

MIN_CHARACTERS = 12  # the shortest text, squeezed, that `Finder` can find

_SPACES = re.compile(r"\s+")
_NEEDLESS_SPACE = re.compile(r"(?<!\w) | (?!\w)")
_TRAILING_COMMA = re.compile(r",(?=[)\]}])")


def squeeze(text: str) -> str:
    return Squeezed(text).text


class Squeezed:
    """A text without what does not matter, which still knows its lines."""

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        self._starts: list[int] = []
        self._lines: list[int] = []
        length, last = 0, ""
        for number, raw in enumerate(text.split("\n"), 1):
            line = _squeeze_line(raw)
            if not line:
                continue
            if _is_word(last) and _is_word(line[0]):
                line = " " + line
            elif last == "," and line[0] in ")]}":
                parts[-1] = parts[-1][:-1]
                length -= 1
            self._starts.append(length)
            self._lines.append(number)
            parts.append(line)
            length += len(line)
            last = line[-1]
        self.text = "".join(parts)

    def line(self, position: int) -> int:
        """The line of the original text that `position` in the squeezed one lies in."""
        return self._lines[bisect_right(self._starts, position) - 1]


class Finder:
    """Finds many squeezed texts at once, as whole words."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._by_start: dict[str, list[str]] = {}
        for text in wanted:
            self._by_start.setdefault(text[:MIN_CHARACTERS], []).append(text)

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """Each occurrence: where in `text` it begins, and which of the wanted texts it is."""
        get = self._by_start.get
        for at in range(len(text) - MIN_CHARACTERS + 1):
            for wanted in get(text[at : at + MIN_CHARACTERS], ()):
                end = at + len(wanted)
                if text.startswith(wanted, at) and not (
                    (at > 0 and _is_word(text[at - 1]) and _is_word(wanted[0]))
                    or (end < len(text) and _is_word(text[end]) and _is_word(wanted[-1]))
                ):
                    yield at, wanted


def _squeeze_line(line: str) -> str:
    line = _SPACES.sub(" ", line.strip()).replace("'", '"')
    return _TRAILING_COMMA.sub("", _NEEDLESS_SPACE.sub("", line))


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()
