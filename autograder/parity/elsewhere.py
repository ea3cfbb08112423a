"""What a submission's passing checks ask is asked elsewhere too: on a simulated GPU, in other dtypes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from autograder.check import Check
from autograder.course import Parity
from autograder.device.places import GPU
from autograder.parity.dtypes import judge_dtypes, places_for
from autograder.parity.novelty import Novelty
from autograder.parity.remote import Replays
from autograder.parity.verdict import SIMULATED, OfParity, RecordedCase, judge
from autograder.worker.reached import RemoteSubmission


class Elsewhere:
    """The checks of parity of one submission.

    A parity has a worker of its own, so that nothing that a submission keeps from one gets into another; what
    it is asked it works on while the grader goes on. Close it.
    """

    def __init__(self, remote: RemoteSubmission, checks: Collection[Check]) -> None:
        self._wanted: dict[str, set[Parity]] = defaultdict(set)  # by exercise
        for check in checks:
            if check.parity is not None:
                self._wanted[check.exercise].add(check.parity)
        # a worker is forked when it is asked something
        self._remotes = {parity: remote.twin() for parity in Parity}
        self._replays = {parity: Replays(twin) for parity, twin in self._remotes.items()}
        self._recorded: dict[tuple[Parity, str], list[RecordedCase]] = defaultdict(list)
        self._novelty = Novelty()

    def wants(self, check: Check) -> bool:
        """Whether a case of this check is to be tried elsewhere."""
        return not check.is_slow and not check.is_parity and check.exercise in self._wanted

    def ask(self, check: Check, recorded: RecordedCase) -> None:
        """Have a case that the submission passes tried wherever its exercise is."""
        if not check.is_public:
            # a check of parity is a public one: what it tells must not give a hidden case away
            recorded = replace(recorded, case={})
        for parity in self._wanted[check.exercise]:
            if self._novelty.is_new((parity, check.exercise), recorded.transcript):
                self._recorded[parity, check.exercise].append(recorded)
                for place in (GPU,) if parity is Parity.GPU else places_for(recorded.transcript):
                    self._replays[parity].ask(recorded, place, check)

    def go_on(self) -> None:
        for replays in self._replays.values():
            replays.go_on()

    def judge(self, check: Check) -> OfParity:
        """What comes of the cases that were asked, for a check of parity."""
        assert check.parity is not None
        recorded, replays = self._recorded[check.parity, check.exercise], self._replays[check.parity]
        if check.parity is Parity.DTYPES:
            return OfParity(*judge_dtypes(recorded, replays.answers))
        return OfParity(*judge(recorded, lambda case: replays.answers(case, GPU), SIMULATED))

    def close(self) -> None:
        for remote in self._remotes.values():
            remote.close()
