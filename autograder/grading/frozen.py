"""A check whose cases are drawn once and met by every submission.

A submission's calls are asked for in one frame once somebody has passed the check, because then it
is known what the check asks; only a failing check runs Hypothesis again, to shrink.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from enum import Enum
from typing import Any

import pytest
from hypothesis.errors import UnsatisfiedAssumption

from autograder.check import Check, Failure
from autograder.checks.failure import values_not_judged
from autograder.checks.vacuity import Seen, watching
from autograder.diagnosis.fingerprint import Fingerprint, fingerprint
from autograder.diagnosis.probes import case_digest
from autograder.diagnosis.table import Probe
from autograder.errors import NO_ANSWER, ModuleProblem, WorkerLost
from autograder.parity.remote import record_remotely
from autograder.parity.verdict import RecordedCase, asking, typical
from autograder.trials import (
    FAILURES,
    Body,
    RunnableCheck,
    body_of,
    draw_cases,
    is_property,
    run_live,
    tensors_in,
)
from autograder.worker.client import TimeLimit
from autograder.worker.links import (
    Answer,
    Diverged,
    LiveLink,
    Prefetch,
    ReplayLink,
    Transcript,
)
from autograder.worker.reached import Ahead, RemoteSubmission
from autograder.worker.remote import RemoteStudent
from autograder.worker.shadow import ShadowLink
from autograder.worker.wire import WireError

# Cases tried in search of one smaller than the smallest drawn: 30 mostly get to the bottom.
MAX_SHRINK_TRIALS = 40
# Reached by submissions that fail slowly only. The clock decides how small the told case is, never a score.
MAX_SHRINK_SECONDS = 10.0

# Replies a case that are known to pass: ways to compute differ in their last bits, and there are a few.
MAX_KNOWN_ANSWERS = 32


class Told(Enum):
    """On which case a failure is told."""

    FIRST = "the first that fails"
    SMALLEST_DRAWN = "the smallest of the drawn ones that fail"
    SHRUNK = "the smallest that Hypothesis finds"


class FrozenCheck:
    """One check, its cases, and what it asks of a submission that passes it."""

    def __init__(self, check: Check, test: Body, fixtures: dict[str, Any]) -> None:
        self._check = check
        self._test = test
        self._fixtures = fixtures
        self._limit = TimeLimit(check.seconds)
        self._started: tuple[RemoteSubmission, Ahead] | None = None
        self._answer: Answer | None = None  # to the typical case, asked ahead and passed
        self._draw()

    def start(self, remote: RemoteSubmission) -> Ahead | None:
        """Ask ahead, if it is known what: the submission works on it until `run` wants the answers."""
        if self._prefetch is None:
            return None
        with contextlib.suppress(WorkerLost, ModuleProblem, *FAILURES):  # `run` meets it again
            ahead = self._prefetch.start(remote, self._check.module, self._limit)
            self._started = remote, ahead
            return ahead
        return None

    def run(self, remote: RemoteSubmission, told: Told = Told.SHRUNK) -> Failure | None:
        """The failure that the submission shows, or None."""
        if not is_property(self._test):
            told = Told.FIRST  # there is one case
        try:
            with watching() as self._seen:
                found = self._find(remote, told)
        finally:
            if self._versions != _versions(self._cases):
                # A submission changed its arguments, or a body did: nobody else shall meet that case.
                self._draw()
        if found is None:
            return Failure(self._seen.failure(), {}) if self._seen.is_vacuous else None
        i, failure = found
        if told is not Told.SHRUNK or isinstance(failure.error, NO_ANSWER):
            return failure
        return self._shrink(remote, start=i) or failure

    def probe(self, i: int) -> Probe:
        """The case number `i`, as a table of known mistakes refers to it."""
        return Probe(self._check.id, i, case_digest(self._cases[i]))

    def some_probes(self, count: int) -> list[Probe]:
        """About so many of the cases, from the first to the last."""
        step = max(1, len(self._cases) // count)
        return [self.probe(i) for i in range(0, len(self._cases), step)][:count]

    def has(self, probe: Probe) -> bool:
        return probe.case < len(self._cases) and self.probe(probe.case) == probe

    def fingerprint(self, remote: RemoteSubmission, probe: Probe) -> Fingerprint | None:
        """How the submission fails the probe's case, or None."""
        arguments = self._arguments(self._cases[probe.case], self._live_link(remote))
        return fingerprint(body_of(self._test), arguments)

    def recorded(self, remote: RemoteSubmission) -> RecordedCase | None:
        """What the check asks of the submission on one of its cases, and is answered; None where it fails.

        It is asked again, unless the check was just run and passed.
        """
        case = self._cases[self._typical]
        ask = asking(RunnableCheck(self._check, self._test, self._fixtures), case, self._protected)
        answer, self._answer = self._answer, None
        transcript = None if answer is None else answer.transcript()
        if transcript is not None:
            return RecordedCase(case, transcript, ask)
        return record_remotely(self._check, case, ask, remote)

    def _find(self, remote: RemoteSubmission, told: Told) -> tuple[int, Failure] | None:
        """The failure to tell and the number of its case; no case is run that is not needed for it."""
        failures = self._replay(remote) if self._prefetch is not None else self._record(remote)
        with contextlib.closing(failures):
            found = next(failures, None)
            if found is None or told is Told.FIRST or isinstance(found[1].error, NO_ANSWER):
                return found
            return min((found, *self._further(failures, remote)), key=lambda each: _size(each[1].case))

    def _further(
        self, failures: Iterator[tuple[int, Failure]], remote: RemoteSubmission
    ) -> Iterator[tuple[int, Failure]]:
        """More cases that fail in the way of the first, by a search that costs the submission nothing."""
        seconds_left = remote.seconds_left
        end = time.monotonic() + MAX_SHRINK_SECONDS
        try:
            for i, failure in failures:
                if isinstance(failure.error, NO_ANSWER):
                    return  # another failure, and one that would come again
                yield i, failure
                if time.monotonic() > end:
                    return
        finally:
            remote.seconds_left = seconds_left

    def _shrink(self, remote: RemoteSubmission, start: int) -> Failure | None:
        """What Hypothesis makes of the case number `start`, which fails."""
        seconds_left = remote.seconds_left
        try:
            return run_live(
                self._check,
                self._test,
                self._fixtures,
                lambda: self._student(remote),
                start,
                MAX_SHRINK_TRIALS,
                MAX_SHRINK_SECONDS,
            )
        finally:
            remote.seconds_left = seconds_left  # the search is ours: it costs no other check

    def _draw(self) -> None:
        self._cases = draw_cases(self._test, self._fixtures)
        self._versions = _versions(self._cases)
        self._protected = frozenset(t.untyped_storage().data_ptr() for t in tensors_in(self._cases))
        self._prefetch: Prefetch | None = None
        self._passed: list[dict[bytes, Seen]] = [{} for _ in self._cases]
        self._typical = typical(self._cases)
        self._answer = None

    def _record(self, remote: RemoteSubmission) -> Generator[tuple[int, Failure]]:
        """The cases that fail, each asked live; where none does, what was asked is kept to be asked ahead."""
        transcripts = []
        for i, case in enumerate(self._cases):
            link = LiveLink(remote, self._check.module, self._limit, record=True)
            if failure := self._run_case(case, link):
                yield i, failure
                continue
            assert link.transcript is not None
            transcripts.append(link.transcript)
        if len(transcripts) == len(self._cases) and all(
            map(self._may_be_sent_ahead, self._cases, transcripts)
        ):
            with contextlib.suppress(WireError):  # too much for one frame: the check goes on case by case
                self._prefetch = Prefetch(transcripts)

    def _may_be_sent_ahead(self, case: dict[str, Any], transcript: Transcript) -> bool:
        """Whether no step of the case was made out of an answer to an earlier one."""
        if not transcript.can_be_replayed:
            return False
        if len(transcript.steps) > 1:
            shadow = ShadowLink(transcript)
            with contextlib.suppress(Diverged), watching(), values_not_judged():  # nobody's answers
                self._run_case(case, shadow)
            if not shadow.all_steps_asked:
                return False
        transcript.answers.clear()
        return True

    def _replay(self, remote: RemoteSubmission) -> Generator[tuple[int, Failure]]:
        """The cases that fail; all are asked ahead in one frame."""
        assert self._prefetch is not None
        self._answer = None
        try:
            if self._started is not None and self._started[0] is remote:
                ahead = self._started[1]
            else:
                ahead = self._prefetch.start(remote, self._check.module, self._limit)
        except (WorkerLost, ModuleProblem, *FAILURES) as error:
            yield 0, Failure(error, self._cases[0])
            return
        try:
            for i, case in enumerate(self._cases):
                try:
                    failure = self._judge(i, self._prefetch.answer(i, ahead, remote), remote)
                except (WorkerLost, ModuleProblem, *FAILURES) as error:
                    failure = Failure(error, case)
                except Diverged:
                    failure = self._run_case(case, self._live_link(remote))
                if failure:
                    yield i, failure
        finally:
            self._started = None
            ahead.discard()

    def _judge(self, i: int, answer: Answer | None, remote: RemoteSubmission) -> Failure | None:
        """Run the i-th case on what was answered ahead, or live where the answers ended."""
        if answer is None:
            return self._run_case(self._cases[i], self._live_link(remote))
        digest, passed = answer.digest, self._passed[i]
        seen = passed.get(digest)  # the same bits as somebody's who passed: a body has nothing else to go by
        if seen is None:
            with watching() as seen:
                failure = self._run_case(self._cases[i], answer.link())
            if failure is not None:
                return failure
            if len(passed) < MAX_KNOWN_ANSWERS:
                passed[digest] = seen
        self._seen.include(seen)
        if i == self._typical:
            self._answer = answer
        return None

    def _run_case(self, case: dict[str, Any], link: ReplayLink | LiveLink | ShadowLink) -> Failure | None:
        try:
            body_of(self._test)(**self._arguments(case, link))
        except (UnsatisfiedAssumption, pytest.skip.Exception):
            raise
        except FAILURES as error:
            return Failure(error, case, link.printed)
        return None

    def _arguments(self, case: dict[str, Any], link: ReplayLink | LiveLink | ShadowLink) -> dict[str, Any]:
        student = RemoteStudent(self._check.module, link, self._protected)
        return {**self._fixtures, **case, "student": student}

    def _live_link(self, remote: RemoteSubmission) -> LiveLink:
        return LiveLink(remote, self._check.module, self._limit)

    def _student(self, remote: RemoteSubmission) -> tuple[RemoteStudent, Any]:
        link = self._live_link(remote)
        return RemoteStudent(self._check.module, link), lambda: link.printed


def _size(case: dict[str, Any]) -> int:
    """How many numbers a reader of the case has before him."""
    return sum(tensor.numel() for tensor in tensors_in(case))


def _versions(x: Any) -> list[int]:
    """How often each tensor in `x` was changed in place."""
    return [tensor._version for tensor in tensors_in(x)]
