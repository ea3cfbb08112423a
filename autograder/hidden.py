"""What a release must not give away, line by line: solutions and changes of them, hidden checks, oracles.

A line is a secret when it is telling. That is
- code of at least MIN_TOKENS tokens: `return out` or `x = x.clone()` says nothing about an exercise. A
  mistake's fragment of code needs MIN_FRAGMENT_TOKENS: expressions recur where statements do not.
  Imports and the headers of functions, classes, `for` and `with` say nothing; a check's name does;
- a mistake's name, its hint, and each sentence of it, of at least MIN_WORDS words; a comment, which may be a
  piece of a sentence, of at least MIN_COMMENT_WORDS;
- a whole solution region or a whole function, where its lines are too short one by one.

A telling line is public all the same when it stands where everybody may read it by design:
- outside the regions of a solution module, so that it is part of the stub;
- for hidden checks and oracles, not for solutions: in the public checks and cases, or in the engine. Hidden
  checks add cases to the public ones, so they share lines with them. But a public function that says all
  that a hidden check or oracle says, its decorators too, is a copy, and makes nothing public. (A function
  that is given the `student` and is no check is no oracle either: it only saves typing.)
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.course import ENGINE, Course, CourseError, course_files
from autograder.squeezed import MIN_CHARACTERS, Finder, Squeezed, squeeze
from autograder.stubs import BEGIN, solution_regions

MIN_TOKENS = 12
MIN_FRAGMENT_TOKENS = 16
MIN_WORDS = 5
MIN_COMMENT_WORDS = 8


@dataclass(frozen=True)
class Secret:
    """`squeezed` must not be found; `shown` is how it reads in `source` (file:line), `kind` what that is."""

    squeezed: str
    shown: str
    source: str
    kind: str


def secrets_of(course: Course) -> dict[str, Secret]:
    """Every secret of the course by its squeezed text. Raises CourseError where there are no solutions."""
    if not course.solutions.is_dir():
        raise CourseError(f"{course.root} holds no solutions/, so nobody can say what is hidden.")
    solutions: list[Secret] = []
    checks: list[Secret] = []
    stubs: list[str] = []
    hidden_functions: list[frozenset[str]] = []
    for path in course_files(course.solutions):
        where = path.relative_to(course.root).as_posix()
        if path.name == "mistakes.toml":
            text = _read(path, where)
            solutions += _entry_secrets(text, where, "mistake", prose=("name", "hint"), code=("old", "new"))
        if path.name == "device_bugs.toml":
            text = _read(path, where)
            solutions += _entry_secrets(text, where, "bug", prose=("name",), code=("new",))
        if path.name == "equivalents.toml":
            text = _read(path, where)
            solutions += _entry_secrets(
                text, where, "equivalent", prose=("reason",), code=("before", "after")
            )
        if path.suffix != ".py":
            continue
        module = _Module(_read(path, where), where)
        if "alternatives" in path.relative_to(course.solutions).parts:
            solutions += module.secrets("an alternative solution")
        elif BEGIN in module.source:
            regions = solution_regions(module.source, where)
            spans = [(first, first + len(lines) - 1) for first, lines in regions]
            solutions += module.secrets("a solution", spans)
            stubs.append(module.without(spans))
        else:
            is_check = path.name.startswith("test_")
            checks += module.secrets("a hidden check" if is_check else "an oracle")
            checks += module.check_names()
            hidden_functions += [function.said for function in module.functions() if function.is_secret]
    public_code = [_without_copies(module, hidden_functions) for module in _public_modules(course)]
    public = _found(stubs, solutions + checks)
    public_to_checks = _found(public_code, checks)
    kept = [secret for secret in checks if secret.squeezed not in public_to_checks] + solutions
    return {secret.squeezed: secret for secret in kept if secret.squeezed not in public}


@dataclass(frozen=True)
class _Function:
    """A top-level function or class: its rows (those of decorators too) and what stands there."""

    begin: int
    body: int
    end: int
    said: frozenset[str]
    is_secret: bool


class _Module:
    """Python source as rows without comments, and the statements that may be telling."""

    def __init__(self, source: str, where: str) -> None:
        self.source = source
        self.where = where
        self.rows = source.split("\n")
        self.comments: list[tuple[int, str]] = []
        self.statements: list[tuple[int, int]] = []  # first and last row, imports and headers left out
        try:
            self._cut()
        except (tokenize.TokenError, SyntaxError):  # no Python: every line by itself
            self.statements = [(row, row) for row in range(1, len(self.rows) + 1)]

    def secrets(self, kind: str, spans: list[tuple[int, int]] | None = None) -> list[Secret]:
        """What is telling in the rows of `spans`, by default in the whole module."""
        blocks = (
            spans if spans is not None else [(function.body, function.end) for function in self.functions()]
        )
        spans = spans if spans is not None else [(1, len(self.rows))]
        candidates = [(first, self._text(first, last)) for first, last in blocks]
        secrets: list[Secret] = []
        for begin, end in spans:
            for first, last in self._statements_in(begin, end):
                candidates += [(row, self.rows[row - 1]) for row in range(first, last + 1)]
                candidates.append((first, self._text(first, last)))
            for row, text in self.comments:
                if begin <= row <= end:
                    secrets += _prose(text, f"{self.where}:{row}", f"a comment in {kind}", MIN_COMMENT_WORDS)
        for row, text in candidates:
            secrets += _code(text, f"{self.where}:{row}", kind)
        return secrets

    def check_names(self) -> list[Secret]:
        return [
            Secret(node.name, node.name, f"{self.where}:{node.lineno}", "a hidden check's name")
            for node in self._definitions()
            if node.name.startswith("test_") and len(node.name) >= MIN_CHARACTERS
        ]

    def functions(self) -> list[_Function]:
        return [self._function(node) for node in self._definitions()]

    def without(self, spans: Iterable[tuple[int, int]]) -> str:
        """The source with the rows of `spans` left out."""
        left_out = {row for first, last in spans for row in range(first, last + 1)}
        return "\n".join(
            row for number, row in enumerate(self.source.split("\n"), 1) if number not in left_out
        )

    def _cut(self) -> None:
        """Fill `comments` and `statements`, and cut the comments from `rows`."""
        first: int | None = None
        counts = True
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            row, column = token.start
            if token.type == tokenize.COMMENT:
                self.comments.append((row, token.string.lstrip("#!: ")))
                self.rows[row - 1] = self.rows[row - 1][:column]
            elif token.type == tokenize.NEWLINE:
                if first is not None and counts:
                    self.statements.append((first, row))
                first = None
            elif first is None and token.type not in _LAYOUT:
                first = row
                counts = token.string not in _SAY_NOTHING

    def _function(self, node: _Definition) -> _Function:
        begin = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
        end = node.end_lineno or node.lineno
        docstring = node.body[0].lineno if ast.get_docstring(node) is not None else 0
        said = frozenset(
            squeeze(self._text(first, last))
            for first, last in self._statements_in(begin, end)
            if first != docstring
        )
        is_given_student = isinstance(node, ast.FunctionDef) and "student" in {a.arg for a in node.args.args}
        is_telling = len(_TOKEN.findall("\n".join(said))) >= MIN_TOKENS
        is_secret = is_telling and (node.name.startswith("test_") or not is_given_student)
        return _Function(begin, node.body[0].lineno, end, said, is_secret)

    def _statements_in(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        return ((first, last) for first, last in self.statements if begin <= first and last <= end)

    def _text(self, first: int, last: int) -> str:
        return "\n".join(self.rows[first - 1 : last])

    def _definitions(self) -> list[_Definition]:
        try:
            return [node for node in ast.parse(self.source).body if isinstance(node, _Definition)]
        except SyntaxError:
            return []


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SAY_NOTHING = {"import", "from", "def", "class", "async", "for", "with"}
_LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


def _public_modules(course: Course) -> Iterator[_Module]:
    """The public checks and cases, and the engine; not the stubs, which the solutions tell about."""
    for path in (*course_files(course.assignments), *course_files(ENGINE)):
        if path.suffix != ".py":
            continue
        hidden_twin = course.solutions / path.parent.name / path.name
        is_stub = hidden_twin.is_file() and BEGIN in _read(hidden_twin, hidden_twin.name)
        if not is_stub:
            yield _Module(_read(path, path.name), path.name)


def _without_copies(module: _Module, hidden: list[frozenset[str]]) -> str:
    """The public module's source without its copies of hidden functions."""
    return module.without(
        (function.begin, function.end)
        for function in module.functions()
        # much more than the hidden function says: something else, that happens to hold the same steps
        if any(said <= function.said and len(function.said) <= 2 * len(said) for said in hidden)
    )


def _found(texts: Iterable[str], secrets: Iterable[Secret]) -> set[str]:
    finder = Finder(secret.squeezed for secret in secrets)
    return {found for text in texts for _, found in finder.find(Squeezed(text).text)}


def _code(text: str, source: str, kind: str, min_tokens: int = MIN_TOKENS) -> Iterator[Secret]:
    squeezed = squeeze(text)
    if len(_TOKEN.findall(squeezed)) >= min_tokens and len(squeezed) >= MIN_CHARACTERS:
        yield Secret(squeezed, _shown(text), source, kind)


def _prose(text: str, source: str, kind: str, min_words: int = MIN_WORDS) -> Iterator[Secret]:
    for sentence in {text, *_SENTENCE_END.split(text)}:
        squeezed = squeeze(sentence)
        if len(_WORD.findall(squeezed)) >= min_words and len(squeezed) >= MIN_CHARACTERS:
            yield Secret(squeezed, _shown(sentence), source, kind)


def _entry_secrets(
    text: str, where: str, heading: str, *, prose: tuple[str, ...], code: tuple[str, ...]
) -> Iterator[Secret]:
    """What the entries of a list, each a table headed [[`heading`]], give away under these keys."""
    try:
        entries = tomllib.loads(text).get(heading, [])
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{where} is not valid TOML: {error}.") from None
    headers = [number for number, line in enumerate(text.split("\n"), 1) if line.strip() == f"[[{heading}]]"]
    whose = f"an {heading}'s" if heading[0] in "aeiou" else f"a {heading}'s"
    for entry, row in zip(entries, headers, strict=False):
        source = f"{where}:{row}"
        for key in prose:
            yield from _prose(str(entry.get(key, "")), source, f"{whose} {key}")
        for key in code:
            fragment = str(entry.get(key, ""))
            for part in {fragment, *fragment.split("\n")}:
                yield from _code(part, source, f"{whose} {key!r}", MIN_FRAGMENT_TOKENS)


def _read(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CourseError(f"{where} is not valid UTF-8.") from None


# A name or a sentence in quotes is one token, for an error message is no answer; an einsum's formula is many.
_TOKEN = re.compile(r'"(?:\w*|[^"]*\w \w[^"]*)"|\w+|[^\w\s]')
_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE_END = re.compile(r"(?<=[.?!:;])\s+")


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"{text[:99]}…"
