"""Resource limits: how much memory, time and how many threads one worker may take."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import resource


@dataclass(frozen=True)
class Limits:
    """What one worker may use over its whole life."""

    memory_bytes: int = 4 << 30
    """Address space beyond what the process has when it is locked (it has torch and the zygote's warm-up)."""
    cpu_seconds: int = 60
    threads: int = 16
    """Threads beyond the first. Exact where the worker has a uid of its own; otherwise see `task_limit`."""
    open_files: int = 16


def apply(limits: Limits, *, own_uid: bool) -> None:
    """Put the limits in force, hard and soft. `own_uid`: no other process has this uid.

    Raises OSError or ValueError when the kernel refuses.
    """
    hard = {
        resource.RLIMIT_AS: address_space() + limits.memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,  # the sockets and pipes at hand are no files
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: task_limit(limits.threads, own_uid=own_uid),
        resource.RLIMIT_MEMLOCK: 0,
    }
    if hasattr(resource, "RLIMIT_MSGQUEUE"):
        hard[resource.RLIMIT_MSGQUEUE] = 0
    for which, value in hard.items():
        _lower(which, value, value)
    # The soft limit's SIGXCPU can be ignored, the hard limit's SIGKILL a second later cannot.
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)


def _lower(which: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the one in force where that is lower already: nobody but root may raise it."""
    _, present = resource.getrlimit(which)
    if present != resource.RLIM_INFINITY:
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(which, (soft, hard))


def task_limit(threads: int, *, own_uid: bool) -> int:
    """RLIMIT_NPROC for so many extra threads.

    The kernel counts every thread that the uid has on the whole machine, and counts nothing for root. Without
    a uid of its own, a worker may therefore start as many threads as the machine has now, and `threads` more:
    far too many for an exact limit, and few enough that the machine stays usable.
    """
    if own_uid:
        return 1 + threads
    tasks_of_everyone = int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])
    return tasks_of_everyone + threads


def address_space() -> int:
    """The size of this process's address space in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
