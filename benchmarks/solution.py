"""The solution's own modules, run with many seeds, and how a benchmark prints what they reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from autograder.course import Course
from autograder.importing import SubmissionImporter
from autograder.submission import read_submission


@contextmanager
def solution_module(unit_name: str, module: str) -> Iterator[ModuleType]:
    """A module of the unit's solution, imported as a submission's would be, on one thread."""
    torch.set_num_threads(1)
    unit = Course.find(Path(__file__).parent).unit(unit_name)
    assert unit.hidden is not None
    sources = read_submission(unit.hidden, unit.modules, unit.hidden.name, unit.name).sources
    importer = SubmissionImporter(sources, {name: f"{name}.py" for name in sources})
    try:
        yield importer.load(module)
    finally:
        importer.remove()


def over_seeds(run: Callable[[], float], seeds: int) -> list[float]:
    """What `run` reaches with each seed of torch's global state, least to greatest."""
    reached = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        reached.append(run())
    return sorted(reached)


def row(name: str, values: list[float]) -> None:
    print(f"  {name:<30} {' '.join(f'{value:.3f}' for value in values)}", flush=True)
