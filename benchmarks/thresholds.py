"""What the thresholds of a unit's learning checks let through, and what they catch.

    python benchmarks/thresholds.py a3_attention [--task dates] [--seeds 10] [--mistake-seeds 10]

Trains as the checks do: the solution and the alternatives, which must reach the threshold with every seed,
and the mistakes whose `misses` names the task, which must miss it with every seed. Prints what each reached,
least to greatest, and CPU seconds a run; exits with 1 where one does not do what it must.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autograder.checks import LearningTask
from autograder.course import Course
from autograder.importing import SubmissionImporter
from autograder.mistakes import apply, load_mistakes
from autograder.submission import read_submission


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("unit")
    parser.add_argument("--task")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--mistake-seeds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    unit = Course.find(Path(__file__).parent).unit(options.unit)
    assert unit.hidden is not None
    tasks: tuple[LearningTask, ...] = import_module(f"assignments.{unit.name}.learning").TASKS
    right = {
        folder.name: read_submission(folder, unit.modules, folder.name, unit.name).sources
        for folder in (unit.hidden, *sorted((unit.hidden / "alternatives").iterdir()))
    }
    solution = right[unit.hidden.name]
    mistakes = load_mistakes(unit.hidden / "mistakes.toml")
    as_wanted = True
    for task in tasks:
        if options.task not in (None, task.name):
            continue
        bound = "at most" if task.lower_is_better else "at least"
        print(f"{unit.name}, {task.name}: {task.measure}, {bound} {task.required:g}")
        for style, sources in right.items():
            as_wanted &= report(style, sources, task, options.seeds, wanted=True)
        for mistake in mistakes:
            if mistake.misses == task.name:
                changed = {**solution, mistake.module: apply(mistake, solution[mistake.module])}
                as_wanted &= report(mistake.name, changed, task, options.mistake_seeds, wanted=False)
    return 0 if as_wanted else 1


def report(name: str, sources: Mapping[str, str], task: LearningTask, seeds: int, *, wanted: bool) -> bool:
    """One line of the table; whether every seed ended as `wanted`. A run that raises misses and ends it."""
    importer = SubmissionImporter(dict(sources), {module: f"{module}.py" for module in sources})
    reached: list[float] = []
    error = ""
    start = time.process_time()
    try:
        student = importer.load(task.module)
        for seed in range(seeds):
            torch.manual_seed(seed)
            reached.append(task.sweep(student, seed) if task.sweep else task.learn(student))
    except Exception as problem:
        error = f"  {type(problem).__name__}: {problem}".splitlines()[0][:80]
    finally:
        importer.remove()
    verdicts = [task.is_reached_by(value) for value in reached] + ([False] if error else [])
    shown = " ".join(f"{value:.3f}" for value in sorted(reached))
    verdict = "reaches" if all(verdicts) else "misses" if not any(verdicts) else "VARIES"
    as_wanted = all(verdict is wanted for verdict in verdicts)
    seconds = (time.process_time() - start) / max(len(verdicts), 1)
    mark = " " if as_wanted else "!"
    print(f"{mark} {name:<60} {verdict:<8} {shown}{error}   {seconds:.1f} s", flush=True)
    return as_wanted


if __name__ == "__main__":
    sys.exit(main())
