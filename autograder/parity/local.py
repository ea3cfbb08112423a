"""The parity check in this process: on the machine's accelerator, or else on a simulated one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Iterator, Sequence

import torch

from autograder.check import Failure
from autograder.device.accelerator import Accelerator, found
from autograder.device.place import HOST, Place
from autograder.device.simulation import Simulation
from autograder.importing import SubmissionImporter
from autograder.local import LocalSubmission
from autograder.parity.verdict import (
    CASES_LOOKED_AT,
    SIMULATED,
    Device,
    RecordedCase,
    judge,
    record,
    typical,
)
from autograder.results import DeviceVerdict
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.trials import RunnableCheck, draw_cases
from autograder.worker import frames, wire
from autograder.worker.case import Case
from autograder.worker.links import RecordedStep, Transcript
from autograder.worker.reached import AnswerCallback


def local_parity(
    submission: Submission, rules: Rules, checks: Sequence[RunnableCheck]
) -> tuple[DeviceVerdict, Failure | None]:
    """Whether cases of `checks`, all of one exercise, come out on a device as on the CPU.

    The submission is imported twice, so that nothing that it keeps from one run gets into the other; no other
    submission may be open meanwhile.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # every print was seen when the checks ran
        with _opened(submission, rules) as importer:
            recorded = [_record(check, importer, rules) for check in checks]
        with _opened(submission, rules) as importer:
            place, device = _device(importer.paths.values())
            return judge(recorded, lambda case: case.ask_live(_LocalLink(importer, rules, place)), device)


@contextlib.contextmanager
def _opened(submission: Submission, rules: Rules) -> Iterator[SubmissionImporter]:
    local = LocalSubmission(submission, rules)
    local.open()
    try:
        yield local.importer
    finally:
        local.close()


def _device(files: Collection[str]) -> tuple[Place, Device]:
    accelerator = found()
    if accelerator is None:
        return Simulation(files), SIMULATED
    return Accelerator(accelerator, files), Device(str(accelerator), is_simulated=False)


def _record(check: RunnableCheck, importer: SubmissionImporter, rules: Rules) -> RecordedCase | None:
    link = _LocalLink(importer, rules, HOST)
    case = typical(draw_cases(check.test, check.fixtures, most=CASES_LOOKED_AT))
    return record(check, case, link, link.transcript)


class _LocalLink:
    """Performs the steps of one case here, at `place`, and records them."""

    def __init__(self, importer: SubmissionImporter, rules: Rules, place: Place) -> None:
        self.transcript = Transcript()
        self._case = Case(importer, rules, self._call_back, place)
        self._answer_callback: AnswerCallback | None = None

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], answer_callback: AnswerCallback
    ) -> tuple[wire.Result, list[torch.Tensor]]:
        self._answer_callback = answer_callback
        kept = _copies(tensors)
        result, table = self._case.perform(step, _copies(tensors), 0)
        self.transcript.steps.append(RecordedStep(step, kept, isinstance(result, wire.Raised)))
        self.transcript.answers.append((result, _copies(table)))
        return result, _copies(table)

    def _call_back(
        self, callback: wire.Callback, tensors: list[torch.Tensor]
    ) -> tuple[wire.CallbackResult, list[torch.Tensor]]:
        assert self._answer_callback is not None  # a call is being performed
        answer, table = frames.unpack_for_worker(self._answer_callback(callback, _copies(tensors)))
        assert isinstance(answer, wire.CallbackResult)
        return answer, table


def _copies(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """As if they had travelled: nothing that either side changes is changed for the other."""
    return [tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in tensors]
