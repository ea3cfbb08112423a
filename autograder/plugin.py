"""The pytest plugin: checks, the `student` fixture, failure texts, and the table at the end.

    pytest assignments/a3_attention                          # your own stubs, in this process
    pytest assignments/a3_attention --submission DIR         # another folder's modules
    pytest assignments/a3_attention --worker                 # through the sandboxed worker, as in grading

Tests without the `exercise` mark are left alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.check import Check, Failure
from autograder.collection import CHECK, arguments, assign_checks, parameters
from autograder.errors import NO_ANSWER
from autograder.parity.item import ParityItem
from autograder.results import CheckResult, Diagnosis, Status, by_exercise

if TYPE_CHECKING:
    from autograder.parity.verdict import OfParity
    from autograder.trials import RunnableCheck

FAILURE = pytest.StashKey[Failure]()
PARITY = pytest.StashKey["OfParity"]()
DIAGNOSIS = pytest.StashKey[Diagnosis | None]()

# More examples find rarer bugs. Drawing is paid once a grader process: the price is the submission's time.
MAX_EXAMPLES = 25


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("autograder", "checks of a course")
    group.addoption(
        "--submission",
        type=Path,
        metavar="DIR",
        help="check the modules in DIR instead of those under assignments/",
    )
    group.addoption("--exercise", metavar="NAME", help="run only the checks of this exercise")
    group.addoption("--quick", action="store_true", help="leave out the checks that train a model")
    group.addoption("--worker", action="store_true", help="reach the submission through the sandboxed worker")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "exercise(name, points, seconds=4): a check of an exercise worth `points` in all; "
        "one call of the submission may take `seconds` of CPU time.",
    )
    _make_deterministic(config)
    if not config.pluginmanager.has_plugin("autograder-grading"):
        config.pluginmanager.register(CheckPlugin(config), "autograder-checks")


@pytest.fixture
def student() -> None:
    """The submission's module under test; the engine puts it in place for each case."""


@dataclass(frozen=True)
class FailureSummary:
    """What pytest's list of failures at the end says of one, wherever it does not shorten the text itself."""

    message: str


class FailureRepr:
    """A failure text, as pytest wants to be given it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.reprcrash = FailureSummary(text.partition("\n")[0])

    def toterminal(self, terminal: Any) -> None:
        terminal.line(self._text)

    def __str__(self) -> str:
        return self._text


class CheckPlugin:
    """Runs the checks of one pytest session on one submission a unit."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reach: Any = None
        self._points: dict[str, dict[str, float]] = {}
        self._results: dict[str, list[CheckResult]] = {}
        self._items: dict[str, pytest.Item] = {}
        self._diagnosed: set[tuple[str, str]] = set()
        self._wants_traceback = "--tb" in " ".join(map(str, config.invocation_params.args))

    @pytest.hookimpl(tryfirst=True)  # also what is deselected later counts, and is there to be run on a GPU
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read the marks, share the points, and make the cases depend on nothing but the check."""
        self._points = assign_checks(items, self._config.rootpath)
        self._items = {item.stash[CHECK].id: item for item in items if CHECK in item.stash}
        for item in items:
            if isinstance(item, ParityItem):
                item.run = functools.partial(self._run_parity, item)
        exercise, quick = self._config.getoption("exercise"), self._config.getoption("quick")
        if exercise is not None:
            self._keep(items, lambda check: check is not None and check.exercise == exercise)
        if quick:
            self._keep(items, lambda check: check is None or not check.is_slow)

    def _keep(self, items: list[pytest.Item], wanted: Callable[[Check | None], bool]) -> None:
        others = [item for item in items if not wanted(item.stash.get(CHECK, None))]
        items[:] = [item for item in items if item not in others]
        self._config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        check = pyfuncitem.stash.get(CHECK, None)
        if check is None:
            return None
        from autograder.trials import run_live

        reach = self._opened_reach()
        failure = run_live(check, pyfuncitem.obj, arguments(pyfuncitem), lambda: reach.student(check))
        if failure is not None:
            pyfuncitem.stash[FAILURE] = failure
            if not isinstance(failure.error, NO_ANSWER):
                pyfuncitem.stash[DIAGNOSIS] = self._diagnosis(check)
            raise failure.error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        check = item.stash.get(CHECK, None)
        if check is None or (report.when != "call" and report.passed):
            return report
        failure = item.stash.get(FAILURE, None)
        parity = item.stash.get(PARITY, None)
        status, text = Status.PASSED if report.passed else Status.SKIPPED, ""
        if report.skipped:
            from autograder.failures import not_verifiable_text

            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            text = not_verifiable_text(check, reason.removeprefix("Skipped: "))
        if report.failed:
            from autograder.failures import failure_text, status_of

            failure = failure or Failure(call.excinfo.value if call.excinfo else RuntimeError("failed"), {})
            status = status_of(failure.error)
            files, diagnosis = self._opened_reach().files(check), item.stash.get(DIAGNOSIS, None)
            text = failure_text(check, failure, files, diagnosis)
            if not self._wants_traceback:
                report.longrepr = FailureRepr(text)  # type: ignore[assignment]  # pytest's own class is private
                report.sections = [s for s in report.sections if not s[0].startswith("Hypothesis")]
        verdict = None if parity is None else parity.verdict
        result = CheckResult(check.id, check.exercise, status, text, verdict)
        self._results.setdefault(check.unit, []).append(result)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from autograder.table import advice, exercise_table, rendered

        for unit, results in self._results.items():
            exercises = by_exercise(results, self._points[unit])
            shown = [exercise for exercise in exercises if exercise.checks]
            terminalreporter.write_line("")
            terminalreporter.write(rendered(exercise_table(unit, shown), color=terminalreporter.hasmarkup))
            for line in advice(shown):
                terminalreporter.write_line(line)

    def pytest_sessionfinish(self) -> None:
        if self._reach is not None:
            self._reach.close()

    def _run_parity(self, item: ParityItem) -> None:
        check = item.stash[CHECK]
        others = [
            each
            for each in self._runnable(check.unit).values()
            if each.check.exercise == check.exercise and not each.check.is_slow
        ]
        found: OfParity = self._opened_reach().parity(check, others)
        item.stash[PARITY] = found
        if found.failure is not None:
            item.stash[FAILURE] = found.failure
            raise found.failure.error
        if not found.verdict.is_known:
            pytest.skip(found.verdict.detail)

    def _diagnosis(self, check: Check) -> Diagnosis | None:
        """The known mistake made in the check's exercise, told with its first failure only."""
        from autograder.course import Course
        from autograder.diagnosis.local import diagnose

        if (check.unit, check.exercise) in self._diagnosed:
            return None
        self._diagnosed.add((check.unit, check.exercise))
        reach = self._opened_reach()
        return diagnose(
            Course.find(self._config.rootpath).unit(check.unit).public,
            check.exercise,
            self._runnable(check.unit),
            lambda mine: reach.student(mine)[0],
        )

    def _runnable(self, unit: str) -> dict[str, RunnableCheck]:
        """The checks of a unit that were collected, whether they are run or not."""
        from autograder.trials import RunnableCheck

        return {
            id_: RunnableCheck(item.stash[CHECK], item.obj, parameters(item))  # type: ignore[attr-defined]
            for id_, item in self._items.items()
            if item.stash[CHECK].unit == unit and not item.stash[CHECK].is_parity
        }

    def _opened_reach(self) -> Any:
        if self._reach is None:
            from autograder.course import Course
            from autograder.reach import LocalReach, WorkerReach

            course = Course.find(self._config.rootpath)
            folder = self._config.getoption("submission")
            if self._config.getoption("worker"):
                self._reach = WorkerReach(course, folder, sandboxed=True)
            else:
                self._reach = LocalReach(course, folder)
        return self._reach


def _make_deterministic(config: pytest.Config) -> None:
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.internal.conjecture import providers
    from hypothesis.internal.constants_ast import Constants

    if hasattr(providers, "_get_local_constants"):
        # Hypothesis draws numbers and texts that stand in the code around it: the student's, or the hidden
        # checks'. The same cases are to be drawn whatever else is imported. It has no setting for this.
        providers._get_local_constants = Constants

    settings.register_profile(
        "autograder",
        database=None,  # a failure found earlier must not change what is drawn today
        deadline=None,  # no clock in verdicts
        max_examples=MAX_EXAMPLES,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),  # they look at the clock
    )
    if not config.getoption("--hypothesis-profile", default=None):
        settings.load_profile("autograder")
