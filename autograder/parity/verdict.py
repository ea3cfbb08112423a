"""The parity check of one exercise: cases of its other checks, run once more on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis.errors import UnsatisfiedAssumption

from autograder.check import Failure
from autograder.checks.failure import CheckFailure, Row, values_not_judged
from autograder.checks.vacuity import watching
from autograder.parity.comparison import Answer, MixedDevices, NotVerifiable, Terms, compare, longest_sum
from autograder.results import DeviceState, DeviceVerdict, DtypesVerdict
from autograder.trials import FAILURES, RunnableCheck, body_of, draw_cases, tensors_in
from autograder.worker import wire
from autograder.worker.links import Transcript
from autograder.worker.reached import AnswerCallback
from autograder.worker.remote import Link, RemoteStudent

# Of each check, the middle one in size of so many cases: the first ones drawn are the simplest, and the
# largest take their time, where every operation goes through Python.
CASES_LOOKED_AT = 6

NOTHING_RIGHT = "no check of the exercise that computes something passes on the CPU yet"


@dataclass(frozen=True)
class Device:
    """What a submission is run on besides the CPU: `name` for people; the results are `is_exact`ly the CPU's
    where random numbers, ties and rounding are its own."""

    name: str
    is_simulated: bool

    @property
    def state(self) -> DeviceState:
        return DeviceState.SIMULATED if self.is_simulated else DeviceState.VERIFIED


Ask = Callable[[Link], None]
SIMULATED = Device("a simulated GPU (cuda:0)", is_simulated=True)


@dataclass(frozen=True)
class RecordedCase:
    """A case that the submission passes on the CPU: what was asked and answered there; `ask` asks again."""

    case: dict[str, Any]
    transcript: Transcript
    ask: Ask

    def ask_live(self, device: Link) -> list[Answer]:
        """Ask the steps of `device` one by one: functions of the check can be called back meanwhile.

        Raises NotVerifiable where the check does not ask the same again.
        """
        link = _Echo(self.transcript, device)
        with watching(), values_not_judged():
            try:
                self.ask(link)
            except _OtherSteps:
                raise NotVerifiable("its check does not ask the same twice") from None
        return link.answers


@dataclass(frozen=True)
class OfParity:
    """What a check of parity came to."""

    verdict: DeviceVerdict | DtypesVerdict
    failure: Failure | None


class _OtherSteps(BaseException):
    """A BaseException: a check that expects some exception of the submission must not catch this one."""


class _Echo:
    """Performs the steps of a case on a device, and goes on with what was answered on the CPU."""

    def __init__(self, transcript: Transcript, device: Link) -> None:
        self.answers: list[Answer] = []
        self._transcript = transcript
        self._device = device

    def perform(
        self, step: wire.Step, tensors: list[torch.Tensor], answer_callback: AnswerCallback
    ) -> Answer:
        position = len(self.answers)
        if position >= len(self._transcript.steps) or step != self._transcript.steps[position].step:
            raise _OtherSteps
        self.answers.append(self._device.perform(step, tensors, answer_callback))
        result, table = self._transcript.answers[position]
        return result, [tensor.clone() for tensor in table]


Replay = Callable[[RecordedCase], list[Answer]]


def judge(
    cases: Iterable[RecordedCase], replay: Replay, device: Device
) -> tuple[DeviceVerdict, Failure | None]:
    """Whether the submission does on `device` what it did on the CPU, and the failure to tell where not.

    `cases` are some that it passes on the CPU; `replay` asks a recorded case's steps of the device, and
    raises NotVerifiable where it cannot.
    """
    verified, reasons, advice = 0, list[str](), list[Row]()
    for recorded in cases:
        try:
            advice += _compare(recorded.transcript, replay(recorded), device)
        except NotVerifiable as error:
            reasons.append(str(error))
            continue
        except CheckFailure as failure:
            case = {} if isinstance(failure, MixedDevices) else recorded.case
            return DeviceVerdict(DeviceState.DIFFERS, device.name), Failure(failure, case)
        verified += 1
    if not verified:
        return DeviceVerdict(DeviceState.UNVERIFIABLE, device.name, [*reasons, NOTHING_RIGHT][0]), None
    return DeviceVerdict(
        device.state, device.name, "\n".join(dict.fromkeys(text for _, text in advice))
    ), None


def typical(cases: Sequence[dict[str, Any]]) -> int:
    """Which case of a check to run elsewhere."""
    sizes = [sum(tensor.numel() for tensor in tensors_in(case)) for case in cases[:CASES_LOOKED_AT]]
    return sizes.index(sorted(sizes)[len(sizes) // 2])


def typical_case(check: RunnableCheck) -> tuple[dict[str, Any], Ask]:
    """That case, drawn for this once, and what runs the check on it."""
    cases = draw_cases(check.test, check.fixtures, most=CASES_LOOKED_AT)
    case = cases[typical(cases)]
    return case, asking(check, case)


def asking(check: RunnableCheck, case: dict[str, Any], protected: frozenset[int] = frozenset()) -> Ask:
    """What runs a check on a case through a link; `protected` is what a RemoteStudent must not change."""

    def ask(link: Link) -> None:
        student = RemoteStudent(check.check.module, link, protected)
        body_of(check.test)(**{**check.fixtures, **case, "student": student})

    return ask


def record(case: dict[str, Any], ask: Ask, link: Link, transcript: Transcript) -> RecordedCase | None:
    """Run a check on a case through `link`, which records in `transcript`; None where it fails."""
    with watching():
        try:
            ask(link)
        except (*FAILURES, UnsatisfiedAssumption, pytest.skip.Exception):
            return None
    return RecordedCase(case, transcript, ask)


def _compare(transcript: Transcript, answers: list[Answer], device: Device) -> list[Row]:
    if not any(result.on_device is not None and result.on_device.is_used for result, _ in answers):
        raise NotVerifiable("its checks pass no tensors that could lie on a GPU")
    if all(isinstance(result, wire.Raised) for result, _ in transcript.answers):
        raise NotVerifiable(NOTHING_RIGHT)  # a refusal says nothing of what would be computed
    length = longest_sum([recorded.tensors for recorded in transcript.steps])
    terms = Terms(max(length, 64), is_exact=device.is_simulated)
    advice: list[Row] = []
    with watching():  # these comparisons are no part of what the check judges
        try:
            for on_host, on_device in zip(transcript.answers, answers, strict=True):
                advice += compare(on_host, on_device, terms, device.name)
        except (IndexError, ValueError):  # a worker's answer that refers to tensors that it did not send
            raise NotVerifiable("the submission's process sent something that is no answer") from None
    return advice
