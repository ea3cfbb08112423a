"""The parity check through workers: one on the CPU, one on a simulated GPU."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import torch

from autograder.check import Check, Failure
from autograder.errors import ModuleProblem, StudentError, WorkerLost
from autograder.parity.comparison import Answer, NotVerifiable
from autograder.parity.verdict import SIMULATED, RecordedCase, judge, record
from autograder.results import DeviceVerdict
from autograder.trials import RunnableCheck
from autograder.worker import frames, wire
from autograder.worker.client import TimeLimit
from autograder.worker.links import LiveLink
from autograder.worker.reached import RemoteSubmission

# Every operation goes through Python there.
_TIMES_SLOWER = 10


def record_remotely(
    check: RunnableCheck,
    case: dict[str, Any],
    remote: RemoteSubmission,
    protected: frozenset[int] = frozenset(),
) -> RecordedCase | None:
    """What a check asks on a case, and what the submission answers; None where it fails."""
    link = LiveLink(remote, check.check.module, TimeLimit(check.check.seconds), record=True)
    assert link.transcript is not None
    return record(check, case, link, link.transcript, protected)


def remote_parity(
    recorded: Iterable[RecordedCase | None], device: RemoteSubmission, check: Check
) -> tuple[DeviceVerdict, Failure | None]:
    """Whether the recorded cases come out on `device` as they did on the CPU."""
    limit = TimeLimit(_TIMES_SLOWER * check.seconds)
    return judge(recorded, lambda case: _replay(case, device, check.module, limit), SIMULATED)


def _replay(recorded: RecordedCase, device: RemoteSubmission, module: str, limit: TimeLimit) -> list[Answer]:
    transcript = recorded.transcript
    tensors: list[torch.Tensor] = []
    try:
        if not transcript.can_be_replayed:
            return recorded.ask_live(LiveLink(device, module, limit))
        for each in dict.fromkeys((module, *transcript.modules())):
            device.use(each)
        number = device.next_number()
        script = transcript.script(number, tensors)
        device.send(frames.pack(wire.Request([script]), tensors))
        reply, table = device.reply(number, limit)
    except (WorkerLost, ModuleProblem, StudentError) as error:
        raise NotVerifiable(f"the submission's process {error}") from None
    if len(reply.results) != len(transcript.steps):
        raise NotVerifiable("the submission's process answered another question")
    bounds = itertools.pairwise([*reply.bases, len(table)])
    return [(result, table[start:end]) for result, (start, end) in zip(reply.results, bounds, strict=True)]
