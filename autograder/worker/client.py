"""The grader's side of the processes: start a zygote, have workers forked, exchange bounded frames."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from autograder.errors import GraderBroken, WorkerCrashed, WorkerLost, WorkerTimeout
from autograder.rules import Rules
from autograder.submission import Submission
from autograder.worker import frames, wire

_START_SECONDS = 180.0
_FORK_SECONDS = 60.0
_EXIT_SECONDS = 2.0
_POLL_SECONDS = 0.2
_CHUNK = 1 << 20


@dataclass(frozen=True)
class TimeLimit:
    """What one step may take: CPU seconds, which do not depend on how busy the machine is, and a
    far larger number of seconds on the clock for code that waits instead of working."""

    cpu: float

    @property
    def wall(self) -> float:
        return 30.0 + 10 * self.cpu


class Zygote:
    """One fork server and the sockets to it. Use as a context manager, or call `close`.

    `preload` names libraries that submissions may import besides those that they always may.
    """

    def __init__(self, *, sandboxed: bool = True, preload: Iterable[str] = ()) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-m", "autograder.worker.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            [*command, "sandbox" if sandboxed else "no-sandbox", *preload],
            pass_fds=[theirs.fileno()],
            # nothing of the grader's environment: tokens and paths stay here
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
        theirs.close()
        self._exits: dict[int, int] = {}
        self._ready = False

    def fork(self, limits: dict[str, int]) -> Worker:
        """Fork a worker; the first call waits until the zygote has imported everything."""
        try:
            if not self._ready:
                self._message(_START_SECONDS)
                self._ready = True
            mine, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._control, [json.dumps({"fork": limits}).encode()], [theirs.fileno()])
            while True:
                message, descriptors = self._message(_FORK_SECONDS)
                if "forked" in message:
                    return Worker(self, mine, message["forked"], descriptors[0])
                self._exits[message["exit"]] = message["status"]
        except OSError as error:  # TimeoutError is one
            raise GraderBroken(f"the fork server does not answer ({type(error).__name__})") from None

    def exit_status(self, pid: int) -> int | None:
        """How a worker ended, as a wait status; None where it hung up and lives on."""
        deadline = time.monotonic() + _EXIT_SECONDS
        while pid not in self._exits:
            try:
                message, _ = self._message(deadline - time.monotonic())
            except TimeoutError:
                return None
            if "exit" in message:
                self._exits[message["exit"]] = message["status"]
        return self._exits.pop(pid)

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _message(self, seconds: float) -> tuple[dict[str, int], list[int]]:
        if not select.select([self._control], [], [], max(seconds, 0))[0]:
            raise TimeoutError
        data, descriptors, _, _ = socket.recv_fds(self._control, 65536, 1)
        if not data:
            raise GraderBroken("the fork server is gone (see its message above)")
        return json.loads(data), descriptors


class Worker:
    """One locked-down process that serves one submission."""

    def __init__(self, zygote: Zygote, connection: socket.socket, pid: int, pidfd: int) -> None:
        self._zygote = zygote
        self._socket = connection
        self._socket.setblocking(False)
        self._pid = pid
        self._pidfd = pidfd
        self._cpu_clock = _CpuClock(pidfd)
        self.layers: tuple[str, ...] = ()

    def open(self, submission: Submission, rules: Rules) -> None:
        """Wait until the worker is locked down, then send it the submission's sources."""
        ready, _ = self.receive(self.budget(TimeLimit(cpu=10)))
        if not isinstance(ready, wire.Ready):
            raise WorkerCrashed("did not report that it is locked down")
        self.layers = tuple(ready.layers)
        paths = {name: submission.path(name) for name in submission.sources}
        self.send(frames.pack(wire.Open(submission.sources, paths, rules)))

    def send(self, frame: bytes) -> None:
        """Send a whole frame; a worker that does not read for long is lost."""
        view = memoryview(frame)
        deadline = time.monotonic() + 120
        while view:
            if not select.select([], [self._socket], [], max(0.0, deadline - time.monotonic()))[1]:
                raise self._lost(WorkerTimeout("did not take a request"))
            try:
                view = view[self._socket.send(view) :]
            except (BrokenPipeError, ConnectionResetError):
                raise self._lost(WorkerCrashed(self._how_it_ended())) from None

    def budget(self, limit: TimeLimit) -> Budget:
        """`limit`, from now on."""
        return Budget(limit, self._cpu_clock)

    def receive(self, budget: Budget) -> tuple[wire.FromWorker, list[torch.Tensor]]:
        """The next frame, within what is left of `budget`."""
        frame = self.receive_bytes(budget)
        try:
            return frames.from_worker(*frame)
        except wire.WireError as error:
            raise self._lost(WorkerCrashed(f"sent something that is no answer ({error})")) from None

    def receive_bytes(self, budget: Budget) -> tuple[bytes, bytes]:
        """Header and payload of the next frame as they came."""
        try:
            header, payload = frames.frame_lengths(self._exactly(frames.HEAD_BYTES, budget))
        except wire.WireError as error:
            raise self._lost(WorkerCrashed(f"sent something that is no answer ({error})")) from None
        return self._exactly(header, budget), self._exactly(payload, budget)

    @property
    def has_answered(self) -> bool:
        """Whether something of an answer, or the end, can be read at once."""
        return bool(select.select([self._socket], [], [], 0)[0])

    @property
    def closed(self) -> bool:
        return self._pidfd < 0

    @property
    def ended(self) -> bool:
        """Whether the process is gone, closed or not."""
        return self.closed or bool(select.select([self._pidfd], [], [], 0)[0])

    def close(self) -> None:
        """End the process, whatever it does; calling it again does nothing."""
        if self.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # reaches into PID namespaces
        os.close(self._pidfd)
        self._pidfd = -1
        self._socket.close()

    def _exactly(self, count: int, budget: Budget) -> bytes:
        parts: list[bytes] = []
        while count:
            wait = budget.check()
            if wait is None:
                raise self._lost(WorkerTimeout(budget.exceeded))
            if not select.select([self._socket], [], [], wait)[0]:
                continue
            try:
                part = self._socket.recv(min(count, _CHUNK))
            except ConnectionResetError:
                part = b""
            if not part:
                raise self._lost(WorkerCrashed(self._how_it_ended()))
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _how_it_ended(self) -> str:
        status = self._zygote.exit_status(self._pid)
        if status is None:
            return "hung up"
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU:
                return "used up its CPU time"
            return f"was ended by {signal.Signals(number).name}"
        code = os.WEXITSTATUS(status)
        return f"ended itself with exit status {code} (os._exit?)"

    def _lost(self, error: WorkerLost) -> WorkerLost:
        self.close()
        return error


class Budget:
    """Watches one step's CPU time and, far behind it, the clock."""

    def __init__(self, limit: TimeLimit, clock: _CpuClock) -> None:
        self._limit = limit
        self._clock = clock
        self._cpu_start: float | None = None
        now = time.monotonic()
        self._wall_end = now + limit.wall
        self._next_look = now + _POLL_SECONDS  # most answers come sooner: their CPU time is never read
        self.exceeded = ""

    def check(self) -> float | None:
        """Seconds to wait before looking again, or None when the time is used up."""
        now = time.monotonic()
        if now < self._next_look:
            return _POLL_SECONDS
        self._next_look = now + _POLL_SECONDS
        if now >= self._wall_end:
            self.exceeded = f"gave no answer within {self._limit.wall:.0f} s"
            return None
        used = self._clock.seconds()
        if self._cpu_start is None:
            self._cpu_start = used
        elif used is not None and used - self._cpu_start > self._limit.cpu:
            self.exceeded = f"used more than {self._limit.cpu:g} s of CPU time"
            return None
        return _POLL_SECONDS


class _CpuClock:
    """CPU seconds of a process, read from outside it; None where /proc does not tell."""

    def __init__(self, pidfd: int) -> None:
        self._stat: str | None = None
        with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{pidfd}") as info:
            # the pid as this process sees it: the one that the zygote reports may be of an inner namespace
            pid = next((line.split()[1] for line in info if line.startswith("Pid:")), "-1")
            self._stat = f"/proc/{pid}/stat" if int(pid) > 0 else None

    def seconds(self) -> float | None:
        if self._stat is None:
            return None
        try:
            with open(self._stat) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
