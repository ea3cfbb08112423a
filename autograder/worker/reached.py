"""A submission behind a worker that is forked when needed, and again when it was lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from autograder.errors import ModuleProblem, WorkerCrashed, WorkerLost, WorkerTimeout
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.worker import frames, wire
from autograder.worker.client import TimeLimit, Worker, Zygote
from autograder.worker.errors import student_error

IMPORT_LIMIT = TimeLimit(cpu=10)
# What a submission may keep its grader waiting in all: a hundred times what a slow one takes.
SUBMISSION_SECONDS = 900.0

# What a submission may have answered ahead and waiting; one that answers more is asked case by case.
MAX_WAITING_BYTES = 256 << 20

Frame = tuple[bytes, bytes]  # header and payload, as they came
AnswerCallback = Callable[[wire.Callback, list[torch.Tensor]], bytes]


class CalledBack(Exception):
    """What was asked ahead calls a function of the check, which others did not: nobody answers ahead."""


class RemoteSubmission:
    """One submission behind a worker, which is forked when needed and again when it was lost.

    `layers` are the layers of the lock-down that its workers reported.
    """

    def __init__(
        self,
        zygote: Zygote,
        submission: Submission,
        rules: Rules,
        limits: dict[str, int],
    ) -> None:
        self.submission = submission
        self.layers: tuple[str, ...] = ()
        self.seconds_left = SUBMISSION_SECONDS
        self._zygote = zygote
        self._rules = rules
        self._limits = limits
        self._worker: Worker | None = None
        self._imported: set[str] = set()
        self._broken: dict[str, Exception] = {}
        self._scripts = 0
        self._ahead: Ahead | None = None

    def twin(self) -> RemoteSubmission:
        """The same submission behind a worker of its own; close that, too."""
        return RemoteSubmission(self._zygote, self.submission, self._rules, self._limits)

    def use(self, module: str) -> None:
        """Make sure that `module` is imported in a living worker.

        Raises what makes the module unusable, again each time, without a second attempt.
        """
        if module in self.submission.problems:
            raise ModuleProblem(self.submission.problems[module])
        if module in self._broken:
            raise self._broken[module]
        if self._worker is not None and self._worker.ended:
            self.close()  # it died between two cases: neither this case nor this module is to blame
        worker = self._living_worker()
        if module in self._imported:
            return
        number = self.next_number()
        try:
            worker.send(frames.pack(wire.Request([wire.Script(number, [wire.Import(module)], [0])])))
            reply, _ = self.reply(number, IMPORT_LIMIT)
        except WorkerLost as error:
            self._broken[module] = type(error)(f"{error} while {module}.py was imported")
            raise self._broken[module] from None
        for result in reply.results:
            if isinstance(result, wire.Raised):
                self._broken[module] = student_error(result)
                raise self._broken[module]
        self._imported.add(module)

    def send(self, frame: bytes) -> None:
        with self._charged():
            self._living_worker().send(frame)

    def next_number(self) -> int:
        self._scripts += 1
        return self._scripts

    def reply(
        self, number: int, limit: TimeLimit, answer_callback: AnswerCallback | None = None
    ) -> tuple[wire.Reply, list[torch.Tensor]]:
        """The reply to script `number`, answering callbacks on the way, all within `limit`."""
        self._fetch_ahead()
        with self._charged():
            worker = self._living_worker()
            budget = worker.budget(limit)
            while True:
                message, table = worker.receive(budget)
                if not isinstance(message, wire.Callback) or answer_callback is None:
                    return self._checked(message, number), table
                try:
                    worker.send(answer_callback(message, table))
                except BaseException:
                    worker.close()  # it waits for an answer that will not come
                    raise

    def ask_ahead(self, frame: bytes, count: int, limit: TimeLimit) -> Ahead:
        """Send a frame of `count` scripts, each to be answered within `limit`, and wait for nothing."""
        self._fetch_ahead()  # a worker that waits to be read does not read
        self.send(frame)
        self._ahead = Ahead(self, count, limit)
        return self._ahead

    def reply_bytes(self, limit: TimeLimit) -> Frame:
        """The next frame as it came."""
        with self._charged():
            worker = self._living_worker()
            return worker.receive_bytes(worker.budget(limit))

    @property
    def has_answered(self) -> bool:
        """Whether an answer can be read without waiting for the submission."""
        return self._worker is not None and not self._worker.closed and self._worker.has_answered

    def decode_reply(self, number: int, frame: Frame) -> tuple[wire.Reply, list[torch.Tensor]]:
        """The frame as the reply to script `number`. Raises CalledBack where it is a question instead."""
        if wire.calls_back(frame[0]):
            raise CalledBack
        try:
            message, table = frames.from_worker(*frame)
        except wire.WireError as error:
            self.close()
            raise WorkerCrashed(f"sent something that is no answer ({error})") from None
        return self._checked(message, number), table

    def _checked(self, message: wire.FromWorker, number: int) -> wire.Reply:
        if (
            isinstance(message, wire.Reply)
            and message.number == number
            and len(message.results) == len(message.bases)
        ):
            return message
        self.close()
        raise WorkerCrashed("sent an answer to no question")

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.end()
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _fetch_ahead(self) -> None:
        """The answers to what was asked ahead come before any other."""
        if self._ahead is not None:
            self._ahead.fetch()
            self._ahead = None

    @contextmanager
    def _charged(self) -> Iterator[None]:
        if self.seconds_left <= 0:
            self.close()
            raise WorkerTimeout(
                f"used up the {SUBMISSION_SECONDS / 60:g} minutes that all checks of a submission may take"
            )
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds_left -= time.monotonic() - start

    def _living_worker(self) -> Worker:
        if self._worker is None or self._worker.closed:
            self._imported.clear()
            self._worker = self._zygote.fork(self._limits)
            self._worker.open(self.submission, self._rules)
            self.layers = self._worker.layers
        return self._worker


class Ahead:
    """The answers to what was asked ahead, in order: read when wanted, or when others are wanted first."""

    def __init__(self, remote: RemoteSubmission, count: int, limit: TimeLimit) -> None:
        self._remote = remote
        self._limit = limit
        self._to_come = count
        self._waiting: deque[Frame] = deque()
        self._error: WorkerLost | None = None

    def next(self) -> Frame | None:
        """The next answer; None where they ended early. Raises what ended them, once."""
        if not self._waiting:
            self._fetch_one()
        if self._waiting:
            return self._waiting.popleft()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def fetch(self) -> None:
        """Read all answers; an error is raised where they are wanted."""
        size = 0
        while self._to_come:
            self._fetch_one()
            size += sum(map(len, self._waiting[-1])) if self._waiting else 0
            if size > MAX_WAITING_BYTES:
                self._remote.close()

    def fetch_ready(self) -> bool:
        """Read what can be read without waiting; whether that was all."""
        while self._to_come and self._remote.has_answered:
            self._fetch_one()
        return not self._to_come

    def discard(self) -> None:
        """Read what is still to come and keep none of it: it may be large."""
        while self._to_come:
            self._fetch_one()
            self._waiting.clear()

    def end(self) -> None:
        """There is nobody left to answer."""
        self._to_come = 0

    def _fetch_one(self) -> None:
        if self._to_come:
            self._to_come -= 1
            try:
                frame = self._remote.reply_bytes(self._limit)
                self._waiting.append(frame)
                if wire.calls_back(frame[0]):
                    # Nobody answers in advance: what else was asked has to be asked again, case by case.
                    self._remote.close()
                    self.end()
            except WorkerLost as error:
                self._error = error
                self.end()
