"""A submission in this process: for a student's own machine, where tracebacks, pdb and print work."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import torch
from torch import nn

from autograder.errors import ModuleProblem
from autograder.forbidden import allow, call, forbid, keeping
from autograder.importing import SubmissionImporter
from autograder.rules import Rules
from autograder.seeding import call_seed, seed_everything
from autograder.submission import Submission


class LocalSubmission:
    """Imports a submission's modules on demand; one submission at a time is open in a process."""

    def __init__(self, submission: Submission, rules: Rules) -> None:
        self.submission = submission
        self._rules = rules
        self.importer = SubmissionImporter(
            submission.sources, {name: submission.path(name) for name in submission.sources}
        )
        self._broken: dict[str, BaseException] = {}

    @property
    def files(self) -> frozenset[str]:
        """The file names of the submission, as they stand in tracebacks."""
        return frozenset(self.importer.paths.values())

    def open(self) -> None:
        # As in a worker: more threads gain nothing on tensors this small, and lose much on a busy machine.
        torch.set_num_threads(1)
        # What was imported: a check's own files, which may lie in the same folder, are not the student's.
        forbid(self._rules, self.importer.loaded)
        self.importer.install()

    def close(self) -> None:
        self.importer.remove()
        allow(self._rules, self.importer.loaded)

    def student(self, module: str) -> LocalStudent:
        """The module as checks see it, with its random state at the beginning of a case.

        Raises ModuleProblem where the file is missing or unreadable, and what its import raises.
        """
        if module in self.submission.problems:
            raise ModuleProblem(self.submission.problems[module])
        if module in self._broken:
            raise self._broken[module]
        try:
            return LocalStudent(self.importer.load(module), self._rules, self.student)
        except BaseException as error:
            # SystemExit at import must not end the test run, and a second attempt would not help
            self._broken[module] = error if isinstance(error, Exception) else _as_exception(error)
            raise self._broken[module] from None


class LocalStudent:
    """Stands for a module of the submission; seeds global random state before each call, as a worker does."""

    def __init__(self, module: ModuleType, rules: Rules, others: Callable[[str], LocalStudent]) -> None:
        self._module = module
        self._rules = rules
        self._others = others
        self._calls = itertools.count()

    def _beside(self, module: str) -> LocalStudent:
        other = self._others(module)
        other._calls = self._calls
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        target = getattr(self._module, name)
        return self._seeded(target, f"{self._module.__name__}.{name}") if callable(target) else target

    def _seeded(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def seeded(*args: Any, **kwargs: Any) -> Any:
            self._seed()
            with keeping(self._rules, name):
                result = call(function, *args, **kwargs)
            if isinstance(result, nn.Module):
                self._follow(result)
            return result

        return seeded

    def _follow(self, model: nn.Module) -> None:
        """Do for each later call of `model` what is done for a call of a function."""
        rules = ExitStack()
        exercise = f"{type(model).__module__}.{type(model).__name__}"

        def begin(*_: Any) -> None:
            self._seed()
            rules.enter_context(keeping(self._rules, exercise))

        model.register_forward_pre_hook(begin)
        model.register_forward_hook(lambda *_: rules.close(), always_call=True)

    def _seed(self) -> None:
        seed_everything(call_seed(next(self._calls)))


def _as_exception(error: BaseException) -> Exception:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return ModuleProblem(
        f"the import ends the program: {type(error).__name__} in line {where.lineno} of {where.filename}."
    )
