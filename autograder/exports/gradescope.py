"""Gradescope: the `results.json` that it reads, and the zip that makes it grade with this course.

The zip holds what grading one unit needs and no more: the engine, the assignments (which students have),
the data, and of `solutions/<unit>/` the hidden checks, what they import and the table of known mistakes.
The modules with the solutions, alternatives and lists of mistakes and bugs stay at home, as do other
units' solutions; nothing in it is a token or a password. Gradescope keeps the zip from students. A
submission runs in the same sandbox as in `autograder grade`, and nothing is graded without it.
"""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.course import DIAGNOSIS, ENGINE, TOLD, Course, course_files
from autograder.exports.export import ExportError, Scores, earned, finite, is_hidden, law, shown
from autograder.policy import HiddenChecks
from autograder.printable import printable
from autograder.results import CheckResult, ExerciseResult, Status
from autograder.store.results import Graded

_VISIBILITY = {
    HiddenChecks.NEVER: "hidden",
    HiddenChecks.AFTER_DUE: "after_due_date",
    HiddenChecks.ALWAYS: "visible",
}
_HOME = "/autograder"  # where Gradescope unpacks the zip (source) and lays submissions (submission)

_SETUP = f"""#!/usr/bin/env bash
# Runs once, as root, when Gradescope builds the image.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends libseccomp2
python=
for each in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$each" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$each
        break
    fi
done
if [ -z "$python" ]; then
    apt-get install -y --no-install-recommends python3.11 python3.11-venv || {{
        echo "This image has no Python 3.11 or newer; choose a newer base image in Gradescope." >&2
        exit 1
    }}
    python=python3.11
fi
"$python" -m venv {_HOME}/venv
cd {_HOME}/source/course
%(torch)s{_HOME}/venv/bin/python -m pip install -c constraints.txt -e '.[instructor]'
"""

_RUN = f"""#!/usr/bin/env bash
# Runs for every submission.
set -euo pipefail
export OMP_NUM_THREADS=1
cd {_HOME}/source/course
exec {_HOME}/venv/bin/python -m autograder.exports.gradescope_run %(unit)s %(hidden)s
"""


def results_json(graded: Graded, *, hidden: HiddenChecks = HiddenChecks.NEVER, score: Scores = earned) -> str:
    """One submission's `results.json`. `hidden` says when students see the checks that they do not have.

    The score is the submission's, in points, whatever its tests add up to. Texts are plain, and what the
    grader prints is hidden. A check that cannot be judged has no score. Raises ExportError for a score
    that is not finite.
    """
    result = graded.result
    document = {
        "score": round(finite(score(graded), graded), 4),
        "max_score": finite(result.max_score, graded),
        "execution_time": round(finite(graded.seconds, graded), 3),
        "output": "\n".join(map(printable, result.notes)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            _test(exercise, check, hidden) for exercise in result.exercises for check in exercise.checks
        ],
    }
    return json.dumps(document, indent=2) + "\n"  # in ASCII, so that no locale can break it


def _test(exercise: ExerciseResult, check: CheckResult, hidden: HiddenChecks) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": f"{shown(exercise.name)} · {law(check)}",
        "output": printable(check.message),
        "output_format": "text",
        "name_format": "text",
        "visibility": _VISIBILITY[hidden] if is_hidden(check) else "visible",
    }
    if check.status is not Status.SKIPPED:
        passed = check.status is Status.PASSED
        share = exercise.max_score / len(exercise.counted)
        test["score"] = round(share, 4) if passed else 0.0
        test["max_score"] = round(share, 4)
        test["status"] = "passed" if passed else "failed"
    return test


def autograder_zip(
    course: Course,
    unit: str,
    *,
    hidden: HiddenChecks = HiddenChecks.NEVER,
    torch_index: str | None = None,
) -> bytes:
    """The zip to upload as the autograder of `unit`: the same bytes for the same course.

    `torch_index` is the package index to take torch from, such as PyTorch's own for CPU, whose build is far
    smaller. Raises CourseError for an unknown unit, and ExportError where the course has no solutions for it
    or cannot be installed from its folder.
    """
    if course.unit(unit).hidden is None:
        raise ExportError(f"this course holds no solutions of {unit}, so nothing hidden could be checked.")
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        if not (course.root / name).is_file():
            raise ExportError(f"this course has no {name}, without which it cannot be installed there.")
    if torch_index is not None and not (torch_index.isascii() and torch_index.isprintable()):
        raise ExportError("the index to take torch from is no address.")
    torch = ""
    if torch_index is not None:
        torch = (
            f"{_HOME}/venv/bin/python -m pip install --index-url {shlex.quote(torch_index)} "
            '"$(grep ^torch== constraints.txt)"\n'
        )
    run = _RUN % {"unit": shlex.quote(unit), "hidden": hidden.value}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "setup.sh", (_SETUP % {"torch": torch}).encode(), 0o755)
        _add(archive, "run_autograder", run.encode(), 0o755)
        for name, path in _needed(course, unit):
            _add(archive, f"course/{name}", path.read_bytes(), 0o644)
    return data.getvalue()


def _needed(course: Course, unit: str) -> Iterator[tuple[str, Path]]:
    solutions = set(course.unit(unit).modules)
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        yield name, course.root / name
    for path in course_files(ENGINE):
        yield f"autograder/{path.relative_to(ENGINE).as_posix()}", path
    for folder in (course.assignments, course.root / "data"):
        for path in course_files(folder):
            yield path.relative_to(course.root).as_posix(), path
    hidden = course.solutions / unit
    for path in course_files(hidden):
        inside = path.relative_to(hidden)
        is_solution = len(inside.parts) == 1 and path.suffix in (".py", ".ipynb") and path.stem in solutions
        is_told = path.name in TOLD and path.name != DIAGNOSIS
        if not (is_solution or is_told or inside.parts[0] == "alternatives" or path.suffix == ".ipynb"):
            yield f"solutions/{unit}/{inside.as_posix()}", path


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    # a fixed date: the same course makes the same zip
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o100000 | mode) << 16
    archive.writestr(info, data)
