"""Names a known mistake in a pytest run, by the table that lies beside the public checks."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autograder.check import Check
from autograder.course import DIAGNOSIS
from autograder.diagnosis.fingerprint import fingerprint
from autograder.diagnosis.probes import case_digest
from autograder.diagnosis.table import read_table
from autograder.errors import NO_ANSWER
from autograder.results import Diagnosis
from autograder.trials import RunnableCheck, body_of, draw_cases


def diagnose(
    folder: Path, exercise: str, checks: Mapping[str, RunnableCheck], student: Callable[[Check], Any]
) -> Diagnosis | None:
    """The known mistake that the answers in an exercise are those of, or None.

    `folder` holds the unit's table; `checks` are those at hand, by id; `student` gives a check its module.
    Where one that the table needs is not
    among them, or draws other cases than the table's, nothing is said.
    """
    table = read_table(folder / DIAGNOSIS).get(exercise)
    if table is None or any(probe.check not in checks for probe in table.probes):
        return None
    cases = {
        name: draw_cases(checks[name].test, checks[name].fixtures)
        for name in {probe.check for probe in table.probes}
    }
    prints = []
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the student has seen these prints once
            for probe in table.probes:
                drawn, check = cases[probe.check], checks[probe.check]
                if probe.case >= len(drawn) or case_digest(drawn[probe.case]) != probe.digest:
                    return None
                arguments = {**check.fixtures, **drawn[probe.case], "student": student(check.check)}
                prints.append(fingerprint(body_of(check.test), arguments))
    except NO_ANSWER:
        return None
    return table.diagnose(prints)
