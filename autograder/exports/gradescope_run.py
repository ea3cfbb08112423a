"""What `run_autograder` runs in Gradescope's container: grade one submission, write `results.json`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from autograder.course import Course, CourseError
from autograder.exports.export import ExportError
from autograder.exports.gradescope import results_json
from autograder.grading.session import GradingSession
from autograder.policy import HiddenChecks
from autograder.sandbox import SandboxError, prepare
from autograder.store.files import write_whole
from autograder.store.results import Graded
from autograder.submission import UnreadableSubmission, read_submission

SUBMISSION = Path("/autograder/submission")
RESULTS = Path("/autograder/results/results.json")


def run(
    course: Course,
    unit: str,
    hidden: HiddenChecks,
    submission: Path = SUBMISSION,
    results: Path = RESULTS,
) -> None:
    """Grade the files in `submission`, or in its folder that is named like the unit, into `results`.

    Raises SandboxError where there is no seccomp, CourseError where the course cannot be read, and
    UnreadableSubmission: no score is written then, so Gradescope tells the staff and gives no zero.
    """
    prepare()
    modules = course.unit(unit).modules
    inside = submission / unit
    folder = inside if inside.is_dir() and not inside.is_symlink() else submission
    start = time.monotonic()
    with GradingSession(course, (unit,)) as session:
        result = session.grade(read_submission(folder, modules, "student", unit))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    graded = Graded(result, "", "", now, time.monotonic() - start)
    write_whole(results, results_json(graded, hidden=hidden))


def main(arguments: list[str]) -> int:
    """`<unit> <never|after-due|always>`; the working folder is the course's. The exit status."""
    try:
        unit, hidden = arguments
        run(Course.find(), unit, HiddenChecks(hidden))
    except (CourseError, ExportError, SandboxError, UnreadableSubmission, ValueError) as error:
        print(f"not graded: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
