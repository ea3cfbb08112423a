"""The system calls that a worker may still make: an allow-list, and EPERM for everything else.

No call takes a path, makes a socket, a descriptor or a process, or reaches another process. What stays is
memory, threads, time, and reading and writing the descriptors that the worker has. Names go through
libseccomp, which knows each architecture's numbers and puts a check of the architecture (and against x32)
before all rules.
"""

from __future__ import annotations

import errno
import platform
import sys
from typing import Any, NamedTuple, Protocol, cast

from autograder.sandbox.layers import SandboxError

# Where the order of clone(2)'s arguments and the ioctl numbers below are right.
SUPPORTED_MACHINES = ("x86_64", "aarch64")

REMEDY_PYTHON = "install the instructor extra, pip install 'autograder[instructor]'"
REMEDY_LIBRARY = "install your distribution's libseccomp2 (Debian, Ubuntu) or libseccomp package"

ALLOWED = (
    # memory. PROT_EXEC stays: oneDNN compiles at run time, nn.LSTM and nn.Conv break without.
    *("brk", "mmap", "munmap", "mremap", "mprotect", "madvise"),
    # the descriptors at hand. No `fstat`: glibc calls it newfstatat, which takes a path.
    *("read", "write", "readv", "writev", "close", "lseek"),
    *("poll", "ppoll", "select", "pselect6"),
    # threads and locks
    *("futex", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "membarrier", "sched_yield"),
    *("sched_getaffinity", "getcpu", "exit", "exit_group", "restart_syscall"),
    # own signal handlers; no call that sends one
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack"),
    # time
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times"),
    *("getitimer", "setitimer", "alarm"),
    # questions about oneself and the machine
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid"),
    *("getgroups", "getrusage", "getrlimit", "sysinfo", "uname", "getrandom"),
)


_ALL_BITS = 2**64 - 1


class Condition(NamedTuple):
    """`argument & mask == value`, on all 64 bits of the register: a stray high bit makes it a refusal."""

    argument: int
    value: int
    mask: int = _ALL_BITS


_CLONE_VM, _CLONE_FS, _CLONE_FILES, _CLONE_SIGHAND = 0x100, 0x200, 0x400, 0x800
_CLONE_THREAD, _CLONE_SYSVSEM, _CLONE_SETTLS = 0x10000, 0x40000, 0x80000
_CLONE_PARENT_SETTID, _CLONE_CHILD_CLEARTID, _CLONE_DETACHED = 0x100000, 0x200000, 0x400000
_THREAD = _CLONE_VM | _CLONE_FS | _CLONE_FILES | _CLONE_SIGHAND | _CLONE_THREAD
# What glibc and musl add for a thread. All other flags must be off: namespaces, pidfds, tracing, ...
_THREAD_MAY_HAVE = (
    _CLONE_SYSVSEM | _CLONE_SETTLS | _CLONE_PARENT_SETTID | _CLONE_CHILD_CLEARTID | _CLONE_DETACHED
)

_F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL = 1, 2, 3, 4
_TCGETS, _FIONREAD, _FIONBIO, _FIOCLEX = 0x5401, 0x541B, 0x5421, 0x5451
_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA = 15, 16, 0x53564D41
_ARCH_GET_XCOMP_SUPP, _ARCH_GET_XCOMP_PERM, _ARCH_REQ_XCOMP_PERM = 0x1021, 0x1022, 0x1023

# Allowed when every condition of an entry holds; several entries of one name are alternatives.
CONDITIONAL: tuple[tuple[str, tuple[Condition, ...]], ...] = (
    ("clone", (Condition(0, value=_THREAD, mask=_ALL_BITS & ~_THREAD_MAY_HAVE),)),
    # Without an address: only what is connected already. (sendmsg and recvmsg could pass descriptors.)
    ("sendto", (Condition(4, 0), Condition(5, 0))),
    ("recvfrom", (Condition(4, 0), Condition(5, 0))),
    # Not F_SETOWN and F_SETSIG, which make the kernel send a signal to any process of the same uid; no locks.
    *(("fcntl", (Condition(1, command),)) for command in (_F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL)),
    # isatty, and a socket's time-out
    *(("ioctl", (Condition(1, request),)) for request in (_TCGETS, _FIONREAD, _FIONBIO, _FIOCLEX)),
    *(("prctl", (Condition(0, option),)) for option in (_PR_SET_NAME, _PR_GET_NAME)),
    # glibc's malloc names its arenas: PR_SET_VMA_ANON_NAME
    ("prctl", (Condition(0, _PR_SET_VMA), Condition(1, 0))),
    # Own limits, reading only
    ("prlimit64", (Condition(0, 0), Condition(2, 0))),
    # oneDNN asks for the AMX registers on x86; without them it would round in another way than the grader.
    *(
        ("arch_prctl", (Condition(0, code),))
        for code in (_ARCH_GET_XCOMP_SUPP, _ARCH_GET_XCOMP_PERM, _ARCH_REQ_XCOMP_PERM)
    ),
)

# glibc falls back to the older call on ENOSYS, and to nothing on EPERM; a filter cannot see clone3's flags.
NOT_IMPLEMENTED = ("clone3",)


class Filter(Protocol):
    """A finished filter. It stays valid across fork."""

    def load(self) -> None:
        """Put the filter in force for this thread and all that it starts, for good."""


def build_filter() -> Filter:
    """Build the filter. Once per zygote: it takes some milliseconds.

    Raises SandboxError where libseccomp is missing or too old, or the machine is not one of
    SUPPORTED_MACHINES.
    """
    library = _libseccomp()
    syscall_filter = library.SyscallFilter(library.ERRNO(errno.EPERM))
    # The default would kill one thread and leave the process half alive.
    syscall_filter.set_attr(library.Attr.ACT_BADARCH, library.KILL_PROCESS)
    for name in ALLOWED:
        syscall_filter.add_rule(library.ALLOW, _number(library, name))
    for name, conditions in CONDITIONAL:
        arguments = [library.Arg(c.argument, library.MASKED_EQ, c.mask, c.value) for c in conditions]
        syscall_filter.add_rule(library.ALLOW, _number(library, name), *arguments)
    for name in NOT_IMPLEMENTED:
        syscall_filter.add_rule(library.ERRNO(errno.ENOSYS), _number(library, name))
    return cast(Filter, syscall_filter)


def _libseccomp() -> Any:
    if sys.platform != "linux" or platform.machine() not in SUPPORTED_MACHINES:
        machines = " or ".join(SUPPORTED_MACHINES)
        raise SandboxError(f"seccomp: the filter is written for Linux on {machines}")
    try:
        import pyseccomp
    except ImportError as error:
        raise SandboxError(f"seccomp: pyseccomp is missing: {REMEDY_PYTHON}") from error
    except (RuntimeError, OSError) as error:
        raise SandboxError(f"seccomp: libseccomp is missing: {REMEDY_LIBRARY}") from error
    return pyseccomp


def _number(library: Any, name: str) -> int:
    """The number of a system call. Rules for one that this architecture never had (below -1) do nothing."""
    number: int = library.resolve_syscall(library.Arch.NATIVE, name)
    if number == -1:
        raise SandboxError(
            f"seccomp: this libseccomp is too old to know {name}: version 2.5 or later is needed"
        )
    return number
