"""The checks of parity in this process; a GPU is the machine's own, or else a simulated one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Iterator, Sequence

import torch

from autograder.check import Check
from autograder.course import Parity
from autograder.device.accelerator import Accelerator, found
from autograder.device.place import HOST, Place
from autograder.device.places import place_called
from autograder.device.simulation import Simulation
from autograder.importing import SubmissionImporter
from autograder.local import LocalSubmission
from autograder.parity.comparison import Answer
from autograder.parity.dtypes import judge_dtypes
from autograder.parity.novelty import Novelty
from autograder.parity.verdict import (
    SIMULATED,
    Device,
    OfParity,
    RecordedCase,
    judge,
    record,
    typical_case,
)
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.trials import RunnableCheck
from autograder.worker import frames, wire
from autograder.worker.case import Case
from autograder.worker.links import RecordedStep, Transcript
from autograder.worker.reached import AnswerCallback


def local_parity(
    submission: Submission, rules: Rules, check: Check, others: Sequence[RunnableCheck]
) -> OfParity:
    """What comes of cases of `others`, all of one exercise, elsewhere, for a check of parity.

    The submission is imported twice, so that nothing that it keeps from one run gets into the other; no other
    submission may be open meanwhile.
    """
    novelty = Novelty()
    with contextlib.redirect_stdout(io.StringIO()):  # every print was seen when the checks ran
        with _opened(submission, rules) as importer:
            passed = [case for each in others if (case := _record(each, importer, rules)) is not None]
            recorded = [case for case in passed if novelty.is_new(check.exercise, case.transcript)]
        with _opened(submission, rules) as importer:
            files = importer.paths.values()

            def replay(case: RecordedCase, place: Place) -> list[Answer]:
                return case.ask_live(_LocalLink(importer, rules, place))

            if check.parity is Parity.DTYPES:
                return OfParity(
                    *judge_dtypes(recorded, lambda case, name: replay(case, place_called(name, files)))
                )
            place, device = _device(files)
            return OfParity(*judge(recorded, lambda case: replay(case, place), device))


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
    return record(*typical_case(check), link, link.transcript)


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
