"""One class graded twice in one run: a cold pytest for each submission, and one `autograder grade --jobs 1`.

    python benchmarks/class_of_20.py [--students 20]

The class: the solution, its alternatives in other styles, and submissions that hold one known mistake each.
Both ways run the same checks on the same files, one thread each. Prints seconds and their ratio, and how many
checks each submission passes where the two ways do not agree.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.course import Course, Unit
from autograder.mistakes import apply, load_mistakes

UNIT = "a3_attention"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=20)
    students: int = parser.parse_args().students
    course = Course.find(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as folder:
        submitted = Path(folder) / "submitted"
        write_class(course.unit(UNIT), submitted, students)
        start = time.perf_counter()
        cold_passed = {path.name: cold_pytest(course, path / UNIT) for path in sorted(submitted.iterdir())}
        cold = time.perf_counter() - start
        start = time.perf_counter()
        grade_passed = grade(course, submitted, Path(folder) / "results.json")
        warm = time.perf_counter() - start
    differ = {name: (n, grade_passed[name]) for name, n in cold_passed.items() if n != grade_passed[name]}
    print(f"a  a cold pytest each     {cold:7.1f} s in all   {cold / students:6.2f} s a submission")
    print(f"b  autograder grade       {warm:7.1f} s in all   {warm / students:6.2f} s a submission")
    print(f"   a / b                  {cold / warm:7.1f}")
    print(f"   checks passed differ   {differ or 'nowhere'}")


def write_class(unit: Unit, submitted: Path, students: int) -> None:
    assert unit.hidden is not None
    right = [unit.hidden, *sorted((unit.hidden / "alternatives").iterdir())]
    for folder in right:
        copy_modules(folder, submitted / folder.name / UNIT)
    modules = {exercise.name: exercise.module for exercise in unit.exercises}
    for number, mistake in enumerate(load_mistakes(unit.hidden / "mistakes.toml")[: students - len(right)]):
        folder = submitted / f"mistake_{number:02}" / UNIT
        copy_modules(unit.hidden, folder)
        path = folder / f"{modules[mistake.exercise]}.py"
        path.write_text(apply(mistake, path.read_text()))


def copy_modules(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in source.glob("*.py"):
        if not path.name.startswith("test_"):
            shutil.copy(path, target)


def cold_pytest(course: Course, folder: Path) -> int:
    """How many checks pass in a process of its own, with nothing kept from the one before."""
    hidden = sorted(map(str, course.unit(UNIT).hidden.glob("test_*.py")))  # type: ignore[union-attr]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--submission={folder}"]
    done = subprocess.run(
        [*command, str(course.unit(UNIT).public), *hidden],
        cwd=course.root,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"(\d+) passed", done.stdout)
    return int(found[1]) if found else 0


def grade(course: Course, submitted: Path, results: Path) -> dict[str, int]:
    command = [sys.executable, "-m", "autograder", "grade", str(submitted), "--jobs=1", f"--json={results}"]
    subprocess.run(command, cwd=course.root, env=ENVIRONMENT, capture_output=True, check=True)
    return {
        result["student"]: sum(
            check["status"] == "passed" for exercise in result["exercises"] for check in exercise["checks"]
        )
        for result in json.loads(results.read_text())["results"]
    }


if __name__ == "__main__":
    main()
