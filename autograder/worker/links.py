"""How steps reach a submission: one at a time, or a whole check's cases in one frame.

The first time a frozen case runs, its steps are recorded. Later submissions meet the same case,
so the recorded steps are sent ahead, all cases of a check in one frame, and each step that the
check then makes is answered from the replies, after a comparison bit for bit. Where a submission
leads a check another way, the replay ends with Diverged and the case is run live instead.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from autograder.errors import WorkerCrashed
from autograder.worker import frames, wire
from autograder.worker.client import TimeLimit
from autograder.worker.reached import Ahead, AnswerCallback, CalledBack, Frame, RemoteSubmission
from autograder.worker.values import same_bits


class Diverged(BaseException):
    """A replayed case asked something else than the recorded one.

    A BaseException: a check that expects some exception of the submission must not catch this one.
    """


@dataclass(frozen=True)
class RecordedStep:
    step: wire.Step
    tensors: list[torch.Tensor]
    raised: bool


@dataclass
class Transcript:
    """The steps of one case, as they were asked of a submission that passed it.

    `answers` are what that submission answered; whoever has no more use for them clears them.
    """

    steps: list[RecordedStep] = field(default_factory=list)
    answers: list[tuple[wire.Result, list[torch.Tensor]]] = field(default_factory=list)
    can_be_replayed: bool = True  # a callback has to be answered while the call runs

    def modules(self) -> Iterator[str]:
        """The submission's modules whose functions are called."""
        for recorded in self.steps:
            if isinstance(recorded.step, wire.Call) and isinstance(recorded.step.target, str):
                yield recorded.step.target

    def script(self, number: int, table: list[torch.Tensor], place: str = "") -> wire.Script:
        """The steps as one script, to be run at `place`; their tensors are appended to `table`."""
        script = wire.Script(number, [], [], place=place)
        for recorded in self.steps:
            script.steps.append(recorded.step)
            script.bases.append(len(table))
            table += recorded.tensors
        return script


class LiveLink:
    """Asks each step as it comes, at `place`; `transcript` holds them if they are recorded."""

    def __init__(
        self,
        remote: RemoteSubmission,
        module: str,
        limit: TimeLimit,
        *,
        record: bool = False,
        place: str = "",
    ) -> None:
        self._remote = remote
        self._module = module
        self._limit = limit
        self._place = place
        self._first = True
        self.transcript = Transcript() if record else None
        self.printed = ""

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], answer_callback: AnswerCallback
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        kept = [t.detach().clone() for t in tensors] if self.transcript is not None else []
        if self._first:
            self._remote.use(self._module)
        if isinstance(step, wire.Call) and isinstance(step.target, str):
            self._remote.use(step.target)
        number = self._remote.next_number()
        request = wire.Request([wire.Script(number, [step], [0], reset=self._first, place=self._place)])
        self._first = False
        called_back = False

        def answer(callback: wire.Callback, table: list[torch.Tensor]) -> bytes:
            nonlocal called_back
            called_back = True
            return answer_callback(callback, table)

        self._remote.send(frames.pack(request, tensors))
        reply, table = self._remote.reply(number, self._limit, answer)
        self.printed += reply.printed
        if len(reply.results) != 1:
            raise WorkerCrashed("answered another question")
        if self.transcript is not None:
            self.transcript.steps.append(RecordedStep(step, kept, isinstance(reply.results[0], wire.Raised)))
            self.transcript.answers.append((reply.results[0], [t.clone() for t in table]))
            self.transcript.can_be_replayed &= not called_back
        return reply.results[0], table


class ReplayLink:
    """Answers the steps of a recorded case from the reply to its script."""

    def __init__(self, transcript: Transcript, reply: wire.Reply, table: list[torch.Tensor]) -> None:
        self._transcript = transcript
        self._reply = reply
        self._table = table
        self._position = 0
        self._on_track = True
        self.printed = reply.printed

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], answer_callback: AnswerCallback
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        position, self._position = self._position, self._position + 1
        if not self._on_track or position >= min(len(self._transcript.steps), len(self._reply.results)):
            raise Diverged
        recorded = self._transcript.steps[position]
        if step != recorded.step or not same_tables(tensors, recorded.tensors):
            raise Diverged
        result = self._reply.results[position]
        # Once a step ended otherwise than recorded, the steps behind it were run on another footing.
        self._on_track = isinstance(result, wire.Raised) == recorded.raised
        following = self._reply.bases[position + 1 :]
        end = following[0] if following else len(self._table)
        return result, self._table[self._reply.bases[position] : end]


class Prefetch:
    """All cases of a check, recorded: one frame asks them, the answers come one by one."""

    def __init__(self, transcripts: list[Transcript]) -> None:
        self._transcripts = transcripts
        table: list[torch.Tensor] = []
        scripts = [transcript.script(-1 - i, table) for i, transcript in enumerate(transcripts)]
        self._modules = dict.fromkeys(module for each in transcripts for module in each.modules())
        self._frame = frames.pack(wire.Request(scripts), table)

    def start(self, remote: RemoteSubmission, module: str, limit: TimeLimit) -> Ahead:
        """Send the frame; each case is answered within `limit`."""
        for each in (module, *self._modules):
            remote.use(each)
        return remote.ask_ahead(self._frame, len(self._transcripts), limit)

    def answer(self, i: int, ahead: Ahead, remote: RemoteSubmission) -> Answer | None:
        """The next answer, which is that to case `i`; None where they ended early."""
        frame = ahead.next()
        return None if frame is None else Answer(remote, self._transcripts[i], -1 - i, frame)


class Answer:
    """The reply to one case that was asked ahead, not yet looked into."""

    def __init__(self, remote: RemoteSubmission, transcript: Transcript, number: int, frame: Frame) -> None:
        self._remote = remote
        self._transcript = transcript
        self._number = number
        self._frame = frame

    @property
    def digest(self) -> bytes:
        """Equal for replies that are equal to the last bit."""
        digest = hashlib.blake2b(self._frame[0], digest_size=32)
        digest.update(self._frame[1])
        return digest.digest()

    def link(self) -> ReplayLink:
        """What the check's steps are answered from. Raises WorkerCrashed where the reply is none.

        Raises Diverged where the submission calls back.
        """
        return ReplayLink(self._transcript, *self._decoded())

    def transcript(self) -> Transcript | None:
        """What was asked, with these answers; None where a step ended otherwise than recorded.

        Raises what `link` does.
        """
        reply, table = self._decoded()
        steps = self._transcript.steps
        ends = [isinstance(result, wire.Raised) for result in reply.results]
        if ends != [step.raised for step in steps]:
            return None
        return Transcript(steps, answers_in(reply, table))

    def _decoded(self) -> tuple[wire.Reply, list[torch.Tensor]]:
        try:
            return self._remote.decode_reply(self._number, self._frame)
        except CalledBack:
            raise Diverged from None


def answers_in(reply: wire.Reply, table: list[torch.Tensor]) -> list[tuple[wire.Result, list[torch.Tensor]]]:
    """The results in a reply, each with its part of the table."""
    bounds = itertools.pairwise([*reply.bases, len(table)])
    return [(result, table[start:end]) for result, (start, end) in zip(reply.results, bounds, strict=True)]


def same_tables(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    """Whether two tables hold the same tensors, bit for bit."""
    return len(a) == len(b) and all(same_bits(x, y) for x, y in zip(a, b, strict=True))
