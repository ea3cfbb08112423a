"""The parity checks through workers: one on the CPU, others elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograder.check import Check
from autograder.errors import ModuleProblem, StudentError, WorkerLost
from autograder.parity.comparison import Answer, NotVerifiable
from autograder.parity.verdict import Ask, RecordedCase, record
from autograder.worker import frames, wire
from autograder.worker.client import TimeLimit
from autograder.worker.links import LiveLink, Transcript, answers_in
from autograder.worker.reached import Ahead, CalledBack, RemoteSubmission

# On a simulated GPU every operation goes through Python.
_TIMES_SLOWER = 10


def record_remotely(
    check: Check, case: dict[str, Any], ask: Ask, remote: RemoteSubmission
) -> RecordedCase | None:
    """What a check asks on a case, and what the submission answers; None where it fails."""
    link = LiveLink(remote, check.module, TimeLimit(check.seconds), record=True)
    assert link.transcript is not None
    return record(case, ask, link, link.transcript)


@dataclass
class _Asked:
    """A transcript that is asked at a place, or waits for its turn; `error` is why it has no answer."""

    transcript: Transcript
    place: str
    module: str
    limit: TimeLimit
    number: int = 0
    ahead: Ahead | None = None
    error: str = ""


class Replays:
    """Recorded cases, asked of a worker at some `place` one after another while other things are done.

    `remote` is for them alone; closing it is the caller's.
    """

    def __init__(self, remote: RemoteSubmission) -> None:
        self._remote = remote
        self._asked: dict[tuple[int, str], _Asked] = {}  # by transcript and place
        self._waiting: deque[_Asked] = deque()
        self._last: _Asked | None = None

    def ask(self, recorded: RecordedCase, place: str, check: Check) -> None:
        """Put the case of `check` into the queue; `answers` gives what comes of it."""
        limit = TimeLimit(_TIMES_SLOWER * check.seconds)
        asked = _Asked(recorded.transcript, place, check.module, limit)
        self._asked[id(recorded.transcript), place] = asked
        if recorded.transcript.can_be_replayed:
            self._waiting.append(asked)
            self.go_on()

    def go_on(self) -> None:
        """Ask the next as soon as the one before is answered."""
        while self._waiting and (
            self._last is None or self._last.ahead is None or self._last.ahead.fetch_ready()
        ):
            self._start(self._waiting.popleft())

    def answers(self, recorded: RecordedCase, place: str) -> list[Answer]:
        """What the submission answered there to a case that was put into the queue.

        Raises NotVerifiable where it did not answer all.
        """
        asked = self._asked.pop((id(recorded.transcript), place))
        if not recorded.transcript.can_be_replayed:
            return _answered(
                lambda: recorded.ask_live(LiveLink(self._remote, asked.module, asked.limit, place=place))
            )
        while asked.ahead is None and not asked.error:
            self._start(self._waiting.popleft())
        if asked.error or asked.ahead is None:
            raise NotVerifiable(asked.error)
        ahead = asked.ahead
        found = _answered(lambda: self._read(ahead, asked.number))
        if len(found) != len(asked.transcript.steps):
            raise NotVerifiable("the submission's process answered another question")
        return found

    def _start(self, asked: _Asked) -> None:
        tensors: list[Any] = []
        self._last = asked
        try:
            for each in dict.fromkeys((asked.module, *asked.transcript.modules())):
                self._remote.use(each)
            asked.number = self._remote.next_number()
            script = asked.transcript.script(asked.number, tensors, asked.place)
            frame = frames.pack(wire.Request([script]), tensors)
            asked.ahead = self._remote.ask_ahead(frame, 1, asked.limit)
        except (WorkerLost, ModuleProblem, StudentError) as error:
            asked.error = f"the submission's process {error}"
        except wire.WireError as error:
            asked.error = str(error)

    def _read(self, ahead: Ahead, number: int) -> list[Answer]:
        frame = ahead.next()
        if frame is None:
            raise NotVerifiable("the submission's process gave no answer")
        try:
            return answers_in(*self._remote.decode_reply(number, frame))
        except CalledBack:
            raise NotVerifiable("it calls a function of the check where it did not on the CPU") from None


def _answered(ask: Callable[[], list[Answer]]) -> list[Answer]:
    try:
        return ask()
    except (WorkerLost, ModuleProblem, StudentError) as error:
        raise NotVerifiable(f"the submission's process {error}") from None
