"""The text of a failure: symptom, cause, where to look. The same for a terminal, a file and a page."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Collection

from autograder.check import Check, Failure
from autograder.checks.describe import describe_case
from autograder.checks.failure import CheckFailure, Row, align
from autograder.errors import ModuleProblem, SourceLine, StudentError, WorkerLost, WorkerTimeout, is_a_stub
from autograder.mentions import call_by_hand, frame_of_check, mentioned_names
from autograder.printable import printable
from autograder.results import Diagnosis, Status

_MAX_TEXT = 6_000
_MAX_PRINTED = 400


def status_of(error: BaseException, files: Collection[str] = ()) -> Status:
    """What a failing check counts as."""
    if isinstance(error, WorkerTimeout):
        return Status.TIMEOUT
    if isinstance(error, WorkerLost):
        return Status.CRASHED
    if isinstance(error, ModuleProblem | SyntaxError):
        return Status.ERROR
    return Status.FAILED


def failure_text(
    check: Check, failure: Failure, files: Collection[str] = (), diagnosis: Diagnosis | None = None
) -> str:
    """The failure of `check`, told in a few aligned rows under one title line.

    `files` are the submission's file names, as they stand in tracebacks of this process.
    """
    title = f"{check.exercise} · {check.law}"
    lost = f"0 of {check.share:.3g} point{'' if check.share == 1 else 's'}"
    rows = [*_rows(check, failure, files)]
    if diagnosis is not None:
        rows += [("known mistake", diagnosis.mistake), ("hint", diagnosis.hint)]
    if failure.printed:
        rows.append(("printed", _capped(failure.printed, _MAX_PRINTED)))
    body = "\n".join(f"  {line}" for line in align(rows).splitlines())
    return printable(_capped(f"{title}   {lost}\n{body}", _MAX_TEXT))


def not_verifiable_text(check: Check, reason: str) -> str:
    """What to say of a check that could not be judged: neither a pass nor a failure."""
    text = f"{check.exercise} · {check.law}   not verifiable here, costs no points\n  reason  {reason}"
    return printable(_capped(text, _MAX_TEXT))


def _rows(check: Check, failure: Failure, files: Collection[str]) -> list[Row]:
    error = failure.error
    smallest = _case(check, failure)
    match error:
        case CheckFailure():
            because: list[Row] = [("because", error.because)] if error.because else []
            return [*smallest, *error.rows, *because]
        case NotImplementedError() if is_a_stub(error):
            line = next(reversed(_lines(error, files)), None)
            return [("not written", f"raises NotImplementedError{_at(line)}")]
        case ModuleProblem():
            return [("problem", str(error))]
        case WorkerTimeout():
            return [
                *smallest,
                ("time limit", f"the submission {error}"),
                ("advice", "look for a loop that does not end"),
            ]
        case WorkerLost():
            return [*smallest, ("crashed", f"the submission's process {error}")]
    kind = error.kind if isinstance(error, StudentError) else type(error).__name__
    lines = _lines(error, files)
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        return [("syntax error", what + _at(lines[-1] if lines else None))]
    if lines or isinstance(error, StudentError):
        return [
            *smallest,
            ("raised", _capped(f"{kind}: {error}", 1500)),
            *_where(lines),
            *_advice(str(error)),
        ]
    if str(error).startswith("Error(s) in loading state_dict"):
        return [*smallest, *_state_dict_rows(str(error))]
    return [*smallest, ("wrong", _capped(f"{kind}: {error}", 1500))]


def _advice(error: str) -> list[Row]:
    """What a message of torch means here, where it says nothing of the cause."""
    if re.search(r"same dtype.*(float|double)", error, re.IGNORECASE):
        text = "checks compute in float64: which tensor was made in the default dtype, or of which module "
        return [("advice", text + "are the parameters not found by .double()?")]
    return []


def _case(check: Check, failure: Failure) -> list[Row]:
    """What the check was about: of a drawn case what it reads, and of one written by hand the call."""
    frame = frame_of_check(failure.error)
    if failure.case:
        mentioned = None if frame is None else mentioned_names(frame, failure.case)
        text = describe_case(failure.case, mentioned=mentioned)
        return [("smallest case", text)] if text else []
    call = None if frame is None else call_by_hand(frame, check.exercise)
    if call is None:
        return []
    written, given = call
    return [("called", f"{written}\n{describe_case(given)}".rstrip())]


_NAMES_IN_STATE = {"Missing": "too many", "Unexpected": "missing"}


def _state_dict_rows(report: str) -> list[Row]:
    """What torch says where weights do not fit, from the module's side: what the weights lack, it has."""
    rows: list[Row] = [("wrong", "the state dict does not have the names and shapes asked for")]
    for kind, names in re.findall(r"(Missing|Unexpected) key\(s\) in state_dict: (.*)\.", report):
        rows.append((_NAMES_IN_STATE[kind], names.replace('"', "")))
    sizes = (
        r"size mismatch for (.+?): .* torch\.Size\(\[(.*?)\]\) from checkpoint, .* torch\.Size\(\[(.*?)\]\)"
    )
    for name, expected, got in re.findall(sizes, report):
        rows += [("expected", f"{name} {_shape(expected)}"), ("got", f"{name} {_shape(got)}")]
    return rows if len(rows) > 1 else [("wrong", _capped(report, 1500))]


def _shape(sizes: str) -> str:
    return str(tuple(int(size) for size in sizes.split(",") if size.strip()))


def _lines(error: BaseException, files: Collection[str]) -> list[SourceLine]:
    """The submission's lines that the error passed through, outermost first."""
    if isinstance(error, StudentError):
        return list(error.lines)
    lines = [
        SourceLine(os.path.basename(f.filename), f.lineno or 0, f.name, f.line or "")
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename in files
    ]
    if isinstance(error, SyntaxError) and error.filename in files:
        lines.append(
            SourceLine(
                os.path.basename(str(error.filename)), error.lineno or 0, "", (error.text or "").strip()
            )
        )
    return lines


def _where(lines: list[SourceLine]) -> list[Row]:
    shown = [f"{line.file}:{line.line} in {line.function}: {line.code.strip()}" for line in lines[-3:]]
    return [("where", "\n".join(shown))] if shown else []


def _at(line: SourceLine | None) -> str:
    if line is None:
        return ""
    return (
        f", {line.file}:{line.line}"
        + (f" in {line.function}" if line.function else "")
        + (
            f": {line.code.strip()}"
            if line.code and line.code.strip() != "raise NotImplementedError()"
            else ""
        )
    )


def _capped(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length} more characters)"
