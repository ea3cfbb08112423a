"""JUnit XML, as Ant's schema (JUnit.xsd) has it and as continuous integration reads it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from autograder.exports.export import ExportError, by_key, finite, law, number, shown
from autograder.printable import printable
from autograder.results import Status
from autograder.store.results import Graded

_ERRORS = (Status.ERROR, Status.TIMEOUT, Status.CRASHED)


def junit_xml(graded: Iterable[Graded]) -> str:
    """A suite a submission, a case a check: what failed is a failure, what could not run an error.

    A suite's time is that of grading in seconds; that of a check is not known and 0. Texts have control
    characters spelled out, which XML cannot hold. The root has no sums, as the schema has none.
    Raises ExportError where a submission comes twice, a score is not finite or a time is none.
    """
    root = ET.Element("testsuites")
    for number_, each in enumerate(by_key(graded).values()):
        _add_suite(root, number_, each)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add_suite(root: ET.Element, position: int, graded: Graded) -> None:
    result = graded.result
    student, unit = shown(result.student), shown(result.unit)
    checks = [(exercise.name, check) for exercise in result.exercises for check in exercise.checks]
    statuses = [check.status for _, check in checks]
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": f"{student} · {unit}",
            "package": unit,
            "id": str(position),
            "timestamp": _utc(graded),
            "hostname": "localhost",  # the schema's word for one that is not told
            "tests": str(len(checks)),
            "failures": str(statuses.count(Status.FAILED)),
            "errors": str(sum(status in _ERRORS for status in statuses)),
            "skipped": str(statuses.count(Status.SKIPPED)),
            "time": number(finite(graded.seconds, graded)),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("score", number(finite(result.score, graded))),
        ("max_score", number(finite(result.max_score, graded))),
        ("course version", shown(graded.version)),
        ("submission", shown(graded.digest)),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    for exercise, check in checks:
        case = ET.SubElement(
            suite, "testcase", name=law(check), classname=f"{unit}.{shown(exercise)}", time="0"
        )
        if check.status is Status.SKIPPED:
            ET.SubElement(case, "skipped")
        elif check.status is not Status.PASSED:
            text = printable(check.message)
            kind = "error" if check.status in _ERRORS else "failure"
            first = text.partition("\n")[0]
            ET.SubElement(case, kind, message=first, type=check.status.value).text = text
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")


def _utc(graded: Graded) -> str:
    """The time of grading as the schema wants it: seconds, without a zone."""
    try:
        moment = datetime.fromisoformat(graded.graded_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        student, unit = map(shown, graded.key)
        raise ExportError(
            f"the result of {student} for {unit} was graded at {graded.graded_at!r}, "
            "which is no time with a zone."
        )
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
