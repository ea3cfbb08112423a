"""The simulated device as a context: inside, "cuda" is a GPU that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from autograder.simulated import log
from autograder.simulated.dispatch import Dispatch
from autograder.simulated.functions import Functions
from autograder.simulated.log import Transfer, Violation
from autograder.simulated.runtime import simulated_runtime


class SimulatedDevice:
    """One CUDA device for the code within, on a machine without one.

    Tensors there say `cuda:0`, hold real values, and may be mixed with those of the CPU where CUDA allows it;
    where it does not, RuntimeError is raised, and noted even if the code swallows it. All that is patched is
    restored on exit. One device at a time in a process, for the thread that entered it.

    Raises RuntimeError when one is entered already.

    Not simulated, so that what raises there is not the code's fault: `torch.func.hessian` and forward-mode
    derivatives, saving and `torch.load(map_location="cuda")`, CUDA graphs and custom kernels,
    `torch.compile`, nested tensors, `torch.cuda.FloatTensor(…)`, `torch.device(0)`, names that a module
    imported before (`from torch import Generator`), code in other threads.
    """

    def __init__(self, student_files: Iterable[str] = frozenset()) -> None:
        """`student_files` are names as code objects carry them: a violation names the line of such a file."""
        self._log = log.Log(frozenset(student_files))
        self._entered = ExitStack()

    @property
    def violations(self) -> list[Violation]:
        """Every breach of CUDA's rules, in order."""
        return self._log.violations

    @property
    def transfers(self) -> list[Transfer]:
        """Every copy to the host, and every read that makes it wait, in order: worth advice, no fault."""
        return self._log.transfers

    def __enter__(self) -> SimulatedDevice:
        if log.is_entered():
            raise RuntimeError("a simulated device is entered already")
        with ExitStack() as stack:
            stack.enter_context(simulated_runtime())
            log.enter(self._log)
            stack.callback(log.enter, None)
            stack.enter_context(Functions())
            stack.enter_context(Dispatch())
            self._entered = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._entered.close()
