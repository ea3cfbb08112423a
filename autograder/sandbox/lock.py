"""Lock the forked child down, layer by layer, before it runs a line of student code."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import kernel, landlock, limits, seccomp
from autograder.sandbox.layers import Layer, SandboxError
from autograder.sandbox.limits import Limits

if sys.platform == "linux":
    import fcntl
    import posix

KEPT_DESCRIPTOR = 3

# The range that systemd takes transient uids from; it lies within the 65536 ids that a container has mapped.
_TRANSIENT_UIDS = range(61184, 65520)


@dataclass(frozen=True)
class Prepared:
    """What `lock` needs and what takes too long to make for each worker."""

    syscall_filter: seccomp.Filter
    landlock_abi: int


def prepare() -> Prepared:
    """Once in the zygote: build the seccomp filter, ask for Landlock.

    Raises SandboxError where there can be no seccomp filter; the message says what to install.
    """
    syscall_filter = seccomp.build_filter()
    return Prepared(syscall_filter, landlock.abi())


def throwaway_uids() -> range:
    """The uids that `lock` can drop to: none unless root, and root of a namespace that has these ids.

    Give each living worker a uid of its own: RLIMIT_NPROC counts the threads of a uid.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return range(0)
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    mapped = [range(int(first), int(first) + int(count)) for first, _, count in map(str.split, lines)]
    usable = any(_TRANSIENT_UIDS[0] in ids and _TRANSIENT_UIDS[-1] in ids for ids in mapped)
    may_drop_groups = Path("/proc/self/setgroups").read_text().strip() == "allow"
    return _TRANSIENT_UIDS if usable and may_drop_groups else range(0)


def lock(prepared: Prepared, limits_: Limits, keep_fd: int, uid: int | None) -> tuple[str, ...]:
    """Give up everything but memory, time and one descriptor. Returns the layers in force, in order.

    Call it in a forked child. `keep_fd` becomes descriptor 3 and the only one; make a socket object of it
    with `socket.socket(family, type, 0, fileno=3)`, all three given, or Python asks the kernel and is
    refused. `uid` is a throw-away uid, taken only when started as root. Afterwards nothing can be imported
    that is not imported already.

    Raises SandboxError when a layer fails that this machine has; the process is then half locked and must
    exit.
    """
    if sys.platform != "linux":
        raise SandboxError("the sandbox needs Linux")
    own_uid = uid is not None and os.geteuid() == 0
    in_force: list[str] = []

    @contextmanager
    def layer(name: Layer) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise SandboxError(f"{name}: {error}") from error
        in_force.append(name.value)

    with layer(Layer.CLOSED_DESCRIPTORS):
        _leave_session()
        _keep_only(keep_fd)
    with layer(Layer.EMPTY_ENVIRONMENT):
        _empty_environment()
    kernel.drop_bounding_set()  # while root still may; for others no_new_privs does the same
    if uid is not None and own_uid:
        with layer(Layer.UID):
            _become(uid)
    with layer(Layer.CAPABILITIES):
        kernel.drop_capabilities()
    with layer(Layer.NO_NEW_PRIVS):
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nobody of the same uid may trace us or look into our memory
        kernel.die_with_parent()  # after the change of uid, which would clear it
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    with layer(Layer.RLIMITS):
        limits.apply(limits_, own_uid=own_uid)
    if prepared.landlock_abi:
        with layer(Layer.LANDLOCK):
            landlock.restrict_self(prepared.landlock_abi)
    with layer(Layer.SECCOMP):
        prepared.syscall_filter.load()
    return tuple(in_force)


def _leave_session() -> None:
    if len(os.listdir("/proc/self/task")) != 1:
        raise SandboxError("lock() must be called in a process with one thread: the layers hold for one only")
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.umask(0o077)
    os.chdir("/")


def _keep_only(keep_fd: int) -> None:
    kept = fcntl.fcntl(keep_fd, fcntl.F_DUPFD_CLOEXEC, KEPT_DESCRIPTOR + 1)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for standard in range(3):
        os.dup2(null, standard)
    os.dup2(kept, KEPT_DESCRIPTOR, inheritable=False)
    kernel.close_descriptors_from(KEPT_DESCRIPTOR + 1)


def _empty_environment() -> None:
    """Forget the environment, also where it outlives `os.environ`: in `posix.environ`, on the stack."""
    os.environ.clear()
    posix.environ.clear()
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(after_name[47]), int(after_name[48])  # fields 50 and 51, env_start and env_end
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
