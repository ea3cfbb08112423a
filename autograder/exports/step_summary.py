"""A class's results for the summary page of a job on GitHub.

The page is Markdown that may hold HTML. Text that students had a hand in stands in HTML elements only, on
one line, escaped: no Markdown is read in there, and a line feed is written as `&#10;`, so that none of it
can end the element. Names and failures stand in `code` and `pre`, where `@name` calls nobody.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable

from autograder.exports.export import Scores, by_key, earned, finite, is_hidden, shown
from autograder.printable import printable
from autograder.results import CheckResult
from autograder.store.results import Graded
from autograder.table import points

LIMIT = 1 << 20  # bytes of UTF-8 that GitHub takes for one step; it shows nothing of a longer one
_ROOM_FOR_SENTENCE = 300
_HEADING = "# Results\n\n"

Shows = Callable[[Graded, CheckResult], bool]


def only_public(graded: Graded, check: CheckResult) -> bool:
    """Shows failures of the checks that students have."""
    return not is_hidden(check)


def step_summary(
    graded: Iterable[Graded],
    *,
    shows: Shows = only_public,
    score: Scores = earned,
    limit: int = LIMIT,
) -> str:
    """A table of the class, then each submission's failures: those that `shows`, the others by number.

    At most `limit` bytes of UTF-8 (at least 1000): sections that have no room are left out whole, and a
    last sentence says how many. Raises ExportError where a submission comes twice or a score is not finite.
    """
    if limit < 1000:
        raise ValueError(f"a summary needs 1000 bytes, not {limit}")
    results = list(by_key(graded).values())
    sections = [_table(results, score), *(_failures(each, shows) for each in results)]
    kept, room = [_HEADING], limit - len(_HEADING) - _ROOM_FOR_SENTENCE
    wanted = [section for section in sections if section]
    for section in wanted:
        size = len(section.encode())
        if size <= room:
            kept.append(section)
            room -= size
    left_out = len(wanted) - (len(kept) - 1)
    if left_out:
        kept.append(
            f"{left_out} of {len(wanted)} sections have no room on this page, which holds {limit} bytes; "
            "the reports have them all.\n"
        )
    return "".join(kept)


def _table(results: list[Graded], score: Scores) -> str:
    rows = []
    for each in results:
        checks = [check for exercise in each.result.exercises for check in exercise.counted]
        passed = sum(exercise.passed for exercise in each.result.exercises)
        cells = (
            _code(each.result.student),
            _code(each.result.unit),
            f"{points(finite(score(each), each))} of {points(finite(each.result.max_score, each))}",
            f"{passed} of {len(checks)}",
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n")
    head = "".join(f"<th>{name}</th>" for name in ("student", "unit", "points", "checks passed"))
    return f"<table>\n<tr>{head}</tr>\n{''.join(rows)}</table>\n\n"


def _failures(graded: Graded, shows: Shows) -> str:
    told = []
    silent = 0
    for exercise in graded.result.exercises:
        for check in exercise.counted:
            if check.message and shows(graded, check):
                told.append(check.message)
            elif check.message:
                silent += 1
    if not told and not silent:
        return ""
    text = "\n\n".join(told + ([f"hidden checks that failed: {silent}"] if silent else []))
    who = f"{_code(graded.result.student)} {_code(graded.result.unit)}"
    return f"<details><summary>{who}</summary><pre>{_escaped(text)}</pre></details>\n\n"


def _code(name: str) -> str:
    return f"<code>{_escaped(shown(name))}</code>"


def _escaped(text: str) -> str:
    return html.escape(printable(text)).replace("\n", "&#10;")
